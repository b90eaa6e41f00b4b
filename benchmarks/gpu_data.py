"""Data for a machine without any: drawn digits in MNIST's own format, and tones in the place of spoken ones."""

import struct
import wave
from pathlib import Path

import numpy as np

SEED = 0
SEGMENTS = ("abcdef", "bc", "abdeg", "abcdg", "bcfg", "acdfg", "acdefg", "abc", "abcdefg", "abcdfg")  # of each digit
LINES = {  # row and column of both ends, in a box of 16 x 9 pixels
    "a": (0, 0, 0, 8),
    "b": (0, 8, 8, 8),
    "c": (8, 8, 16, 8),
    "d": (16, 0, 16, 8),
    "e": (8, 0, 16, 0),
    "f": (0, 0, 8, 0),
    "g": (8, 0, 8, 8),
}
SPEAKERS, TAKES = ("george", "jackson"), 20  # two of FSDD's names; takes 0 to 4 are its test set
RATE = 8000


def write(folder: Path, train: int = 4000, test: int = 500) -> None:
    """Write ``mnist/`` (IDX files) and ``fsdd/recordings/`` (WAV) into a folder, as SNN_SYNTH_DATA names one."""
    noise = np.random.default_rng(SEED)
    (folder / "mnist").mkdir(parents=True)
    for part, count in (("train", train), ("t10k", test)):
        labels = np.arange(count) % 10
        _idx(folder / "mnist" / f"{part}-images-idx3-ubyte", np.stack([_digit(label, noise) for label in labels]))
        _idx(folder / "mnist" / f"{part}-labels-idx1-ubyte", labels.astype(np.uint8))
    recordings = folder / "fsdd" / "recordings"
    recordings.mkdir(parents=True)
    for digit in range(10):
        for speaker in range(len(SPEAKERS)):
            for take in range(TAKES):
                _tone(recordings / f"{digit}_{SPEAKERS[speaker]}_{take}.wav", digit, speaker, noise)


def _digit(label: int, noise: np.random.Generator) -> np.ndarray:
    """A digit of seven segments, ``[28, 28]``: slanted, shifted, thick and bright at random, with soft edges."""
    y, x = np.mgrid[:28, :28]
    top, left, slant, width = (
        5 + noise.uniform(-2, 2),
        9 + noise.uniform(-3, 3),
        noise.uniform(0, 0.25),
        noise.uniform(1, 2),
    )
    image = np.zeros((28, 28))
    for name in SEGMENTS[label]:
        r0, c0, r1, c1 = LINES[name]
        ends = np.array([[top + r, left + c + slant * (16 - r)] for r, c in ((r0, c0), (r1, c1))])
        along, offset = ends[1] - ends[0], np.stack([y, x], -1) - ends[0]
        place = np.clip((offset @ along) / (along @ along), 0, 1)
        distance = np.linalg.norm(offset - place[..., None] * along, axis=-1)
        image = np.maximum(image, np.clip(1.5 + width - distance, 0, 1))
    return (noise.uniform(200, 255) * image).astype(np.uint8)


def _idx(path: Path, values: np.ndarray) -> None:
    header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    path.write_bytes(header + values.tobytes())


def _tone(path: Path, digit: int, speaker: int, noise: np.random.Generator) -> None:
    """Half a second of two tones that rise or fall, by the digit; higher by the speaker."""
    t = np.arange(RATE // 2) / RATE
    first, second = 250 * (1.2**digit), 1200 + 150 * ((digit * 7) % 10)
    bend = 1 + 0.3 * ((digit % 3) - 1) * t
    sound = sum(np.sin(2 * np.pi * f * (1 + 0.1 * speaker) * bend * t) for f in (first, second)) * np.hanning(len(t))
    samples = 8000 * (sound + 0.05 * noise.standard_normal(len(t)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.clip(-32768, 32767).astype("<i2").tobytes())
