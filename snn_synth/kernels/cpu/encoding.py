"""Counter-based rate codes: the counters of ``functional/encoding.py`` and their comparison in one pass; numba."""

from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from snn_synth.functional.encoding import GOLDEN, MULTIPLIERS, UNIFORM_BITS, RateCode
from snn_synth.kernels.cpu.memory import empty
from snn_synth.kernels.cpu.share import subroutine
from snn_synth.kernels.cpu.threads import parallel, scratch

_MULTIPLY_1, _MULTIPLY_2 = (np.uint32(m % (1 << 32)) for m in MULTIPLIERS)
_GOLDEN = np.uint32(GOLDEN % (1 << 32))
_DROP = np.uint32(32 - UNIFORM_BITS)
_ZERO, _ONE = np.float32(0), np.float32(1)


@numba.njit(inline="always")
def _hash32(x: Any) -> Any:
    x = np.uint32(np.uint32(x ^ (x >> np.uint32(16))) * _MULTIPLY_1)
    x = np.uint32(np.uint32(x ^ (x >> np.uint32(15))) * _MULTIPLY_2)
    return np.uint32(x ^ (x >> np.uint32(16)))


@subroutine
def _start(values: Any, low: Any, high: Any, scale: Any, even: bool, counter: Any, pace: Any, limit: Any) -> None:
    for p in range(len(values)):
        start = _hash32(np.uint32(_hash32(np.uint32(np.uint32(p) + low)) ^ high))
        share = values[p] * scale[0] * scale[1]
        if even:
            step = np.uint32(np.uint32(np.int32(share)) << _DROP)
            counter[p], pace[p], limit[p] = np.uint32(start + step), step, np.float32(np.int32(share))
        else:
            counter[p], pace[p], limit[p] = start, _GOLDEN, share


@subroutine
def _hashed(counter: Any, limit: Any, t: Any, spikes: Any) -> None:
    moved = np.uint32(t * _GOLDEN)
    for p in range(len(counter)):
        uniform = np.float32(np.int32(_hash32(np.uint32(counter[p] + moved)) >> _DROP))
        spikes[p] = _ONE if uniform < limit[p] else _ZERO


@subroutine
def _counted(counter: Any, pace: Any, limit: Any, spikes: Any) -> None:
    for p in range(len(counter)):
        spikes[p] = _ONE if np.float32(np.int32(counter[p] >> _DROP)) < limit[p] else _ZERO
        counter[p] = np.uint32(counter[p] + pace[p])


@parallel
def _rate_spikes(
    share: int,
    start: int,
    stop: int,
    values: Any,
    low: Any,
    high: Any,
    scale: Any,
    poisson: bool,
    even: bool,
    counters: Any,
    limits: Any,
    spikes: Any,
) -> None:
    counter, pace, limit = counters[share, 0], counters[share, 1], limits[share]
    for b in range(start, stop):
        _start(values[b], low[b], high[b], scale, even, counter, pace, limit)
        for t in range(len(spikes)):
            if poisson:
                _hashed(counter, limit, np.uint32(t), spikes[t, b])
            else:
                _counted(counter, pace, limit, spikes[t, b])


def rate_spikes(values: Tensor, keys: Tensor, num_steps: int, max_rate: float, code: RateCode) -> Tensor:
    """Spikes ``[T, B, P]`` of values ``[B, P]``."""
    spikes = empty(num_steps, *values.shape)
    words = keys.numpy().view(np.uint64)
    _rate_spikes(
        len(values),
        values.numpy(),
        (words & np.uint64(0xFFFFFFFF)).astype(np.uint32),
        (words >> np.uint64(32)).astype(np.uint32),
        np.array([max_rate, 1 << UNIFORM_BITS], np.float32),
        code == "poisson",
        code == "even",
        scratch("bits", 2, values.shape[1], dtype=torch.int32).view(np.uint32),
        scratch("values", values.shape[1]),
        spikes.numpy(),
    )
    return spikes
