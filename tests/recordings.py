"""Recordings of an event camera, as files."""

import struct


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
