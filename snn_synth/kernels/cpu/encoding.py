"""Counter-based Poisson spikes: the hash of ``functional/encoding.py`` and its comparison in one pass; numba."""

from typing import Any

import numba
import numpy as np
from torch import Tensor

from snn_synth.functional.encoding import GOLDEN, MULTIPLIERS, UNIFORM_BITS
from snn_synth.kernels.cpu.memory import empty
from snn_synth.kernels.cpu.threads import jit

_MULTIPLY_1, _MULTIPLY_2 = (np.uint32(m % (1 << 32)) for m in MULTIPLIERS)
_GOLDEN = np.uint32(GOLDEN % (1 << 32))
_DROP = np.uint32(32 - UNIFORM_BITS)


@numba.njit(inline="always")
def _hash32(x: Any) -> Any:
    x = np.uint32(np.uint32(x ^ (x >> np.uint32(16))) * _MULTIPLY_1)
    x = np.uint32(np.uint32(x ^ (x >> np.uint32(15))) * _MULTIPLY_2)
    return np.uint32(x ^ (x >> np.uint32(16)))


@jit
def _poisson(values: Any, low: Any, high: Any, scale: Any, spikes: Any) -> None:
    num_steps, batch, positions = spikes.shape
    for b in numba.prange(batch):
        stream = np.empty(positions, np.uint32)
        limit = np.empty(positions, np.float32)
        for p in range(positions):
            stream[p] = _hash32(np.uint32(_hash32(np.uint32(np.uint32(p) + low[b])) ^ high[b]))
            limit[p] = values[b, p] * scale[0] * scale[1]
        for t in range(num_steps):
            counter = np.uint32(np.uint32(t) * _GOLDEN)
            for p in range(positions):
                uniform = np.float32(np.int32(_hash32(np.uint32(stream[p] + counter)) >> _DROP))
                spikes[t, b, p] = np.float32(1) if uniform < limit[p] else np.float32(0)


def poisson(values: Tensor, keys: Tensor, num_steps: int, max_rate: float) -> Tensor:
    """Spikes ``[T, B, P]`` of values ``[B, P]``."""
    spikes = empty(num_steps, *values.shape)
    words = keys.numpy().view(np.uint64)
    _poisson(
        values.numpy(),
        (words & np.uint64(0xFFFFFFFF)).astype(np.uint32),
        (words >> np.uint64(32)).astype(np.uint32),
        np.array([max_rate, 1 << UNIFORM_BITS], np.float32),
        spikes.numpy(),
    )
    return spikes
