"""N-MNIST: MNIST digits on a screen, seen by an event camera that makes three small movements."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from snn_synth.data.binning import EventRecordings, bin_events, binned, check_steps
from snn_synth.data.shd import folder_of
from snn_synth.errors import InputError

SIDE = 34
CHANNELS = 2 * SIDE * SIDE
BYTES = 5  # of an event: column, row, and polarity with 23 bits of time
OVERFLOW, PERIOD = 240, 1 << 13  # this row is no event: the times from here on are so many microseconds later
MAX_BYTES = 1 << 24  # over three million events; a recording of N-MNIST has about 4,000
HOME = "https://www.garrickorchard.com/datasets/n-mnist"


class NMNIST(EventRecordings):
    """Recordings of N-MNIST as spike trains of 2 x 34 x 34 pixels, OFF before ON.

    Files: ``<root>/nmnist/Train/<digit>/*.bin``, and ``Test`` (or in ``NMNIST/``, where tonic puts them).

    Args:
        root: data folder; None means `$SNN_SYNTH_DATA`, else the cache.
        train: the 60,000 recordings to train, or the 10,000 to test.
        num_steps: T.
        step: of a time step, in microseconds; 15 of 21 ms are the three movements of 105 ms each. See
            :func:`~snn_synth.data.bin_events`.

    Attributes:
        labels: digits, int64 ``[N]``.
        files: of each recording.

    Raises:
        InputError: for steps that cannot be, or if there are no recordings or one is damaged.

    Source:
        Orchard, Jayawant, Cohen & Thakor 2015, Converting static image datasets to spiking neuromorphic datasets.

    Example:
        >>> import os, tempfile, unittest.mock
        >>> root = Path(tempfile.mkdtemp())
        >>> (root / "nmnist" / "Train" / "3").mkdir(parents=True)
        >>> event = bytes([33, 2, 0b1000_0000, 0, 9])  # column 33, row 2, ON, at 9 us
        >>> _ = (root / "nmnist" / "Train" / "3" / "00001.bin").write_bytes(event)
        >>> with unittest.mock.patch.dict(os.environ, SNN_SYNTH_CACHE=str(root)):  # where the binned spikes are kept
        ...     spikes, label = NMNIST(root, num_steps=2)[0]
        >>> spikes.view(2, 2, 34, 34).nonzero().tolist(), label
        ([[0, 1, 2, 33]], 3)
    """

    def __init__(
        self, root: str | Path | None = None, train: bool = True, num_steps: int = 15, step: int = 21_000
    ) -> None:
        check_steps(num_steps, step)
        folder = folder_of(root, "nmnist") / ("Train" if train else "Test")
        found = [(digit, path) for digit in range(10) for path in sorted((folder / str(digit)).glob("*.bin"))]
        if not found:
            raise InputError(
                f"Expected recordings of N-MNIST such as 0/00002.bin in {folder}, found none: unpack Train.zip and "
                f"Test.zip of {HOME} into {folder.parent}"
            )
        self.num_steps, self.step, self.channels = num_steps, step, CHANNELS
        self.files = [path for _, path in found]
        self.labels = torch.tensor([digit for digit, _ in found])
        spikes = (_spikes(path, num_steps, step) for path in self.files)
        shape = len(found), num_steps, CHANNELS
        self.packed = binned(self.files, {"step": step}, spikes, shape, f"N-MNIST's {folder.name}")


def read_nmnist(
    path: str | Path,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Column, row, polarity (1 is ON) and time (microseconds) of a recording's events, int64 ``[n]`` each.

    An event has five bytes: column, row, then polarity in the highest bit and time in the other 23, big-endian.

    Raises:
        InputError: if the file cannot be read, ends within an event, has pixels beyond 34 x 34 or is larger than
            `MAX_BYTES`.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "one.bin")
        >>> _ = path.write_bytes(bytes([33, 2, 0b1000_0000, 0, 9]))
        >>> [values.tolist() for values in read_nmnist(path)]
        [[33], [2], [1], [9]]
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"Expected a recording of N-MNIST, got {path} ({error.strerror})") from error
    if len(content) > MAX_BYTES or len(content) % BYTES:
        size = f"more than {MAX_BYTES}" if len(content) > MAX_BYTES else len(content)
        raise InputError(f"Expected a recording of N-MNIST, five bytes for each event, got {size} bytes in {path}")
    column, row, high, middle, low = np.frombuffer(content, np.uint8).reshape(-1, BYTES).T.astype(np.int64)
    later = row == OVERFLOW
    time = ((high & 127) << 16 | middle << 8 | low) + PERIOD * later.cumsum()
    column, row, polarity, time = (values[~later] for values in (column, row, high >> 7, time))
    if len(row) and max(column.max(), row.max()) >= SIDE:
        raise InputError(f"Expected pixels of {SIDE} x {SIDE}, got column {column.max()} and row {row.max()} in {path}")
    return column, row, polarity, time


def _spikes(path: Path, num_steps: int, step: int) -> NDArray[np.bool_]:
    column, row, polarity, time = read_nmnist(path)
    return bin_events(time, (polarity * SIDE + row) * SIDE + column, CHANNELS, num_steps, step)
