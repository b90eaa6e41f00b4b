"""Log mel spectrogram (torchaudio), the light front end."""

from __future__ import annotations

import torch
from torch import Tensor

from snn_synth.data._torchaudio import load_torchaudio
from snn_synth.data.frontends.base import Fit, FrontEnd, check_number, check_whole
from snn_synth.errors import InputError

MAX_WEIGHTS = 1 << 22  # of the mel filters: bounds memory
MAX_POINTS = 1 << 25  # of the spectrogram of a sound


class MelSpectrogram(FrontEnd):
    """Log mel spectrogram, scaled so that the loudest point is 1 and `dynamic_range_db` below it is 0.

    `S = clip(1 + (10 log10 P - max 10 log10 P) / dynamic_range_db, 0, 1)`, P the power in each mel band.

    Args:
        sample_rate: rate that the analysis works at, in Hz.
        channels: mel bands, from 0 Hz to half the sample rate.
        frames: frames of the picture.
        fit: `stretch` or `pad`, see `FrontEnd`.
        window_ms: length of the Hann window.
        hop_ms: distance of two frames before `fit`.
        dynamic_range_db: range that the picture shows.
        trim_db: silence around the word, see `FrontEnd`.

    Example:
        >>> front_end = MelSpectrogram()
        >>> front_end(torch.sin(torch.arange(4000) / 4), 8000).shape
        torch.Size([39, 100])
    """

    def __init__(
        self,
        sample_rate: int = 8000,
        channels: int = 39,
        frames: int = 100,
        fit: Fit = "stretch",
        window_ms: float = 25.0,
        hop_ms: float = 5.0,
        dynamic_range_db: float = 60.0,
        trim_db: float = 30.0,
    ) -> None:
        super().__init__(sample_rate, frames, fit, trim_db)
        check_whole(1, 10_000, channels=channels)
        check_number(1e-3, 10_000, window_ms=window_ms, hop_ms=hop_ms, dynamic_range_db=dynamic_range_db)
        self.channels = channels
        self.window_ms = window_ms
        self.hop_ms = hop_ms
        self.dynamic_range_db = dynamic_range_db
        window = max(1, round(sample_rate * window_ms / 1000))
        if window * channels > MAX_WEIGHTS:
            raise InputError(
                f"Expected a window whose samples times the channels are at most {MAX_WEIGHTS}, "
                f"got {window} and {channels}"
            )
        self._power = load_torchaudio().transforms.MelSpectrogram(
            sample_rate,
            n_fft=2 * window,  # zero-padded: narrow low bands must not fall between two frequencies
            win_length=window,
            hop_length=max(1, round(sample_rate * hop_ms / 1000)),
            n_mels=channels,
            pad_mode="constant",
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Channels and frames of the picture."""
        return self.channels, self.frames

    def analyse(self, waveform: Tensor) -> Tensor:
        """`[samples]` to `[C, any]` in [0, 1]."""
        points = (len(waveform) // self._power.hop_length + 1) * (self._power.n_fft // 2 + 1)
        if points > MAX_POINTS:
            raise InputError(
                f"Expected a spectrogram of at most {MAX_POINTS} points before `fit`, got {points}: "
                "a shorter sound, a shorter window_ms or a longer hop_ms has fewer"
            )
        decibel = 10 * torch.log10(self._power(waveform).clamp_min(1e-20))
        scaled: Tensor = 1 + (decibel - decibel.max()) / self.dynamic_range_db
        return scaled.clamp(0, 1)
