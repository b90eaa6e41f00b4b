"""Rate codes from the counters of ``functional/encoding.py``, bit for bit: Triton."""

import triton
import triton.language as tl
from torch import Tensor

from snn_synth.functional.encoding import GOLDEN, MULTIPLIERS, UNIFORM_BITS, RateCode
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
def _rate_spikes(
    values: tl.tensor,
    keys: tl.tensor,
    spikes: tl.tensor,
    num_steps: tl.int32,
    batch: tl.int64,
    neurons: tl.int64,
    max_rate: tl.tensor,
    poisson: tl.constexpr,
    even: tl.constexpr,
    block: tl.constexpr,
) -> None:
    sample = tl.program_id(0).to(tl.int64)
    position = tl.program_id(1) * block + tl.arange(0, block)
    inside = position < neurons
    key = tl.load(keys + sample)
    low, high = key.to(tl.uint32), (key >> 32).to(tl.uint32)
    counter = _hash32(_hash32(position.to(tl.uint32) + low) ^ high)
    limit = tl.load(values + sample * neurons + position, inside, 0.0) * max_rate * _SCALE
    pace = tl.full([block], _GOLDEN, tl.uint32)
    if even:
        share = limit.to(tl.int32)
        limit, pace = share.to(tl.float32), share.to(tl.uint32) << _DROPPED
        counter += pace
    for t in range(num_steps):
        uniform = counter
        if poisson:
            uniform = _hash32(counter)
        here = (t * batch + sample) * neurons + position
        tl.store(spikes + here, ((uniform >> _DROPPED).to(tl.float32) < limit).to(tl.float32), inside)
        counter += pace


def rate_spikes(values: Tensor, keys: Tensor, num_steps: int, max_rate: float, code: RateCode) -> Tensor:
    """Spikes of all time steps, the same bits as the reference's."""
    batch, neurons = values.shape
    spikes = values.new_empty((num_steps, batch, neurons))
    grid = (batch, triton.cdiv(neurons, BLOCK))
    arguments = (values, keys, spikes, num_steps, batch, neurons, max_rate, code == "poisson", code == "even", BLOCK)
    launch(_rate_spikes, grid, *arguments)
    return spikes
