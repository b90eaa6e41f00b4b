"""MNIST-DVS: MNIST digits that move slowly on a screen, seen by an event camera."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from snn_synth.codec import PackedSpikes, pack, unpack
from snn_synth.data.binning import check_steps
from snn_synth.data.root import data_root
from snn_synth.errors import InputError

NAME = re.compile(r"mnist_(?P<digit>\d)_scale04_(?P<number>\d+)\.aedat")
FIRST, SIDE = 48, 26  # the digit, on 128 x 128 pixels
EVENT = np.dtype([("address", ">u4"), ("time", ">u4")])
MAX_BYTES = 1 << 26  # over eight million events; a recording of MNIST-DVS has less than a tenth of it
MAX_KEPT = 1 << 30  # bytes of packed spikes in memory
HOME = "http://www2.imse-cnm.csic.es/caviar/MNISTDVS.html"


class MNISTDVS(Dataset[tuple[Tensor, int]]):
    r"""Recordings of the smallest scale as spike trains of 2 x 26 x 26 pixels, ON above OFF.

    Files: ``<root>/mnist_dvs/.../mnist_<digit>_scale04_<number>.aedat``, AEDAT 2.0 of a DVS128, as in the archives
    ``grabbed_data0.zip`` to ``grabbed_data9.zip``. They are read when they are first asked for, and kept in memory at
    one bit for each pixel and time step, up to 1 GB (135 MB for all of them at 80 steps). Pixels are named as the chip
    does.

    Args:
        root: data folder; None means `$SNN_SYNTH_DATA`, else the cache.
        train: the first nine tenths of each digit's recordings, else the last tenth.
        num_steps: T.
        step: of a time step, in microseconds; what comes after T of them is left out.

    Attributes:
        labels: int64 `[N]`.
        files: of each recording.

    Raises:
        InputError: for a number of steps or a step below 1, if there are no recordings, or, when it is read, for a
            damaged file.

    Source:
        Serrano-Gotarredona & Linares-Barranco 2013; window, 25 ms and split as the authors of Skatchkovsky, Simeone &
        Jang 2021 have them.

    Example:
        >>> import tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> (root / "mnist_dvs").mkdir()
        >>> address, time = 50 << 8 | 49 << 1 | 1, 7  # row 50, column 49, ON, at 7 microseconds
        >>> event = address.to_bytes(4, "big") + time.to_bytes(4, "big")
        >>> _ = (root / "mnist_dvs" / "mnist_3_scale04_0001.aedat").write_bytes(b"#!AER-DAT2.0\r\n" + event)
        >>> spikes, label = MNISTDVS(root, num_steps=2)[0]
        >>> spikes.shape, spikes.nonzero().tolist(), label
        (torch.Size([2, 2, 26, 26]), [[0, 1, 2, 1]], 3)
    """

    def __init__(
        self, root: str | Path | None = None, train: bool = True, num_steps: int = 80, step: int = 25_000
    ) -> None:
        check_steps(num_steps, step)
        folder = data_root(root) / "mnist_dvs"
        found: dict[int, list[tuple[int, Path]]] = {}
        for path in folder.rglob("*.aedat"):
            if match := NAME.fullmatch(path.name):
                found.setdefault(int(match["digit"]), []).append((int(match["number"]), path))
        if not found:
            raise InputError(
                f"Expected recordings of MNIST-DVS such as grabbed_data0/scale4/mnist_0_scale04_0001.aedat in "
                f"{folder}, found none: unpack grabbed_data0.zip to grabbed_data9.zip of {HOME} there"
            )
        self.num_steps, self.step = num_steps, step
        self._kept: dict[int, PackedSpikes] = {}
        self.files: list[Path] = []
        labels = []
        for digit, recordings in sorted(found.items()):
            ordered = [path for _, path in sorted(recordings)]
            cut = max(1, len(ordered) * 9 // 10)
            part = ordered[:cut] if train else ordered[cut:]
            self.files += part
            labels += [digit] * len(part)
        self.labels = torch.tensor(labels, dtype=torch.long)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Spikes, float32 `[T, 2, 26, 26]`, and the digit."""
        packed = self._kept.get(index)
        if packed is None:
            spikes = event_spikes(*read_events(self.files[index]), self.num_steps, self.step)
            packed = pack(spikes.flatten(1).unsqueeze(1))
            if (1 + len(self._kept)) * packed.data.numel() <= MAX_KEPT:
                self._kept[index] = packed
        return unpack(packed).view(-1, 2, SIDE, SIDE), int(self.labels[index])


def read_events(path: str | Path) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    r"""Row, column, polarity and time (microseconds from the first) of a DVS128's events, int64 `[n]` each.

    AEDAT 2.0: lines that begin with `#`, the first of which names the format, then address and microseconds of each
    event, two big-endian uint32. An event that the end of the file cuts short is left out.

    Raises:
        InputError: if the file is no such recording, or larger than `MAX_BYTES`.

    Source:
        jAER, AEDAT 2.0; the DVS128's address has the row in bits 8 to 14, the column in 1 to 7, the polarity in bit 0.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "one.aedat")
        >>> address, time = 50 << 8 | 49 << 1 | 1, 7  # row 50, column 49, ON, at 7 microseconds
        >>> event = address.to_bytes(4, "big") + time.to_bytes(4, "big")
        >>> _ = path.write_bytes(b"#!AER-DAT2.0\r\n" + event)
        >>> read_events(path)
        (tensor([50]), tensor([49]), tensor([1]), tensor([0]))
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"Expected a recording of a DVS128 in AEDAT 2.0, got {path} ({error.strerror})") from error
    first_line = re.match(rb"#!AER-DAT2\.[0-9]+\r?\n", content)
    if first_line is None or len(content) > MAX_BYTES:
        found = f"more than {MAX_BYTES} bytes in {path}" if first_line else str(path)
        raise InputError(f"Expected a recording of a DVS128 in AEDAT 2.0, got {found}")
    # The first end of a line without a further line of the header after it; a repeated group would keep each in memory.
    header = re.compile(rb"\n(?!#[^\n]*\n)").search(content, first_line.end() - 1)
    assert header is not None  # the last end of a line has none after it
    start = header.end()
    events = np.frombuffer(content, EVENT, (len(content) - start) // EVENT.itemsize, start)
    address, time = (torch.from_numpy(events[name].astype(np.int64)) for name in ("address", "time"))
    row, column, polarity = address >> 8 & 127, address >> 1 & 127, address & 1
    return row, column, polarity, time - time[:1]


def event_spikes(
    row: Tensor, column: Tensor, polarity: Tensor, time: Tensor, num_steps: int = 80, step: int = 25_000
) -> Tensor:
    """Spike trains of the pixels around the digit: 1 where there is an event, or several, within a time step.

    Args:
        row: of each event, from 0 to 127.
        column: likewise.
        polarity: 0 or 1.
        time: in microseconds; an event before 0 is left out.
        num_steps: T.
        step: in microseconds.

    Returns:
        float32 `[T, 2, 26, 26]`.

    Example:
        >>> event_spikes(*torch.tensor([[50], [49], [1], [7]]), num_steps=2, step=5).nonzero()
        tensor([[1, 1, 2, 1]])
    """
    row, column, place = row - FIRST, column - FIRST, time // step
    inside = (row >= 0) & (row < SIDE) & (column >= 0) & (column < SIDE) & (place >= 0) & (place < num_steps)
    spikes = torch.zeros(num_steps, 2, SIDE, SIDE)
    spikes[place[inside], polarity[inside], row[inside], column[inside]] = 1
    return spikes
