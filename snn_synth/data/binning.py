"""Events as spike trains of T steps: the one rule by which they are binned, and a data set of trains kept on disk."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from snn_synth.codec import PackedSpikes, unpack
from snn_synth.data import decoded
from snn_synth.data.root import cache_dir, not_a_folder
from snn_synth.errors import InputError

FORMAT = 1  # raised when the same events come to other spikes
MAX_BYTES = 1 << 33  # of the spikes of one data set, a bit each; those of SSC at 100 steps of 700 channels take 0.7 GB
MAX_CACHE = 1 << 34  # of all of them on disk: the oldest go
LATEST = 2**53  # microseconds: what a float64 holds exactly


def bin_events(
    time: NDArray[np.int64], channel: NDArray[np.int64], channels: int, num_steps: int, step: int
) -> NDArray[np.bool_]:
    r"""Spike trains of one recording's events.

    .. math:: s[t, c] = 1 \quad \text{if an event of channel } c \text{ has } \lfloor \tau / \Delta \rfloor = t

    An event that falls on the border of two steps belongs to the later one. Several events of a channel within a step
    are one spike. Events before 0, or at the end of the last step or after it, are left out.

    Args:
        time: :math:`\tau` of each event, in microseconds.
        channel: of each event, from 0 to ``channels - 1``.
        channels: N.
        num_steps: T.
        step: :math:`\Delta`, in microseconds.

    Returns:
        bool ``[T, N]``.

    Example:
        >>> time, channel = np.array([0, 3, 10, 19, 20]), np.array([1, 1, 0, 1, 0])
        >>> bin_events(time, channel, channels=2, num_steps=2, step=10).astype(int)
        array([[0, 1],
               [1, 1]])
    """
    place = time // step
    inside = (place >= 0) & (place < num_steps)
    spikes = np.zeros((num_steps, channels), dtype=bool)
    spikes[place[inside], channel[inside]] = True
    return spikes


def pooled(unit: NDArray[np.int64], units: int, channels: int) -> NDArray[np.int64]:
    """The channel of each event, where neighbouring units share one: unit u is of channel floor(u N / units).

    Example:
        >>> pooled(np.array([0, 9, 10, 699]), units=700, channels=70)
        array([ 0,  0,  1, 69])
    """
    return unit * channels // units


def check_steps(num_steps: int, step: int) -> None:
    """Raise InputError unless there is a step, and each lasts a microsecond or more."""
    if min(num_steps, step) < 1 or num_steps * step > LATEST:
        raise InputError(
            f"Expected time steps, and microseconds of each, of at least 1 (2^53 in all), got {num_steps} and {step}"
        )


class EventRecordings(Dataset[tuple[Tensor, int]]):
    """Recordings of events, binned once: the spikes lie on disk at a bit each, and are mapped into memory from there.

    They are made again where a file's size or time, or a setting, is another. Where the disk has no space they stay in
    memory; where all kept ones take more than 16 GB, the oldest are removed.

    Attributes:
        labels: int64 ``[N]``.
        num_steps: T.
        channels: values of a time step.
        packed: the spikes.

    Example:
        >>> from snn_synth.codec import pack
        >>> class Diagonal(EventRecordings):
        ...     def __init__(self, size: int) -> None:
        ...         self.labels, self.num_steps, self.channels = torch.tensor([4]), size, size
        ...         self.packed = pack(torch.eye(size)[:, None])
        >>> Diagonal(2)[0]
        (tensor([[1., 0.],
                 [0., 1.]]), 4)
    """

    labels: Tensor
    num_steps: int
    channels: int
    packed: PackedSpikes

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Spikes, float32 ``[T, channels]``, and the label."""
        index = range(len(self))[index]
        return self.spikes(torch.tensor([index]))[:, 0], int(self.labels[index])

    def spikes(self, places: Tensor) -> Tensor:
        """Spikes of the recordings at some places, float32 ``[T, B, channels]``: time first."""
        return unpack(self.packed._replace(data=self.packed.data[places]))


def binned(
    files: Sequence[Path],
    settings: dict[str, Any],
    recordings: Iterable[NDArray[np.bool_]],
    shape: tuple[int, int, int],
    name: str,
) -> PackedSpikes:
    """Spikes of recordings, from the disk if they have been binned before.

    Args:
        files: which the recordings are read from.
        settings: all else that the spikes depend on.
        recordings: bool ``[T, channels]`` each; nothing is asked for that is on disk.
        shape: number of recordings, T and channels.
        name: shown with the progress.

    Raises:
        InputError: for more than 8 GB of spikes, or what reading the recordings raises.
    """
    count, num_steps, channels = shape
    size = -(-num_steps * channels // 8)
    if count * size > MAX_BYTES:
        raise InputError(
            f"Expected at most {MAX_BYTES >> 30} GB of spikes at a bit each, got {count} recordings of {num_steps} "
            f"steps of {channels} channels: take fewer steps or channels"
        )
    state = decoded.state(files)
    key = json.dumps([FORMAT, str(files[0].absolute()), num_steps, channels, settings], sort_keys=True)
    place = not_a_folder(cache_dir() / "events" / f"{hashlib.sha256(key.encode()).hexdigest()}.safetensors")
    data = decoded.stored(place, state, count)
    if data is None or data.shape != (count, size):
        data = torch.empty(count, size, dtype=torch.uint8)
        progress = tqdm(recordings, desc=f"Binning {name}", total=count, unit="recording", disable=None)
        for row, spikes in zip(data, progress, strict=True):
            row.copy_(torch.from_numpy(np.packbits(spikes)))
        decoded.store(place, state, data)
        _make_space(place)
    return PackedSpikes(data, num_steps, channels)


def _make_space(newest: Path) -> None:
    """Remove the oldest kept spikes until the rest is within bounds."""
    with contextlib.suppress(OSError):
        kept = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in newest.parent.glob("*.safetensors"))
        total = sum(size for _, size, _ in kept)
        for _, size, path in kept:
            if total > MAX_CACHE and path != newest:
                path.unlink()
                total -= size
