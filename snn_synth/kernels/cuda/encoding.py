"""Poisson spikes from the hash of ``functional/encoding.py``, bit for bit: Triton."""

import triton
import triton.language as tl
from torch import Tensor

from snn_synth.functional.encoding import GOLDEN, MULTIPLIERS, UNIFORM_BITS
from snn_synth.kernels.cuda.launch import jit, launch

_FIRST, _SECOND, _GOLDEN = (tl.constexpr(x & 0xFFFFFFFF) for x in (*MULTIPLIERS, GOLDEN))  # as uint32
_DROPPED, _SCALE = tl.constexpr(32 - UNIFORM_BITS), tl.constexpr(2.0**UNIFORM_BITS)

BLOCK = 256  # two values per thread: the hash is all arithmetic, and a thread keeps one per value


@jit
def _hash32(x: tl.tensor) -> tl.tensor:
    x = (x ^ (x >> 16)) * _FIRST
    x = (x ^ (x >> 15)) * _SECOND
    return x ^ (x >> 16)


@jit
def _poisson(
    values: tl.tensor,
    keys: tl.tensor,
    spikes: tl.tensor,
    num_steps: tl.int32,
    batch: tl.int64,
    neurons: tl.int64,
    max_rate: tl.tensor,
    block: tl.constexpr,
) -> None:
    sample = tl.program_id(0).to(tl.int64)
    position = tl.program_id(1) * block + tl.arange(0, block)
    inside = position < neurons
    key = tl.load(keys + sample)
    low, high = key.to(tl.uint32), (key >> 32).to(tl.uint32)
    stream = _hash32(_hash32(position.to(tl.uint32) + low) ^ high)
    limit = tl.load(values + sample * neurons + position, inside, 0.0) * max_rate * _SCALE
    for t in range(num_steps):
        uniform = _hash32(stream) >> _DROPPED
        here = (t * batch + sample) * neurons + position
        tl.store(spikes + here, (uniform.to(tl.float32) < limit).to(tl.float32), inside)
        stream += _GOLDEN


def poisson(values: Tensor, keys: Tensor, num_steps: int, max_rate: float) -> Tensor:
    """Spikes of all time steps, the same bits as the reference's."""
    batch, neurons = values.shape
    spikes = values.new_empty((num_steps, batch, neurons))
    grid = (batch, triton.cdiv(neurons, BLOCK))
    launch(_poisson, grid, values, keys, spikes, num_steps, batch, neurons, max_rate, BLOCK)
    return spikes
