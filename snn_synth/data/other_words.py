"""A corpus of what other libraries' data sets hold."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snn_synth.data.audio import resample
from snn_synth.data.frontends.base import check_whole
from snn_synth.data.sound_files import SILENCE, read_audio
from snn_synth.data.spoken_words import SpokenWords, count_takes
from snn_synth.errors import InputError, brief


class WordsFrom(SpokenWords):
    """The utterances of a torch Dataset, or of one of Hugging Face `datasets`.

    The words are the data set's own (`features[label].names` of Hugging Face), else the labels themselves, sorted.

    Args:
        dataset: with `len` and items `(waveform, sample rate, label, ...)`, or mappings with columns of a sound and a
            label. A waveform is `[samples]` or `[channels, samples]`; a sound what Hugging Face decodes: a mapping with
            `array` and `sampling_rate`, or a decoder of torchcodec.
        audio: name of the sounds' column.
        label: name of the labels' column; labels are whole numbers or words.
        speaker: name of the speakers' column, or place in an item; nobody knows them if not given.
        names: the words, in the order of whole numbers as labels.
        sample_rate: to which all are resampled, in Hz.

    Raises:
        InputError: for other items, labels without a name, or fewer than two words.

    Example:
        >>> sounds = [(torch.sin(torch.arange(4000) / 4), 8000, "cat"), (torch.cos(torch.arange(900) / 2), 8000, "dog")]
        >>> corpus = WordsFrom(sounds)
        >>> corpus.names, corpus.labels.tolist(), len(corpus[0][0])
        (('cat', 'dog'), [0, 1], 8000)
    """

    def __init__(
        self,
        dataset: Any,
        audio: str = "audio",
        label: str = "label",
        speaker: str | int | None = None,
        names: tuple[str, ...] | list[str] | None = None,
        sample_rate: int = 16000,
    ) -> None:
        check_whole(1, 384_000, sample_rate=sample_rate)
        if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
            raise InputError(
                f"Expected a data set with a length and places, got a {type(dataset).__name__}: load it whole, not as "
                "a stream"
            )
        self.dataset, self.sample_rate = dataset, sample_rate
        self._columns = (audio, label, speaker)
        digest = hashlib.sha256()
        kinds: list[int | str] = []
        self.speakers = []
        for place in range(len(dataset)):
            waveform, rate, kind, who = self._item(place)
            kinds.append(kind)
            self.speakers.append(who)
            digest.update(f"{rate} {len(waveform)} ".encode() + waveform.numpy().tobytes())
        self._digest = digest.hexdigest()
        self.names, labels = _named(kinds, names or _own_names(dataset, label))
        self.labels = torch.tensor(labels)
        self.takes = count_takes(list(zip(self.speakers, labels, strict=True)))

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        index = range(len(self))[index]
        waveform, rate, _, _ = self._item(index)
        return resample(waveform, rate, self.sample_rate), int(self.labels[index])

    def fingerprint(self) -> str:
        """SHA-256 over all waveforms and their rates, in order."""
        return self._digest

    def _item(self, place: int) -> tuple[Tensor, int, int | str, str]:
        """Waveform, its rate, label and speaker."""
        audio, label, speaker = self._columns
        try:
            item = self.dataset[place]
        except (ImportError, OSError, RuntimeError) as error:  # what decodes its sounds is not there, or fails
            raise InputError(
                f"Expected a data set whose items can be read, got {brief(error)!r} from item {place}"
            ) from error
        try:
            if isinstance(item, Mapping):
                waveform, rate = _decoded(item[audio])
                kind = item[label]
            else:
                waveform, rate, kind = item[:3]
            who = "" if speaker is None else str(item[speaker])
            if isinstance(kind, Tensor | np.generic | np.ndarray):
                kind = kind.item()
            samples = torch.as_tensor(waveform).float()
            rate = int(rate)
        except InputError as error:
            raise InputError(f"{error}, in item {place}") from error
        except (KeyError, IndexError, TypeError, ValueError) as error:
            described = list(item) if isinstance(item, Mapping) else type(item).__name__
            raise InputError(
                "Expected items (waveform, sample rate, label), or mappings with columns "
                f"{', '.join(repr(name) for name in self._columns if name is not None)}, "
                f"got {described} as item {place}"
            ) from error
        if samples.dim() == 2:
            samples = samples.mean(0)
        if samples.dim() != 1 or not len(samples) or not samples.isfinite().all() or samples.abs().max() < SILENCE:
            raise InputError(
                f"Expected a waveform [samples] or [channels, samples] with finite sound in it, got "
                f"{list(torch.as_tensor(waveform).shape)} without as item {place}"
            )
        if not isinstance(kind, int | str) or isinstance(kind, bool):
            raise InputError(f"Expected whole numbers or words as labels, got {type(kind).__name__} as item {place}")
        return samples, rate, kind, who


def _decoded(sound: Any) -> tuple[Any, Any]:
    """Waveform and rate of what Hugging Face gives as a sound."""
    if hasattr(sound, "get_all_samples"):  # torchcodec's AudioDecoder
        samples = sound.get_all_samples()
        return samples.data, samples.sample_rate
    if isinstance(sound, Mapping) and "array" in sound:
        return sound["array"], sound["sampling_rate"]
    path = sound.get("path") if isinstance(sound, Mapping) else None
    if path is not None and Path(path).is_file():  # a column that is not to be decoded
        return read_audio(path)
    raise InputError(
        f"Expected a decoded sound (`array` and `sampling_rate`), got {type(sound).__name__}"
        + (" of its bytes: `dataset.cast_column(name, Audio())` decodes" if isinstance(sound, Mapping) else "")
    )


def _own_names(dataset: Any, label: str) -> list[str] | None:
    """What a data set calls its classes, if it does."""
    features = getattr(dataset, "features", None)
    feature = features.get(label) if isinstance(features, Mapping) else None
    names = getattr(feature, "names", None)
    return [str(name) for name in names] if isinstance(names, list | tuple) else None


def _named(kinds: list[int | str], names: tuple[str, ...] | list[str] | None) -> tuple[tuple[str, ...], list[int]]:
    """The words, and of each utterance the place of its word."""
    if len({type(kind) for kind in kinds}) > 1:
        raise InputError("Expected whole numbers or words as labels, got both")
    if len(set(kinds)) < 2:
        raise InputError(f"Expected at least two words, got {sorted(map(str, set(kinds)))} in {len(kinds)} utterances")
    if names is None:
        place_of = {kind: place for place, kind in enumerate(sorted(set(kinds)))}
        return tuple(map(str, place_of)), [place_of[kind] for kind in kinds]
    place_of = {name: place for place, name in enumerate(names)}
    places = [place_of.get(kind, kind) if isinstance(kind, str) else kind for kind in kinds]
    unknown = [place for place in places if isinstance(place, str) or not 0 <= place < len(names)]
    if unknown:
        raise InputError(f"Expected labels of the words {', '.join(names)}, got {unknown[0]!r}")
    return tuple(names), [place for place in places if isinstance(place, int)]
