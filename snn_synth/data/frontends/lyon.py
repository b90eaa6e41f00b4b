"""Lyon's passive-ear cochleagram, the front end of the paper."""

from __future__ import annotations

import torch
from torch import Tensor

from snn_synth.data.frontends.base import MOST, PER_SECOND, Fit, FrontEnd
from snn_synth.errors import InputError


class LyonCochleagram(FrontEnd):
    """Lyon's passive-ear model; the settings give the paper's 39 channels x 1500 frames.

    Args:
        sample_rate: rate that the model works at, in Hz (TI-46's own).
        frames: frames of the picture.
        fit: `stretch` or `pad`, see `FrontEnd`.
        decimation: samples per frame before `fit`.
        ear_q: Q of a filter.
        step_factor: distance of neighbours, in bandwidths.
        tau_factor: time constant of the smoothing before decimation, in frames.
        level: peak of the sound that enters the ear; a loud sound drives the gain control harder.
        trim_db: silence around the word, see `FrontEnd`.

    Source: Lyon, 1982; Slaney, Auditory Toolbox, 1998.

    Example:
        >>> LyonCochleagram().shape
        (39, 1500)
    """

    def __init__(
        self,
        sample_rate: int = 12500,
        frames: int = 1500,
        fit: Fit = "stretch",
        decimation: int = 8,
        ear_q: float = 8.0,
        step_factor: float = 0.5,
        tau_factor: float = 3.0,
        level: float = 0.1,
        trim_db: float = 30.0,
    ) -> None:
        super().__init__(sample_rate, frames, fit, trim_db)
        if not (min(decimation, ear_q, step_factor, tau_factor, level) > 0 and decimation <= MOST):
            raise InputError(
                "Expected positive decimation, ear_q, step_factor, tau_factor and level, "
                f"got {decimation}, {ear_q}, {step_factor}, {tau_factor} and {level}"
            )
        from snn_synth.data.frontends.passive_ear import design_filters  # here: SciPy's signals take a second

        self.decimation = decimation
        self.ear_q = ear_q
        self.step_factor = step_factor
        self.tau_factor = tau_factor
        self.level = level
        self._channels = len(design_filters(sample_rate, ear_q, step_factor, most=PER_SECOND // sample_rate)[2])

    @property
    def shape(self) -> tuple[int, int]:
        """Channels and frames of the picture."""
        return self._channels, self.frames

    def analyse(self, waveform: Tensor) -> Tensor:
        """`[samples]` to `[C, any]` in [0, 1]."""
        missing = max(0, self.decimation - len(waveform))  # a click still needs a frame
        sound = torch.nn.functional.pad(waveform.double(), (0, missing)).numpy() * self.level
        from snn_synth.data.frontends.passive_ear import passive_ear

        ear = passive_ear(sound, self.sample_rate, self.ear_q, self.step_factor, self.decimation, self.tau_factor)
        rising = torch.from_numpy(ear[::-1].copy())  # low frequencies first, as in the mel spectrogram
        return rising / rising.max().clamp_min(1e-20)
