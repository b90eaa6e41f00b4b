"""Problems of a recording, as short phrases for the user."""

from collections.abc import Sequence

import torch
from torch import Tensor

from snn_synth.data.audio import PAUSE

# Measured with FSDD's test words and the first shipped network, which draws 97 % of them right.
CLIPPED = 0.02  # share of samples at full scale: 93 % right below it, 92 % up to 0.05, 74 % from 0.1 to 0.2
QUIET = 1e-3  # of full scale, a peak in 16 bits: 95 % right at it, 75 % at a fifth of it
SHORT, LONG = 0.1, 1.0  # seconds of a word: all last at least 0.12, and 99.5 % at most 0.7
SHALLOW = 15.0  # dB from the quietest twentieth of a recording up to its loudest 10 ms
_FULL = 0.999  # of full scale, for what has been averaged or converted


def recording_faults(waveform: Tensor, sample_rate: int, words: Sequence[tuple[int, int]]) -> list[str]:
    """What may keep a recording from being understood.

    Args:
        waveform: float32 `[samples]`, full scale 1.
        sample_rate: its rate in Hz.
        words: start and end of each word in samples, from :func:`snn_synth.data.find_words`.

    Returns:
        A phrase for each: clipped, nearly silent, nothing could be trimmed, a word that is very long (perhaps several,
        said without a pause) or short.

    Example:
        >>> recording_faults(torch.ones(8000), 8000, [(0, 400)])
        ['clipped: 100 % of the samples are at full scale', 'short: a word of 0.05 s']
    """
    faults = []
    size = waveform.abs()
    clipped, peak = (size >= _FULL).float().mean().item(), size.max().item()
    if clipped > CLIPPED:
        faults.append(f"clipped: {clipped:.0%} of the samples are at full scale".replace("%", " %"))
    if peak < QUIET:
        faults.append(f"nearly silent: the peak is {peak:.1g} of full scale")
    seconds = [(end - start) / sample_rate for start, end in words]
    hop = max(1, sample_rate // 100)
    whole = len(words) == 1 and words[0][1] - words[0][0] > len(waveform) - 2 * hop
    several = f"or several words without {PAUSE / 100:g} s of pause between them"
    if whole and (seconds[0] > LONG or _depth(waveform, hop) < SHALLOW):
        one = f"nothing could be trimmed: sound from the first to the last sample, {seconds[0]:.1f} s"
        faults.append(f"{one}: background, {several}" if seconds[0] > LONG else one)
    else:
        faults += [f"long: a word of {length:.1f} s, {several}" for length in seconds if length > LONG]
    faults += [f"short: a word of {length:.2f} s" for length in seconds if length < SHORT]
    return faults


def _depth(waveform: Tensor, hop: int) -> float:
    """How far the quietest twentieth of the frames lies below the loudest, in dB."""
    framed = waveform[: len(waveform) // hop * hop].reshape(-1, hop)
    if not len(framed):
        return float("inf")
    decibel = 10 * framed.square().mean(1).clamp_min(1e-12).log10()
    return float(decibel.max() - torch.quantile(decibel, 0.05))
