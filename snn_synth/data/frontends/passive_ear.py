"""Lyon's passive-ear model as pure functions on arrays, after Slaney's Auditory Toolbox."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from snn_synth.errors import InputError
from snn_synth.kernels.cpu.cache import compiled

Array = NDArray[np.float64]

BREAK_FREQUENCY = 1000.0  # Hz: bandwidth is constant well below it, a constant fraction of the frequency well above
ZERO_OFFSET, SHARPNESS = 1.5, 5.0  # place and sharpness of the zeros beside the poles
PREEMPHASIS_CORNER = 300.0  # Hz
AGC_SECONDS = np.array([0.64, 0.16, 0.04, 0.01])
AGC_TARGETS = np.array([0.0032, 0.0016, 0.0008, 0.0004])
AGC_LIMIT = 0.9
MAX_CHANNELS = 1000


def design_filters(sample_rate: float, ear_q: float, step_factor: float) -> tuple[Array, Array, Array]:
    """Design the cascade: a pre-emphasis, a compensating filter, then one notch per channel, high to low.

    Bandwidth `b(f) = sqrt(f^2 + 1000^2) / Q`; neighbours are `step_factor` bandwidths apart, which gives
    `f_n = (T e^(-n s/Q) - 1000^2 e^(n s/Q) / T) / 2`, `T = top + sqrt(top^2 + 1000^2)`, s the step factor.

    Args:
        sample_rate: in Hz.
        ear_q: Q of a filter.
        step_factor: distance of neighbours, in bandwidths.

    Raises:
        InputError: for settings that give fewer than 2 channels, or more than MAX_CHANNELS.

    Returns:
        Numerators `[2 + C, 3]`, denominators `[2 + C, 3]` and centre frequencies `[C]` in Hz, falling.

    Source: Slaney, Auditory Toolbox, 1998; Slaney, Lyon's Cochlear Model, Apple TR 13, 1988.

    Example:
        >>> len(design_filters(12500, ear_q=8, step_factor=0.5)[2])
        39
    """

    def bandwidth(frequency: Any) -> Any:
        return np.sqrt(frequency**2 + BREAK_FREQUENCY**2) / ear_q

    nyquist = sample_rate / 2
    top = nyquist - bandwidth(nyquist) * step_factor * (ZERO_OFFSET - 1)
    lowest = BREAK_FREQUENCY / np.sqrt(4 * ear_q**2 - 1)  # below it the poles' Q falls under 1/2
    span = np.log(top + bandwidth(top) * ear_q) - np.log(lowest + bandwidth(lowest) * ear_q)
    count = int(ear_q * span / step_factor) if top > lowest else 0
    if not 2 <= count <= MAX_CHANNELS:
        raise InputError(
            f"Expected a sample rate, ear_q and step_factor that give at least 2 channels and at most {MAX_CHANNELS}, "
            f"got {sample_rate:g}, {ear_q:g} and {step_factor:g}"
        )
    step = np.exp(np.arange(1, count + 1) * step_factor / ear_q)
    start = top + bandwidth(top) * ear_q
    centres = (start / step - BREAK_FREQUENCY**2 * step / start) / 2

    zero_frequency = centres + bandwidth(centres) * step_factor * ZERO_OFFSET
    zeros = _resonance(zero_frequency, SHARPNESS * zero_frequency / bandwidth(centres), sample_rate)
    pole_q = centres / bandwidth(centres)
    poles = _resonance(centres, pole_q, sample_rate)
    falls = centres[:-1] / centres[1:]
    zeros = _with_gain(zeros, poles, np.concatenate([falls[:1], falls]), 0, sample_rate)

    preemphasis = np.array([[0, 1, -np.exp(-2 * np.pi * PREEMPHASIS_CORNER / sample_rate)]])
    compensator = np.array([[1.0, 0, -1]])
    front_poles = np.concatenate([[[1.0, 0, 0]], _resonance(np.array([top]), pole_q[:1], sample_rate)])
    front = _with_gain(np.concatenate([preemphasis, compensator]), front_poles, 1.0, sample_rate / 4, sample_rate)
    return np.concatenate([front, zeros]), np.concatenate([front_poles, poles]), centres


def _resonance(frequency: Array, q: Array, sample_rate: float) -> Array:
    """Coefficients `[1, -2 r cos w, r^2]` of a pair of poles or zeros at a frequency, with a quality."""
    radius = np.exp(-np.pi * frequency / (sample_rate * q))
    angle = 2 * np.pi * frequency / sample_rate * np.sqrt(1 - 1 / (4 * q**2))
    return np.stack([np.ones_like(radius), -2 * radius * np.cos(angle), radius**2], axis=-1)


def _with_gain(
    numerator: Array, denominator: Array, gain: Array | float, frequency: float, sample_rate: float
) -> Array:
    """Scale numerators so that each filter has the gain wanted at a frequency."""
    powers = np.exp(-2j * np.pi * frequency / sample_rate * np.arange(3))
    response = np.abs(numerator @ powers) / np.abs(denominator @ powers)
    scaled: Array = numerator * (gain / response)[:, None]
    return scaled


def cascade(waveform: Array, numerators: Array, denominators: Array) -> Array:
    """Send a sound down the cascade and tap it after each filter: `[samples]` to `[filters, samples]`."""
    taps = np.empty((len(numerators), len(waveform)))
    sound = waveform
    for stage, (numerator, denominator) in enumerate(zip(numerators, denominators, strict=True)):
        sound = lfilter(numerator, denominator, sound)
        taps[stage] = sound
    return taps


@functools.partial(compiled, nogil=True)
def automatic_gain(sounds: Array, targets: Array, epsilons: Array) -> Array:
    """Four gain controls in series, each coupled to its neighbours.

    Per stage with target `g` and `e = 1 - exp(-1 / (tau rate))`, channel c (edges doubled) at each sample:
    `y_c = x_c (1 - s_c)`, then `s_c = min(0.9, e y_c / g + (1 - e)/3 (s_(c-1) + s_c + s_(c+1)))`.

    Args:
        sounds: rectified, `[samples, channels]`.
        targets: `[stages]`.
        epsilons: `[stages]`.

    Returns:
        `[samples, channels]`.
    """
    samples, channels = sounds.shape
    output = sounds.copy()
    state = np.zeros((len(targets), channels))
    for t in range(samples):
        for stage in range(len(targets)):
            inflow = epsilons[stage] / targets[stage]
            keep = (1 - epsilons[stage]) / 3
            left = state[stage, 0]
            for c in range(channels):
                here = state[stage, c]
                right = state[stage, c + 1] if c + 1 < channels else here
                output[t, c] *= 1 - here
                state[stage, c] = min(AGC_LIMIT, output[t, c] * inflow + keep * (left + here + right))
                left = here
    return output


def passive_ear(
    waveform: Array, sample_rate: float, ear_q: float, step_factor: float, decimation: int, tau_factor: float
) -> Array:
    """Firing probability along the cochlea: cascade, rectify, gain control, difference, smooth, decimate.

    The toolbox's "test hack" (it zeroes the front filters' first sample of each block) is left out.

    Args:
        waveform: `[samples]`.
        sample_rate: in Hz.
        ear_q: Q of a filter.
        step_factor: distance of neighbours, in bandwidths.
        decimation: keep one of so many samples, after two poles with a time constant of
            `decimation * tau_factor` samples.
        tau_factor: see `decimation`.

    Returns:
        `[C, samples // decimation]`, high frequencies first.

    Source: Slaney, Auditory Toolbox, 1998, LyonPassiveEar.
    """
    numerators, denominators, _ = design_filters(sample_rate, ear_q, step_factor)
    rectified = np.maximum(cascade(waveform, numerators, denominators), 0)
    epsilons = -np.expm1(-1 / (AGC_SECONDS * sample_rate))
    controlled = automatic_gain(np.ascontiguousarray(rectified.T), AGC_TARGETS, epsilons).T
    channels = np.maximum(controlled[1:-1] - controlled[2:], 0)
    if decimation > 1:
        pole = np.exp(-1 / (decimation * tau_factor))
        channels = lfilter([0, 0, (1 - pole) ** 2], [1, -2 * pole, pole**2], channels, axis=1)
    decimated: Array = channels[:, decimation - 1 :: decimation]
    return decimated
