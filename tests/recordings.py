"""Recordings of an event camera, as files."""

import struct

import h5py
import numpy as np


def write_aedat(path, events):
    """A recording of a DVS128 as its software jAER writes it: a header, then address and microseconds, big-endian."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        "#!AER-DAT2.0",
        "# This is a raw AE data file - do not edit",
        "# Data format is int32 address, int32 timestamp",
    ]
    body = b"".join(struct.pack(">II", row << 8 | column << 1 | polarity, t) for row, column, polarity, t in events)
    path.write_bytes("".join(line + "\r\n" for line in lines).encode() + body)


ENGLISH = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
GERMAN = ("null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun")


def write_spike_file(path, words, labels, speakers, keys=ENGLISH + GERMAN):
    """Words as SHD and SSC store them: of each, float16 seconds and uint16 units of its events."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for place, (name, kind) in enumerate((("times", np.float16), ("units", np.uint16))):
            lists = file.create_dataset(f"spikes/{name}", len(words), h5py.vlen_dtype(kind))
            for row, word in enumerate(words):
                lists[row] = np.asarray(word[place], kind)
        file["labels"] = np.asarray(labels, np.uint16)
        file["extra/speaker"] = np.asarray(speakers, np.uint16)
        file["extra/keys"] = [key.encode() for key in keys]


def write_nmnist(path, events):
    """A recording of N-MNIST: column, row, polarity and microseconds of each event, in five bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(bytes([x, y]) + (p << 23 | t).to_bytes(3, "big") for x, y, p, t in events))
