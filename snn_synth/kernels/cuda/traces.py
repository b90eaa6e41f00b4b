"""The online rule's weight gradient (eq. 10-17), its leaky sums gathered where each neuron last fired: Triton."""

import math
from typing import Any

import triton
import triton.language as tl
from torch import Tensor

from snn_synth.kernels.cuda.launch import jit, launch

# A tile of 16 neurons shares the sums of its 64 inputs through the cache, with few registers: many tiles run at a time.
ROWS, COLUMNS = 16, 64
# The tiles of a small layer leave multiprocessors without work, so several programs share the samples of a tile: as
# many programs as fill a large GPU, with at least so many samples each.
PROGRAMS, SAMPLES = 512, 8
BLOCK = 1024  # weights that a program of Adam's step takes: four a thread


@jit
def _weight_gradient(
    delta: tl.tensor,
    last_spike: tl.tensor,
    sums: tl.tensor,
    gradient: tl.tensor,
    step: tl.int32,
    batch: tl.int32,
    samples: tl.int32,
    outputs: tl.int64,
    inputs: tl.int64,
    log2_decay: tl.tensor,
    rows: tl.constexpr,
    columns: tl.constexpr,
) -> None:
    m = tl.program_id(0) * rows + tl.arange(0, rows)
    n = tl.program_id(1) * columns + tl.arange(0, columns)
    share = tl.program_id(2)
    total = tl.zeros([rows, columns], tl.float32)
    last_sample = tl.minimum((share + 1) * samples, batch)
    for b in tl.range(share * samples, last_sample, loop_unroll_factor=4):  # no sample waits for another's memory
        error = tl.load(delta + b * outputs + m, m < outputs, 0.0)
        last = tl.load(last_spike + b * outputs + m, m < outputs, 0)
        decayed = error * tl.exp2((step - last).to(tl.float32) * log2_decay)
        now = tl.load(sums + (step * batch + b) * inputs + n, n < inputs, 0.0)
        then = tl.load(
            sums + ((last * batch + b) * inputs)[:, None] + n[None, :],
            ((error != 0.0) & (last > 0))[:, None] & (n < inputs)[None, :],  # Y[0] = 0
            0.0,
        )
        total += error[:, None] * now[None, :] - decayed[:, None] * then
    inside = (m < outputs)[:, None] & (n < inputs)[None, :]
    tl.store(gradient + (share * outputs + m)[:, None] * inputs + n[None, :], total, inside)


@jit
def _adam(
    gradient: tl.tensor,
    weight: tl.tensor,
    mean: tl.tensor,
    square: tl.tensor,
    shares: tl.int32,
    size: tl.int64,
    keep_mean: tl.tensor,
    keep_square: tl.tensor,
    new_mean: tl.tensor,
    new_square: tl.tensor,
    step_size: tl.tensor,
    root: tl.tensor,
    eps: tl.tensor,
    shrink: tl.tensor,
    l2: tl.tensor,
    started: tl.constexpr,
    block: tl.constexpr,
) -> None:
    here = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    inside = here < size
    w = tl.load(weight + here, inside, 0.0)
    g = l2 * w
    for share in range(shares):
        g += tl.load(gradient + share * size + here, inside, 0.0)
    mu = new_mean * g
    nu = new_square * (g * g)
    if started:  # else there are no moments yet
        mu += keep_mean * tl.load(mean + here, inside, 0.0)
        nu += keep_square * tl.load(square + here, inside, 0.0)
    tl.store(mean + here, mu, inside)
    tl.store(square + here, nu, inside)
    tl.store(weight + here, shrink * w - step_size * (mu / (tl.sqrt(nu) * root + eps)), inside)


def leaky_sums(num_steps: int, batch: int, weight: Tensor) -> Tensor:
    """Memory for the sums of the input of a layer, after 0 to T steps; those after none are 0."""
    sums = weight.new_empty((num_steps + 1, batch, weight.shape[1]))
    sums[0] = 0
    return sums


def weight_gradient(delta: Tensor, last_spike: Tensor, sums: Tensor, step: int, decay: float) -> Tensor:
    """Sum over the batch of the local error times the trace."""
    shares = _shares(delta, last_spike, sums, step, decay)
    return shares.sum(0) if len(shares) > 1 else shares[0]


def update_weight(delta: Tensor, last_spike: Tensor, sums: Tensor, step: int, decay: float, moments: Any) -> None:
    """Adam's step by that gradient."""
    weight = moments.weight.detach()
    shares = _shares(delta, last_spike, sums, step, decay)
    numbers = len(shares), weight.numel(), *moments.rates(), moments.count > 0
    launch(_adam, (triton.cdiv(weight.numel(), BLOCK),), shares, weight, moments.mean, moments.square, *numbers, BLOCK)
    moments.keep()


def _shares(delta: Tensor, last_spike: Tensor, sums: Tensor, step: int, decay: float) -> Tensor:
    """Sums over parts of the batch, ``[parts, out, in]``."""
    (batch, outputs), inputs = delta.shape, sums.shape[2]
    tiles = triton.cdiv(outputs, ROWS), triton.cdiv(inputs, COLUMNS)
    samples = triton.cdiv(batch, max(1, min(batch // SAMPLES, PROGRAMS // (tiles[0] * tiles[1]))))
    shares = triton.cdiv(batch, samples)
    gradient = delta.new_empty((shares, outputs, inputs))
    log2_decay = math.log2(decay) if decay > 0 else -math.inf
    arguments = (delta, last_spike, sums, gradient, step, batch, samples, outputs, inputs, log2_decay, ROWS, COLUMNS)
    launch(_weight_gradient, (*tiles, shares), *arguments)
    return gradient
