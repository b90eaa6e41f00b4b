"""SHD and SSC: spoken words as the spikes of a model of the cochlea's 700 neurons."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor

from snn_synth.data.binning import EventRecordings, bin_events, binned, check_steps, pooled
from snn_synth.data.root import data_root
from snn_synth.data.spike_file import UNITS, SpikeFile
from snn_synth.data.spoken_digits import DIGIT_WORDS, DIGITS
from snn_synth.errors import InputError

Language = Literal["english", "german", "both"]
Part = Literal["train", "valid", "test"]
HOME = "https://zenkelab.org/datasets"
WORDS = {
    "english": DIGIT_WORDS,
    "german": ("null", "eins", "zwei", "drei", "vier", "fuenf", "sechs", "sieben", "acht", "neun"),
}


class SpikingWords(EventRecordings):
    """Words of one HDF5 file of SHD or SSC; the base of both.

    Args:
        path: of the file.
        num_steps: T.
        step: of a time step, in microseconds; see :func:`~snn_synth.data.binning.bin_events`.
        channels: 700, one of each unit, or a divisor of it: neighbouring units share one.

    Attributes:
        names: what is said, by label.
        speakers: of each word.
    """

    names: tuple[str, ...]

    def __init__(self, path: Path, num_steps: int, step: int, channels: int) -> None:
        check_steps(num_steps, step)
        if channels < 1 or UNITS % channels:
            raise InputError(f"Expected `channels` to be {UNITS} or a divisor of it, got {channels}")
        if not path.is_file():
            raise InputError(
                f"Expected {path.name} in {path.parent}, where it is not: unpack {HOME}/{path.name}.gz there, or set "
                f"SNN_SYNTH_DATA to a folder that has {path.parent.name}/{path.name}"
            )
        self.file, self.num_steps, self.step, self.channels = SpikeFile(path), num_steps, step, channels
        self.names, self.labels = self.file.keys, torch.from_numpy(self.file.labels)
        self.speakers = [str(speaker) for speaker in self.file.speakers]
        spikes = (
            bin_events(time, pooled(unit, UNITS, channels), channels, num_steps, step)
            for time, unit in self.file.words()
        )
        shape = len(self.labels), num_steps, channels
        self.packed = binned([path], {"step": step}, spikes, shape, path.name)

    def _keep(self, chosen: list[int], digits: Tensor) -> None:
        """Keep the digits that these places say, and no other words."""
        self.names, self.labels, self.speakers = DIGITS, digits, [self.speakers[place] for place in chosen]
        if len(chosen) < len(self.packed.data):
            self.packed = self.packed._replace(data=self.packed.data[chosen])


class SHD(SpikingWords):
    """Spiking Heidelberg Digits: digits in English and German, of 12 speakers, two of which are in the test set alone.

    File: ``<root>/shd/shd_train.h5`` or ``shd_test.h5`` (or in ``SHD/``, where tonic puts them). Language and digit are
    told from the words in ``extra/keys``.

    Args:
        root: data folder; None means `$SNN_SYNTH_DATA`, else the cache.
        train: the training file, or the test file.
        language: ``english``, ``german`` or ``both``.
        num_steps: T.
        step: of a time step, in microseconds.
        channels: 700, or a divisor of it.

    Attributes:
        labels: digits, int64 ``[N]``.
        languages: of each word.

    Raises:
        InputError: for an unknown language, steps or channels that cannot be, if the file is missing or is not what it
            should be, or has no word of the language.

    Source:
        Cramer, Stradmann, Schemmel & Zenke 2020, The Heidelberg spiking data sets; CC BY 4.0.

    Example:
        >>> import os, tempfile, unittest.mock, h5py, numpy
        >>> root = Path(tempfile.mkdtemp())
        >>> (root / "shd").mkdir()
        >>> with h5py.File(root / "shd" / "shd_test.h5", "w") as file:  # two words, of one event each
        ...     for name, events in (("times", numpy.float16([[0.03], [0]])), ("units", numpy.uint16([[699], [5]]))):
        ...         item = file.create_dataset(f"spikes/{name}", 2, h5py.vlen_dtype(events.dtype))
        ...         item[0], item[1] = events
        ...     file["labels"], file["extra/speaker"], file["extra/keys"] = [1, 0], [4, 5], [b"zero", b"eins"]
        >>> with unittest.mock.patch.dict(os.environ, SNN_SYNTH_CACHE=str(root)):  # where the binned spikes are kept
        ...     words = SHD(root, train=False, num_steps=2)
        >>> words.labels.tolist(), words.languages, words.speakers, words[0][0].nonzero().tolist()
        ([1, 0], ['german', 'english'], ['4', '5'], [[1, 699]])
    """

    def __init__(
        self,
        root: str | Path | None = None,
        train: bool = True,
        language: Language = "both",
        num_steps: int = 50,
        step: int = 25_000,
        channels: int = UNITS,
    ) -> None:
        if language not in get_args(Language):
            raise InputError(f"Expected `language` of {list(get_args(Language))}, got {language!r}")
        path = folder_of(root, "shd") / f"shd_{'train' if train else 'test'}.h5"
        super().__init__(path, num_steps, step, channels)
        said = _digits(self.names, path)
        chosen = [place for place, key in enumerate(self.labels.tolist()) if language in ("both", said[key][0])]
        if not chosen:
            raise InputError(f"Expected words in {language}, got none in {path}")
        spoken = [said[int(self.labels[place])] for place in chosen]
        self.languages = [tongue for tongue, _ in spoken]
        self._keep(chosen, torch.tensor([digit for _, digit in spoken]))


class SSC(SpikingWords):
    """Spiking Speech Commands: 35 words by many speakers, as SHD has its digits.

    File: ``<root>/ssc/ssc_train.h5``, ``ssc_valid.h5`` or ``ssc_test.h5`` (or in ``SSC/``, where tonic puts them).

    Args:
        root: data folder; None means `$SNN_SYNTH_DATA`, else the cache.
        part: ``train``, ``valid`` or ``test``.
        digits: the words zero to nine alone, labelled 0 to 9.
        num_steps: T.
        step: of a time step, in microseconds.
        channels: 700, or a divisor of it.

    Raises:
        InputError: for an unknown part, steps or channels that cannot be, or if the file is missing or is not what it
            should be.

    Source:
        Cramer, Stradmann, Schemmel & Zenke 2020, The Heidelberg spiking data sets; CC BY 4.0.

    Example:
        >>> import os, tempfile, unittest.mock, h5py, numpy
        >>> root = Path(tempfile.mkdtemp())
        >>> (root / "ssc").mkdir()
        >>> with h5py.File(root / "ssc" / "ssc_valid.h5", "w") as file:  # two words, of one event each
        ...     for name, events in (("times", numpy.float16([[0.03], [0]])), ("units", numpy.uint16([[699], [5]]))):
        ...         item = file.create_dataset(f"spikes/{name}", 2, h5py.vlen_dtype(events.dtype))
        ...         item[0], item[1] = events
        ...     file["labels"], file["extra/speaker"], file["extra/keys"] = [0, 1], [4, 5], [b"yes", b"three"]
        >>> with unittest.mock.patch.dict(os.environ, SNN_SYNTH_CACHE=str(root)):  # where the binned spikes are kept
        ...     digits = SSC(root, "valid", digits=True, num_steps=2)
        >>> len(digits), digits.labels.tolist(), digits[0][0].nonzero().tolist()
        (1, [3], [[0, 5]])
    """

    def __init__(
        self,
        root: str | Path | None = None,
        part: Part = "train",
        digits: bool = False,
        num_steps: int = 50,
        step: int = 25_000,
        channels: int = UNITS,
    ) -> None:
        if part not in get_args(Part):
            raise InputError(f"Expected `part` of {list(get_args(Part))}, got {part!r}")
        path = folder_of(root, "ssc") / f"ssc_{part}.h5"
        super().__init__(path, num_steps, step, channels)
        if digits:
            digit_of = {word: digit for digit, word in enumerate(DIGIT_WORDS)}
            labels = torch.tensor([digit_of.get(name, -1) for name in self.names])[self.labels]
            if not (chosen := (labels >= 0).nonzero().flatten()).numel():
                raise InputError(f"Expected some of the words zero to nine in extra/keys, got {self.names} in {path}")
            self._keep(chosen.tolist(), labels[chosen])


def folder_of(root: str | Path | None, name: str) -> Path:
    """The data set's folder, or where there is none, the one that tonic makes, with a name in capitals."""
    folder, tonics = data_root(root) / name, data_root(root) / name.upper()
    return tonics if tonics.is_dir() and not folder.is_dir() else folder


def _digits(keys: tuple[str, ...], path: Path) -> list[tuple[str, int]]:
    """Language and digit of each label."""
    known = {word: (language, digit) for language, words in WORDS.items() for digit, word in enumerate(words)}
    found = [known.get(key.lower().replace("ü", "ue")) for key in keys]
    if all(found):
        return [said for said in found if said]
    if len(keys) != len(known):
        raise InputError(f"Expected the digits in English and German as extra/keys, got {keys[:20]} in {path}")
    warnings.warn(
        f"The words in extra/keys of {path} are not known: labels 0 to 9 are taken as English, others as German",
        stacklevel=3,
    )
    return list(known.values())
