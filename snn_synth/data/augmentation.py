"""Variation of spectrograms in training: other voices, speeds, microphones and noises than those of the corpus."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from snn_synth.construction import Recorded
from snn_synth.errors import InputError
from snn_synth.functional import keyed_uniform, sample_keys
from snn_synth.functional.inputs import as_values

# Half the range of each change at strength 1, in the units of a picture: its height, its width, and its range of 60 dB.
EDGE, BEND = 0.125, 0.15  # of time: where the word starts and ends, and how uneven its speed is
STRETCH, SHIFT = 0.18, 0.1  # of frequency: the vocal tract's length, and the pitch
EQUALIZER, TILT, CONTRAST = 0.12, 0.15, 0.2  # of level: the microphone and the distance from it
NOISE_TILT, NOISE_LOW, NOISE_HIGH = 0.15, 0.33, 0.9  # of background, below the loudest point
MASK_BANDS, MASK_FRAMES = 0.2, 0.15  # widest mask
NOISY = 0.7  # share of pictures with noise at strength 1

BITS_PER_DECADE = math.log2(10)


class SpectrogramAugmentation(Recorded):
    r"""Another speaker, microphone and background for each log spectrogram, other ones in every epoch.

    In this order, each amount uniform in a range that grows with ``strength`` k:

    1. time and frequency, in one interpolation: :math:`S'(f, t) = S(a f + b,\; c\,t + d + e \sin \pi t)`;
    2. level, :math:`S' = 1 - g\,(1 - S) + q(f)`: contrast g, and q a tilt and a smooth filter;
    3. noise, in half of the pictures at :math:`k = 0.7`, added as power: :math:`S' = \log_r(r^S + r^N)`, r the power
       ratio that a range of 1 stands for, N exponentially distributed power with a level and a tilt;
    4. a band and a span of time set to 0 (SpecAugment);
    5. the loudest point is 1 again.

    Random numbers are a function of the key alone, so a resumed run varies as an uninterrupted one does.
    (Those of torchaudio's masks come from a global state, and are the same for a whole batch.)

    Args:
        strength: k, at least 0, which changes nothing; 1 is strong.
        dynamic_range_db: range of the front end's pictures, from 0 to 1.

    Raises:
        InputError: for a strength below 0, or a range that is not positive.

    Source:
        Park et al. 2019 (SpecAugment) for the masks; Jaitly & Hinton 2013 for the warped frequencies.

    Example:
        >>> augment = SpectrogramAugmentation(strength=0.7)
        >>> pictures = torch.rand(2, 39, 100, generator=torch.Generator().manual_seed(0))
        >>> augment(pictures, sample_keys(0, torch.arange(2))).shape
        torch.Size([2, 39, 100])
    """

    def __init__(self, strength: float = 0.7, dynamic_range_db: float = 60.0) -> None:
        if not 0 <= strength < float("inf") or not 0 < dynamic_range_db < float("inf"):
            raise InputError(
                "Expected a `strength` of at least 0 and a positive `dynamic_range_db`, "
                f"got {strength} and {dynamic_range_db}"
            )
        self.strength, self.dynamic_range_db = strength, dynamic_range_db

    def __call__(self, spectrograms: Tensor, keys: Tensor) -> Tensor:
        """Vary log spectrograms.

        Args:
            spectrograms: values in [0, 1], ``[B, C, F]``.
            keys: one for each, see :func:`~snn_synth.encoding.sample_keys`.

        Returns:
            Pictures of the same shape in [0, 1].

        Raises:
            InputError: for a wrong shape, or another number of keys.
        """
        pictures = as_values(spectrograms, name="spectrograms")
        if pictures.dim() != 3 or keys.shape != pictures.shape[:1]:
            raise InputError(
                "Expected spectrograms of shape [B, C, F] and one key for each, "
                f"got {list(pictures.shape)} and {list(keys.shape)}"
            )
        if not self.strength or not pictures.numel():
            return pictures
        k = self.strength
        unit = keyed_uniform(keys.to(pictures.device), 18).to(pictures.dtype)[:, :, None]  # [B, 18, 1]
        both = k * (2 * unit - 1)
        silent = pictures.amax((1, 2), keepdim=True) == 0  # and stays so: contrast would lift it
        pictures = _warp(pictures, both[:, 0:5])
        pictures = _level(pictures, both[:, 5:11])
        noisy = unit[:, 11:12] < NOISY * k
        noise = _noise(pictures, unit[:, 12:13], both[:, 13:14], keys, self.dynamic_range_db / 10)
        pictures = torch.where(noisy, noise, pictures)
        pictures = pictures * _mask(pictures.shape[1], unit[:, 14], k * MASK_BANDS * unit[:, 15])[:, :, None]
        pictures = pictures * _mask(pictures.shape[2], unit[:, 16], k * MASK_FRAMES * unit[:, 17])[:, None, :]
        above = pictures.amax((1, 2), keepdim=True) - 1
        loudest = (pictures - torch.where(above > -1, above, 0)).clamp_min(0)
        return torch.where(silent, 0, loudest)


def _warp(pictures: Tensor, amounts: Tensor) -> Tensor:
    """Read a picture at other times and frequencies; ``amounts`` in [-k, k]: ``[B, 5, 1]``."""
    start, end, bend, stretch, shift = amounts.unbind(1)
    frequency = torch.linspace(0, 1, pictures.shape[1], dtype=pictures.dtype, device=pictures.device)
    time = torch.linspace(0, 1, pictures.shape[2], dtype=pictures.dtype, device=pictures.device)
    time = time + BEND * bend * torch.sin(torch.pi * time)
    time = EDGE * start + (1 + EDGE * (end - start)) * time
    frequency = (1 + STRETCH * stretch) * frequency + SHIFT / 2 * shift
    shape = -1, pictures.shape[1], pictures.shape[2]
    rows, columns = frequency[:, :, None].expand(shape), time[:, None, :].expand(shape)
    grid = 2 * torch.stack([columns, rows], -1) - 1
    warped: Tensor = F.grid_sample(pictures[:, None], grid, padding_mode="zeros", align_corners=True)[:, 0]
    return warped


def _level(pictures: Tensor, amounts: Tensor) -> Tensor:
    """Another microphone at another distance; ``amounts`` in [-k, k]: ``[B, 6, 1]``."""
    channels = pictures.shape[1]
    tilt = TILT * amounts[:, 4] * torch.linspace(-1, 1, channels, dtype=pictures.dtype, device=pictures.device)
    knots = EQUALIZER * amounts[:, :4].transpose(1, 2)
    equalizer = F.interpolate(knots, channels, mode="linear", align_corners=True)[:, 0]
    filtered = torch.where(pictures > 0, pictures + (equalizer + tilt)[:, :, None], pictures)
    return 1 - (1 + CONTRAST * amounts[:, 5:6]) * (1 - filtered)


def _noise(pictures: Tensor, level: Tensor, tilt: Tensor, keys: Tensor, decades: float) -> Tensor:
    """Add noise in power; ``level`` in [0, 1], ``tilt`` in [-k, k], ``decades`` of power from 0 to 1 of a picture."""
    channels = torch.linspace(-1, 1, pictures.shape[1], dtype=pictures.dtype, device=pictures.device)
    uniform = keyed_uniform(sample_keys(keys, 1).to(pictures.device), pictures[0].numel()).to(pictures.dtype)
    power = -torch.log1p(-uniform).clamp(max=-1e-4)  # exponential, as that of a band of noise
    ripple = 0.5 * power.log10().view_as(pictures) / decades  # a mel band averages over frequencies
    below = NOISE_LOW + (NOISE_HIGH - NOISE_LOW) * level
    noise = pictures.amax((1, 2), keepdim=True) - below + NOISE_TILT * tilt * channels[:, None] + ripple
    bits = decades * BITS_PER_DECADE
    return torch.logaddexp2(bits * pictures, bits * noise) / bits


def _mask(size: int, centre: Tensor, width: Tensor) -> Tensor:
    """0 where a place lies in a span of ``width`` around ``centre``, both ``[B, 1]`` as shares of ``size``; else 1."""
    places = torch.arange(size, dtype=centre.dtype, device=centre.device) / size
    return ((places - centre).abs() >= width / 2).to(centre.dtype)
