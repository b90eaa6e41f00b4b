"""Waveforms: change the sample rate, cut the silence around a word."""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import Tensor

from snn_synth.data._torchaudio import torchaudio
from snn_synth.errors import InputError

MAX_TERM = 1000  # the kernel for a ratio a : b of sample rates holds about a * b numbers: a million at most


def _terms(from_rate: int, to_rate: int) -> tuple[int, int]:
    """The ratio of two rates in lowest terms, or the nearest with terms up to `MAX_TERM`: at most 0.1 % off.

    Example:
        >>> _terms(44100, 8000), _terms(44101, 8000)
        ((441, 80), (656, 119))
    """
    ratio = Fraction(min(from_rate, to_rate), max(from_rate, to_rate))
    if ratio.numerator * ratio.denominator > MAX_TERM**2:
        ratio = ratio.limit_denominator(MAX_TERM)
    low, high = ratio.numerator, ratio.denominator
    return (low, high) if from_rate < to_rate else (high, low)


def resample(waveform: Tensor, from_rate: int, to_rate: int) -> Tensor:
    """Change the sample rate by band-limited (windowed sinc) interpolation.

    Rates without a ratio of small numbers, such as 44,101 and 8,000 Hz, are changed by the nearest ratio that is one:
    the kernel of the exact one could take gigabytes. Pitch and length are off by 0.1 % at most.

    Args:
        waveform: float32 `[samples]`.
        from_rate: its rate in Hz.
        to_rate: the rate wanted, in Hz.

    Returns:
        float32 `[ceil(samples * to_rate / from_rate)]`, by that ratio.

    Raises:
        InputError: a rate is below 1, or one is over 1,000 times the other.

    Example:
        >>> resample(torch.zeros(8000), 8000, 12500).shape
        torch.Size([12500])
    """
    if min(from_rate, to_rate) < 1 or max(from_rate, to_rate) > MAX_TERM * min(from_rate, to_rate):
        raise InputError(
            f"Expected sample rates of at least 1 Hz, none over {MAX_TERM} times the other, "
            f"got {from_rate} and {to_rate}"
        )
    from_term, to_term = _terms(int(from_rate), int(to_rate))
    if from_term == to_term:
        return waveform
    resampled: Tensor = torchaudio.transforms.Resample(from_term, to_term)(waveform)
    return resampled


def trim_silence(waveform: Tensor, sample_rate: int, threshold_db: float = 35.0) -> Tensor:
    """Cut off what is quiet before and after a word.

    A frame of 10 ms is quiet when its energy lies more than `threshold_db` below that of the loudest frame.

    Args:
        waveform: float32 `[samples]`.
        sample_rate: its rate in Hz.
        threshold_db: how far below the loudest frame is quiet.

    Returns:
        The waveform from the first to the last frame that is not quiet.

    Example:
        >>> word = torch.cat([torch.zeros(800), torch.ones(800), torch.zeros(1600)])
        >>> trim_silence(word, 8000).shape
        torch.Size([800])
    """
    hop = max(1, sample_rate // 100)
    padded = torch.nn.functional.pad(waveform, (0, -len(waveform) % hop))
    energy = padded.reshape(-1, hop).square().mean(1)
    loud = torch.nonzero(energy > energy.max() * 10 ** (-threshold_db / 10)).flatten()
    if not len(loud):
        return waveform
    return waveform[int(loud[0]) * hop : (int(loud[-1]) + 1) * hop]


def find_words(waveform: Tensor, sample_rate: int, threshold_db: float = 35.0) -> list[tuple[int, int]]:
    """Stand-in until the branch that finds words is merged."""
    hop = max(1, sample_rate // 100)
    padded = torch.nn.functional.pad(waveform, (0, -len(waveform) % hop))
    energy = padded.reshape(-1, hop).square().mean(1)
    loud = torch.nonzero(energy > energy.max() * 10 ** (-threshold_db / 10)).flatten()
    breaks = torch.nonzero(loud.diff() > 20).flatten()
    starts, ends = torch.cat([loud[:1], loud[breaks + 1]]), torch.cat([loud[breaks], loud[-1:]]) + 1
    return [(int(a) * hop, min(int(b) * hop, len(waveform))) for a, b in zip(starts, ends, strict=True)]
