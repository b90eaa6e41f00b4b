"""Waveforms: change the sample rate, find the words, cut off what lies around them."""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import Tensor

from snn_synth.data._torchaudio import load_torchaudio
from snn_synth.errors import InputError

MAX_TERM = 1000  # the kernel for a ratio a : b of sample rates holds about a * b numbers: a million at most

# Of finding words, in frames of 10 ms; measured on FSDD and on what espeak-ng says.
PAUSE = 20  # as long or longer, it ends a word: the silence within one, before the t of "eight", is shorter
SHORTEST = 8  # a word
EDGE = 15  # of background, at both ends of a recording, or twice as long at one
BELOW = 14  # dB that background lies under the loudest frame, at least: steady n and m in "nine" reach -12
OVER = 3  # how many times the background's power is subtracted


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
    resampled: Tensor = load_torchaudio().transforms.Resample(from_term, to_term)(waveform)
    return resampled


def trim_silence(waveform: Tensor, sample_rate: int, threshold_db: float = 35.0) -> Tensor:
    """Cut off what is no word before the first word and after the last.

    Args:
        waveform: float32 `[samples]`.
        sample_rate: its rate in Hz.
        threshold_db: how far below the loudest 10 ms is quiet.

    Returns:
        The waveform from the start of the first word of `find_words` to the end of the last; all of it where it is
        silent.

    Example:
        >>> word = torch.cat([torch.zeros(800), torch.ones(800), torch.zeros(1600)])
        >>> trim_silence(word, 8000).shape
        torch.Size([800])
    """
    words = find_words(waveform, sample_rate, threshold_db)
    return waveform[words[0][0] : words[-1][1]] if words else waveform


def find_words(waveform: Tensor, sample_rate: int, threshold_db: float = 35.0) -> list[tuple[int, int]]:
    """Where the words of a recording lie: what is loud, split at pauses of 0.2 s and more.

    A frame of 10 ms is loud when its energy lies less than `threshold_db` below that of the loudest frame. Where there
    is steady background, its spectrum is first subtracted, three times over so that its fluctuations leave nothing
    (Boll 1979): `E[t] = sum over bands b of max(0, P[b, t] - 3 N[b])`, with the power `P` in bands of 250 Hz, a mean
    over three frames, and `N` its mean over the frames of background.

    Background is steady when a quarter of all frames have the same energy within 3 dB, at least 14 dB below the
    loudest, and the recording begins and ends with 150 ms of it, or one of them with 300 ms. (A word that is cut tight
    has none: its quietest frames are speech.) What sounds for less than 80 ms between two pauses is a click and no
    word, and is left out before the loudest frame is looked for.

    Args:
        waveform: float32 `[samples]`.
        sample_rate: its rate in Hz.
        threshold_db: how far below the loudest frame is quiet.

    Returns:
        Start and end of each word, in samples, in order; none where there is silence, one where all is too short.

    Example:
        >>> word, pause = torch.ones(1600), torch.zeros(2400)
        >>> find_words(torch.cat([pause, word, pause, word]), 8000)
        [(2400, 4000), (6400, 8000)]
    """
    hop = max(1, sample_rate // 100)
    threshold = 10 ** (-threshold_db / 10)
    framed = torch.nn.functional.pad(waveform, (0, -len(waveform) % hop)).reshape(-1, hop)
    energy = framed.square().mean(1)
    background = _background(framed)
    if background is not None and OVER * energy[background].mean() > threshold * energy.max():
        bands = _bands(framed)
        energy = (bands - OVER * bands[:, background].mean(1, keepdim=True)).clamp_min(0).sum(0)
    return [(start * hop, min(end * hop, len(waveform))) for start, end in _words(energy, threshold)]


def _background(framed: Tensor) -> Tensor | None:
    """Which frames are steady background, bool `[frames]`; None where there is none."""
    decibel = 10 * torch.log10(framed.var(1, correction=0) + 1e-12)  # the variance: a constant offset is no sound
    smooth = _mean(decibel, 5)
    level, _ = smooth.sort()
    count = len(level) // 4
    if len(level) < 3 * EDGE:
        return None
    width, first = (level[count - 1 :] - level[: 1 - count]).min(0)
    low, high = level[first], level[first + count - 1]
    if width > 3 or high > decibel.max() - BELOW:
        return None
    within = (smooth > low - 2) & (smooth < high + 2)
    both, one = (torch.stack([within[:n], within[-n:]]).float().mean(1) for n in (EDGE, 2 * EDGE))
    return within if both.min() >= 0.8 or one.max() >= 0.8 else None


def _bands(framed: Tensor) -> Tensor:
    """Power in bands of 250 Hz around each frame, mean of three frames: `[frames, hop]` to `[bands, frames]`."""
    hop = framed.shape[1]
    padded = torch.nn.functional.pad(framed.flatten(), (hop // 2, hop))
    windows = padded.unfold(0, 2 * hop, hop) * torch.hann_window(2 * hop)
    power = torch.fft.rfft(windows)[:, 1:].abs().square()  # in steps of 50 Hz
    bands = min(5, hop)
    pooled = torch.nn.functional.avg_pool2d(
        power.T[None], (bands, 3), (bands, 1), padding=(0, 1), count_include_pad=False
    )
    return pooled[0]


def _words(energy: Tensor, threshold: float) -> list[tuple[int, int]]:
    """First frame and end of each stretch above the threshold that is long enough, clicks left out."""
    while energy.any():
        loud = torch.nonzero(energy > threshold * energy.max()).flatten()
        ends = torch.nonzero(loud.diff() > PAUSE).flatten()
        starts = torch.cat([loud[:1], loud[ends + 1]]).tolist()
        stretches = list(zip(starts, (torch.cat([loud[ends], loud[-1:]]) + 1).tolist(), strict=True))
        words = [(start, end) for start, end in stretches if end - start >= SHORTEST]
        if len(words) == len(stretches):
            return words
        if not words:
            return [(stretches[0][0], stretches[-1][1])]
        energy = energy.clone()
        for start, end in set(stretches) - set(words):
            energy[start:end] = 0
    return []


def _mean(values: Tensor, width: int) -> Tensor:
    """Running mean of an odd number of values, of those that there are at the ends."""
    return torch.nn.functional.avg_pool1d(values[None], width, 1, width // 2, count_include_pad=False)[0]
