"""Spectrograms of a whole corpus, computed once and kept on disk."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from snn_synth.data.frontends import FrontEnd
from snn_synth.data.root import cache_dir, not_a_folder
from snn_synth.data.spoken_words import SpokenWords
from snn_synth.errors import InputError
from snn_synth.files import atomic_write


def spectrograms(
    dataset: SpokenWords, front_end: FrontEnd, cache: str | Path | None = None, progress: bool = True
) -> Tensor:
    """Every utterance of a corpus as a picture.

    The pictures lie in one memory-mapped `.npy` file, under a key of the corpus, of every setting of the
    front end and of its code's version; a file that is damaged or cannot be read is made again.

    Args:
        dataset: the utterances.
        front_end: turns each into a picture.
        cache: folder of the file; None means the cache.
        progress: show a progress bar while computing.

    Shape:
        Returns float32 `[N, C, F]` in [0, 1]; writing into it does not reach the file.

    Raises:
        InputError: the file cannot be written, or the front end gives pictures of another shape or outside [0, 1].

    Example:
        >>> import tempfile, soundfile
        >>> from snn_synth.data import AudioFolder, MelSpectrogram
        >>> root = Path(tempfile.mkdtemp())
        >>> for word in ("cat", "dog"):
        ...     (root / word).mkdir()
        ...     soundfile.write(root / word / "1.wav", np.sin(np.arange(4000) / 4), 8000)
        >>> spectrograms(AudioFolder(root), MelSpectrogram(), cache=root / "cache", progress=False).shape
        torch.Size([2, 39, 100])
    """
    path = not_a_folder(Path(cache or cache_dir() / "spectrograms") / f"{cache_key(dataset, front_end)}.npy")
    shape = (len(dataset), *front_end.shape)
    stored = _load(path, shape)
    if stored is None:
        _compute(dataset, front_end, path, progress)
        stored = _load(path, shape)
        if stored is None:
            raise InputError(
                f"Expected pictures of shape {list(front_end.shape)} in [0, 1] from {front_end}, got others"
            )
    return torch.from_numpy(stored)


def cache_key(dataset: SpokenWords, front_end: FrontEnd) -> str:
    """SHA-256 over the corpus's fingerprint, the front end's settings and its FORMAT."""
    key = [dataset.fingerprint(), dataset.sample_rate, front_end.config(), type(front_end).FORMAT]
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()


def _load(path: Path, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    """The stored pictures, or None where the file is missing, cut short, or holds anything else."""
    try:
        stored: NDArray[Any] = np.lib.format.open_memmap(path, mode="c")
    except Exception:  # whatever is wrong with it: NumPy's readers raise a dozen kinds
        return None
    if stored.shape != shape or stored.dtype != np.float32 or not (stored.min() >= 0 and stored.max() <= 1):
        return None
    return stored


def _compute(dataset: SpokenWords, front_end: FrontEnd, path: Path, progress: bool) -> None:
    """Write the pictures one by one, so that a large corpus needs no memory of its size."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(dataset), *front_end.shape)}
    name = f"{type(front_end).__name__} of {type(dataset).__name__}"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # on arrays this short a second thread only waits, long where the cores are busy
    try:
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for index in tqdm(range(len(dataset)), desc=name, unit="word", disable=not progress):
                waveform, _ = dataset[index]
                file.write(front_end(waveform, dataset.sample_rate).numpy().astype("<f4").tobytes())
    finally:
        torch.set_num_threads(threads)
