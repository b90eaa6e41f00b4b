"""What recordings differ by, as functions of a waveform: how robust a network is, is measured with them."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from snn_synth.data._torchaudio import load_torchaudio
from snn_synth.data.audio import resample
from snn_synth.errors import InputError

Colour = Literal["white", "low-passed", "pink"]
LOW_PASS = 500.0  # Hz, where the power of low-passed noise has fallen to a half


def gain(waveform: Tensor, factor: float) -> Tensor:
    """Louder or quieter, clipped as a recorder does: `min(1, max(-1, factor x))`.

    Args:
        waveform: `[samples]`.
        factor: of the amplitude.

    Example:
        >>> gain(torch.tensor([0.1, -0.4]), 5)
        tensor([ 0.5000, -1.0000])
    """
    return (factor * waveform).clamp(-1, 1)


def noise(samples: int, sample_rate: int, colour: Colour = "white", seed: int = 0) -> Tensor:
    """Gaussian noise of mean power 1.

    Its spectrum is shaped by `|H(f)|^2`: 1 (white), `1 / (1 + (f / 500 Hz)^8)` (low-passed: Butterworth, fourth order)
    or `1 / f` (pink).

    Args:
        samples: how many.
        sample_rate: in Hz.
        colour: of the spectrum.
        seed: of the noise.

    Returns:
        float32 `[samples]`.

    Raises:
        InputError: for another colour.

    Example:
        >>> round(noise(8000, 8000, "pink").square().mean().item(), 4)
        1.0
    """
    shape = {
        "white": torch.ones_like,
        "low-passed": lambda f: (1 + (f / LOW_PASS) ** 8).rsqrt(),
        "pink": lambda f: f.clamp_min(f[1:2].sum() or 1).rsqrt(),  # the mean gets what the lowest frequency has
    }
    if colour not in shape:
        raise InputError(f"Expected a colour of noise among {list(shape)}, got {colour!r}")
    white = torch.randn(samples, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    frequency = torch.fft.rfftfreq(samples, 1 / sample_rate, dtype=torch.float64)
    weights: Tensor = shape[colour](frequency)  # type: ignore[no-untyped-call]
    shaped: Tensor = torch.fft.irfft(torch.fft.rfft(white) * weights, samples)
    return (shaped / shaped.square().mean().sqrt()).float()


def add_noise(waveform: Tensor, sample_rate: int, snr_db: float, colour: Colour = "white", seed: int = 0) -> Tensor:
    """Noise all through: `x + n`, with `10 log10(mean x^2 / mean n^2) = snr_db`.

    Args:
        waveform: `[samples]`.
        sample_rate: in Hz.
        snr_db: signal-to-noise ratio.
        colour: see :func:`noise`.
        seed: of the noise.

    Example:
        >>> round((add_noise(torch.ones(8000), 8000, 20) - 1).square().mean().item(), 4)
        0.01
    """
    scale = waveform.square().mean().sqrt() * 10 ** (-snr_db / 20)
    return waveform + scale * noise(len(waveform), sample_rate, colour, seed)


def surround(
    waveform: Tensor, sample_rate: int, level_db: float, colour: Colour = "white", seconds: float = 0.5, seed: int = 0
) -> Tensor:
    """Background before, during and after a word, `level_db` relative to the word's mean power.

    Args:
        waveform: `[samples]`.
        sample_rate: in Hz.
        level_db: power of the background, `10 log10(mean n^2 / mean x^2)`.
        colour: see :func:`noise`.
        seconds: before and after, each.
        seed: of the background.

    Returns:
        `[samples + 2 * round(seconds * sample_rate)]`.

    Example:
        >>> surround(torch.ones(800), 8000, -20)[:4000].square().mean() < 0.02
        tensor(True)
    """
    silence = waveform.new_zeros(round(seconds * sample_rate))
    longer = torch.cat([silence, waveform, silence])
    scale = waveform.square().mean().sqrt() * 10 ** (level_db / 20)
    return longer + scale * noise(len(longer), sample_rate, colour, seed)


def change_speed(waveform: Tensor, sample_rate: int, factor: float) -> Tensor:
    """Faster and higher, as a tape that runs faster: `y(t) = x(factor t)`, band-limited.

    Args:
        waveform: `[samples]`.
        sample_rate: in Hz; it stays.
        factor: above 1 is faster.

    Returns:
        About `samples / factor` samples.

    Raises:
        InputError: unless the factor lies in [0.1, 10].

    Example:
        >>> change_speed(torch.zeros(800), 8000, 1.25).shape
        torch.Size([640])
    """
    if not 0.1 <= factor <= 10:
        raise InputError(f"Expected a factor of speed from 0.1 to 10, got {factor}")
    changed: Tensor = load_torchaudio().functional.speed(waveform, sample_rate, factor)[0]
    return changed


def at_rate(waveform: Tensor, sample_rate: int, other_rate: int) -> tuple[Tensor, int]:
    """As a recorder of another sample rate has it: the waveform and its rate.

    Example:
        >>> at_rate(torch.zeros(800), 8000, 44100)[0].shape
        torch.Size([4410])
    """
    return resample(waveform, sample_rate, other_rate), other_rate


def twice(waveform: Tensor, sample_rate: int, pause: float = 0.4) -> Tensor:
    """The word, a pause of so many seconds, and the word again.

    Example:
        >>> twice(torch.ones(800), 8000).shape
        torch.Size([4800])
    """
    return torch.cat([waveform, waveform.new_zeros(round(pause * sample_rate)), waveform])
