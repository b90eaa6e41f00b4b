r"""Blobs that drift around a circle: synthetic spike trains whose near future can be told from their past."""

import math

import torch
from torch import Tensor

from snn_synth.errors import InputError


def drifting_blobs(count: int, steps: int, neurons: int = 20, seed: int = 0) -> Tensor:
    r"""Which neuron sees a blob at each step; the neurons' places are spread evenly over an angle.

    .. math:: \theta[t] = \theta[t-1] + v[t-1], \qquad v[t] = 0.9\,v[t-1] - 0.14\,\eta[t], \qquad
        A[t] = 0.99\,A[t-1] + 0.01\,\eta[t], \qquad b[t] = A[t]\,(\theta[t] + 0.45\,\xi[t]) \bmod 2\pi

    with :math:`\theta[0]` uniform, :math:`v[0] = 1`, :math:`A[0] = 1/2`, and :math:`\eta, \xi` normal. The neuron is
    the one whose place :math:`-\pi + 2 \pi k / N` is nearest to b.

    Args:
        count: blobs.
        steps: time steps.
        neurons: N.
        seed: of all random numbers.

    Returns:
        int64 ``[count, steps]``, from 0 to N - 1.

    Raises:
        InputError: for a number below 1.

    Source:
        Chalk, Marre & Tkacik 2018, in the form that the authors of Skatchkovsky, Simeone & Jang 2021 use.

    Example:
        >>> drifting_blobs(2, 50).shape
        torch.Size([2, 50])
    """
    if min(count, steps, neurons) < 1:
        raise InputError(f"Expected blobs, steps and neurons of at least 1, got {count}, {steps} and {neurons}")
    generator = torch.Generator().manual_seed(seed)
    angle = (2 * torch.rand(count, dtype=torch.float64, generator=generator) - 1) * math.pi
    speed, amplitude, seen = torch.ones_like(angle), torch.full_like(angle, 0.5), []
    for _ in range(steps):
        noise, change = torch.randn(2, count, dtype=torch.float64, generator=generator)
        blob = amplitude * (angle + 0.45 * noise)
        around = torch.atan2(blob.sin(), blob.cos())
        seen.append(((around + math.pi) * neurons / (2 * math.pi)).round().clamp_max(neurons - 1).long())
        angle = angle + speed
        speed = 0.9 * speed - 0.14 * change
        amplitude = 0.99 * amplitude + 0.01 * change
    return torch.stack(seen, 1)


def pair_index(first: Tensor, second: Tensor, neurons: int) -> Tensor:
    """Number of an unordered pair of neurons, which may be the same one: from 0 to N (N + 1) / 2 - 1.

    Args:
        first: neurons, from 0 to N - 1.
        second: likewise.
        neurons: N.

    Shape:
        both any; the result has it too.

    Example:
        >>> pair_index(torch.tensor([0, 2, 1, 2]), torch.tensor([0, 0, 1, 2]), neurons=3)
        tensor([0, 2, 3, 5])
    """
    low, high = torch.minimum(first, second), torch.maximum(first, second)
    return low * neurons - low * (low - 1) // 2 + high - low
