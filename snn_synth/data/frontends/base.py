"""What every audio front end does: a waveform in, a picture of fixed size in [0, 1] out."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from snn_synth.construction import subclasses
from snn_synth.data.audio import resample, trim_silence
from snn_synth.errors import InputError

Fit = Literal["stretch", "pad"]
MAX_PIXELS = 1 << 24


class FrontEnd(ABC):
    """Turns a waveform of any rate and length into channels x frames.

    The word is resampled, trimmed of silence, scaled to a peak of 1, analysed, and fitted to `frames`:
    `stretch` resamples the picture linearly in time, `pad` keeps the frame rate and fills with zeros or cuts.

    A subclass stores each argument of its `__init__`, a plain scalar, under its name, and defines `analyse`.

    Args:
        sample_rate: rate that the analysis works at, in Hz.
        frames: frames of the picture.
        fit: how a word of any length comes to `frames`.
        trim_db: how far below its loudest 10 ms a word begins and ends, see `find_words`.

    Example:
        >>> class Loudness(FrontEnd):
        ...     def __init__(self, frames: int = 5) -> None:
        ...         super().__init__(sample_rate=8000, frames=frames, fit="stretch", trim_db=60)
        ...
        ...     @property
        ...     def shape(self):
        ...         return 1, self.frames
        ...
        ...     def analyse(self, waveform):
        ...         return waveform.abs()[None]
        >>> Loudness()(torch.linspace(0.1, 1, 8000), 8000)
        tensor([[0.1000, 0.3250, 0.5500, 0.7750, 1.0000]])
    """

    FORMAT: ClassVar[int] = 3  # raised when the code of a front end gives other values for the same settings

    def __init__(self, sample_rate: int, frames: int, fit: Fit, trim_db: float) -> None:
        check_whole(1, 384_000, sample_rate=sample_rate)
        check_whole(1, 100_000, frames=frames)
        check_number(1e-6, 1000, trim_db=trim_db)
        if fit not in ("stretch", "pad"):
            raise InputError(f"Expected `fit` to be stretch or pad, got {_shown(fit)}")
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
        if len(picture) * self.frames > MAX_PIXELS:
            raise InputError(
                f"Expected a picture of at most {MAX_PIXELS} points, got {len(picture)} channels x {self.frames} frames"
            )
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


def check_number(low: float, high: float, **settings: Any) -> None:
    """Raise InputError unless a value is a number in [low, high]: a config from a file may hold anything.

    Raises:
        InputError: it names the setting.

    Example:
        >>> check_number(0.001, 1000, hop_ms=float("nan"))
        Traceback (most recent call last):
        snn_synth.errors.InputError: Expected `hop_ms` to be a number from 0.001 to 1000, got nan
    """
    for name, value in settings.items():
        if isinstance(value, bool) or not isinstance(value, Real) or not low <= value <= high:  # type: ignore[operator]
            raise InputError(f"Expected `{name}` to be a number from {low:g} to {high:g}, got {_shown(value)}")


def check_whole(low: int, high: int, **settings: Any) -> None:
    """As `check_number`, of whole numbers.

    Raises:
        InputError: it names the setting.
    """
    for name, value in settings.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or not low <= value <= high:  # type: ignore[operator]
            raise InputError(f"Expected `{name}` to be a whole number from {low} to {high}, got {_shown(value)}")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


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
    settings = config.get("init_args", {}) if isinstance(config, Mapping) else None
    if not isinstance(settings, Mapping):
        raise InputError(f"Expected a front end's class_path and init_args, got {_shown(config)}")
    kinds = subclasses(FrontEnd)
    path = str(config.get("class_path"))
    found = [k for k in kinds if path in (k.__name__, _class_path(k), f"{k.__module__}.{k.__qualname__}")]
    if not found:
        known = ", ".join(sorted(map(_class_path, kinds)))
        raise InputError(f"Expected a front end among {known}, got {_shown(path)}")
    names = list(inspect.signature(found[0]).parameters)
    unknown = [name for name in settings if name not in names]
    if unknown:
        raise InputError(f"Expected settings of {path} among {', '.join(names)}, got {_shown(unknown[0])}")
    try:
        front_end: FrontEnd = found[0](**settings)
    except TypeError as error:
        raise InputError(f"Expected settings of {path}, got: {' '.join(str(error).split())}") from error
    return front_end


def _class_path(kind: type[Any]) -> str:
    """Where a class is imported from; ours by their public place, which outlives a move between files."""
    ours = kind.__module__.startswith("snn_synth.data.")
    return f"{'snn_synth.data' if ours else kind.__module__}.{kind.__qualname__}"
