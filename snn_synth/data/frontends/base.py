"""What every audio front end does: a waveform in, a picture of fixed size in [0, 1] out."""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from snn_synth.construction import annotations_of, check, subclasses
from snn_synth.data.audio import resample, trim_silence
from snn_synth.errors import InputError, brief

Fit = Literal["stretch", "pad"]
MOST = 10**6
"""Samples a second, and frames: settings may come from a file."""
PER_SECOND = 2**24
"""Values that an analysis may make of a second of sound."""


class FrontEnd(ABC):
    """Turns a waveform of any rate and length into channels x frames.

    The word is resampled, cut free of silence, scaled to a peak of 1, analysed, and fitted to `frames`:
    `stretch` resamples the picture linearly in time, `pad` keeps the frame rate and fills with zeros or cuts.

    A subclass stores each argument of its `__init__`, a plain scalar, under its name, and defines `analyse`.

    Args:
        sample_rate: rate that the analysis works at, in Hz.
        frames: frames of the picture.
        fit: how a word of any length comes to `frames`.
        trim_db: what lies further below the loudest 10 ms than this, before and after the word, is cut off.
    """

    FORMAT: ClassVar[int] = 1  # raised when the code of a front end gives other values for the same settings

    def __init__(self, sample_rate: int, frames: int, fit: Fit, trim_db: float) -> None:
        if not (1 <= sample_rate <= MOST and 1 <= frames <= MOST):
            raise InputError(f"Expected a sample rate and frames from 1 to {MOST:,}, got {sample_rate} and {frames}")
        if fit not in ("stretch", "pad"):
            raise InputError(f"Expected fit to be stretch or pad, got {fit}")
        if not trim_db > 0:
            raise InputError(f"Expected a positive trim_db, got {trim_db}")
        self.sample_rate = sample_rate
        self.frames = frames
        self.fit: Fit = fit
        self.trim_db = trim_db

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """Channels and frames of the picture."""

    @abstractmethod
    def analyse(self, waveform: Tensor) -> Tensor:
        """Analyse a waveform at `sample_rate` with a peak of 1: `[samples]` to `[C, any]` in [0, 1]."""

    def __call__(self, waveform: Tensor, sample_rate: int) -> Tensor:
        """Picture of one utterance.

        Args:
            waveform: float `[samples]`.
            sample_rate: its rate in Hz.

        Returns:
            float32 `[C, F]` in [0, 1], low frequencies first; the loudest point is 1.

        Raises:
            InputError: the waveform is not one-dimensional, is empty or silent, or holds NaN or infinity.
        """
        if waveform.ndim != 1 or not len(waveform):
            raise InputError(f"Expected a waveform of shape [samples], got {list(waveform.shape)}")
        if not waveform.isfinite().all():
            raise InputError("Expected a waveform of finite samples, got NaN or infinity")
        if not waveform.any():
            raise InputError("Expected a waveform with sound in it, got silence")
        word = resample(waveform.float(), sample_rate, self.sample_rate)
        word = trim_silence(word, self.sample_rate, self.trim_db)
        picture = self.analyse(word / word.abs().max())
        return self._fitted(picture).clamp(0, 1).float().contiguous()

    def _fitted(self, picture: Tensor) -> Tensor:
        if self.fit == "stretch":
            return torch.nn.functional.interpolate(picture[None], self.frames, mode="linear", align_corners=True)[0]
        missing = self.frames - picture.shape[1]
        return torch.nn.functional.pad(picture, (0, missing))  # a negative number cuts

    def config(self) -> dict[str, Any]:
        """Class and settings, as LightningCLI writes them; `build_front_end` reads them back."""
        names = inspect.signature(type(self)).parameters
        return {
            "class_path": _class_path(type(self)),
            "init_args": {name: getattr(self, name) for name in names},
        }

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.config()["init_args"].items())
        return f"{type(self).__name__}({settings})"


def build_front_end(config: Mapping[str, Any]) -> FrontEnd:
    """Make a front end from its `config()`.

    Only imported subclasses of `FrontEnd` are found: a config from a file never imports a module.

    Args:
        config: `{"class_path": ..., "init_args": {...}}`; the class path may be the bare class name.

    Raises:
        InputError: the class is unknown, or a setting is.

    Example:
        >>> from snn_synth.data import MelSpectrogram
        >>> build_front_end(MelSpectrogram(frames=50).config()).shape
        (39, 50)
    """
    kinds = subclasses(FrontEnd)
    parts = (config.get("class_path"), config.get("init_args", {})) if isinstance(config, Mapping) else (None, {})
    path, settings = str(parts[0])[:200], parts[1]
    found = [k for k in kinds if path in (k.__name__, _class_path(k), f"{k.__module__}.{k.__qualname__}")]
    if not found:
        known = ", ".join(sorted(map(_class_path, kinds)))
        raise InputError(f"Expected a front end among {known}, got {path}")
    try:
        hints = annotations_of(found[0])
        for name, value in settings.items():
            check(name, value, hints.get(name, Any))
        front_end: FrontEnd = found[0](**settings)
        if math.prod(front_end.shape) > PER_SECOND:
            raise InputError(f"Expected a picture of at most {PER_SECOND:,} values, got {list(front_end.shape)}")
    except InputError:
        raise
    except Exception as error:  # whatever a constructor makes of values that it was not written for
        raise InputError(f"Expected settings of {path}, got: {brief(error)}") from error
    return front_end


def _class_path(kind: type[Any]) -> str:
    """Where a class is imported from; ours by their public place, which outlives a move between files."""
    ours = kind.__module__.startswith("snn_synth.data.")
    return f"{'snn_synth.data' if ours else kind.__module__}.{kind.__qualname__}"
