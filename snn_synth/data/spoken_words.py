"""What every corpus of spoken words has in common."""

from __future__ import annotations

import hashlib
import os
import warnings
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from snn_synth.construction import Recorded
from snn_synth.data.audio import resample
from snn_synth.data.sound_files import read_audio
from snn_synth.errors import InputError, counted


class SpokenWords(Recorded, Dataset[tuple[Tensor, int]]):
    """Utterances of a few words: the base of every corpus.

    A corpus of your own is a subclass that sets these attributes and defines `__getitem__` and `fingerprint`.

    Attributes:
        names: the words; a label is a place in this tuple.
        labels: which word each utterance is of, int64 `[N]`.
        speakers: who says it; "" where nobody knows.
        takes: number of the utterance among those of its speaker and word.
        sample_rate: of every waveform, in Hz.

    Example:
        >>> class Beeps(SpokenWords):
        ...     def __init__(self) -> None:
        ...         self.names, self.labels, self.sample_rate = ("low", "high"), torch.tensor([0, 1]), 8000
        ...         self.speakers, self.takes = ["", ""], [0, 0]
        ...
        ...     def __getitem__(self, index):
        ...         return torch.sin(torch.arange(4000) * (1 + index) / 20), index
        ...
        ...     def fingerprint(self):
        ...         return "beeps 1"
        >>> corpus = Beeps()
        >>> len(corpus), corpus[1][0].shape, corpus.official_split()
        (2, torch.Size([4000]), None)
    """

    names: tuple[str, ...]
    labels: Tensor
    speakers: list[str]
    takes: list[int]
    sample_rate: int

    def __len__(self) -> int:
        return len(self.labels)

    @abstractmethod
    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """One waveform, float32 `[samples]`, and its label."""

    @abstractmethod
    def fingerprint(self) -> str:
        """A hash in hex that changes when an utterance or the order of utterances changes."""

    def official_split(self) -> tuple[Tensor, Tensor] | None:
        """The corpus's own split: indices of the training and of the test utterances; None if it has none."""
        return None


class Recordings(SpokenWords):
    """A corpus that is a list of sound files.

    Args:
        folder: the folder that the files lie in.
        files: one per utterance; a file of another rate than `sample_rate` is resampled when read.
        labels: the label of each.
        speakers: the speaker of each.
        takes: the take of each.
        test: whether each belongs to the test part of the corpus's own split; None if it has no split.
        sample_rate: in Hz.

    Attributes:
        official_test_mask: `test` as a tensor, bool `[N]`, or None.
    """

    def __init__(
        self,
        folder: Path,
        files: Sequence[Path],
        labels: Sequence[int],
        speakers: Sequence[str],
        takes: Sequence[int],
        test: Sequence[bool] | None,
        sample_rate: int,
    ) -> None:
        self.folder = folder
        self.files = list(files)
        self.labels = torch.tensor(labels, dtype=torch.long)
        self.speakers = list(speakers)
        self.takes = list(takes)
        self.official_test_mask = None if test is None else torch.tensor(test, dtype=torch.bool)
        self.sample_rate = sample_rate

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        waveform, rate = read_audio(self.files[index])
        return resample(waveform, rate, self.sample_rate), int(self.labels[index])

    def official_split(self) -> tuple[Tensor, Tensor] | None:
        """The corpus's own split, by the mask."""
        mask = self.official_test_mask
        if mask is None:
            return None
        return torch.nonzero(~mask).flatten(), torch.nonzero(mask).flatten()

    def fingerprint(self) -> str:
        """SHA-256 over the names and bytes of the files, in order."""
        return files_sha256((Path(os.path.relpath(file, self.folder)).as_posix(), file) for file in self.files)


def count_takes(keys: Sequence[tuple[str, int]]) -> list[int]:
    """Number the utterances of each (speaker, label) from 0, in order.

    Example:
        >>> count_takes([("ann", 3), ("ann", 4), ("ann", 3)])
        [0, 0, 1]
    """
    seen: Counter[tuple[str, int]] = Counter()
    takes = []
    for key in keys:
        takes.append(seen[key])
        seen[key] += 1
    return takes


def readable(files: Iterable[Path]) -> set[Path]:
    """Those of some sound files that can be read and are not silent; a warning counts the others."""
    kept: set[Path] = set()
    errors: list[InputError] = []
    for file in files:
        try:
            read_audio(file)
        except InputError as error:
            errors.append(error)
        else:
            kept.add(file)
    if errors:
        warnings.warn(f"Left out {counted(errors, 'file')}, the first: {errors[0]}", stacklevel=3)
    return kept


def files_sha256(files: Iterable[tuple[str, Path]]) -> str:
    """SHA-256 over (name, bytes) of files, in the order given.

    Raises:
        InputError: a file cannot be read.
    """
    total = hashlib.sha256()
    for name, path in files:
        total.update(name.encode())
        try:
            with path.open("rb") as file:
                while chunk := file.read(1 << 20):
                    total.update(chunk)
        except OSError as error:
            raise InputError(f"Expected a file that can be read, got {path} ({error.strerror})") from error
    return total.hexdigest()
