"""The online rule's weight gradient (eq. 10-17), its traces made where they are used: numba, float32."""

import functools
import math
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from snn_synth.kernels.cpu.rows import WIDTH, count_nonzero, sum_rows, table
from snn_synth.kernels.cpu.threads import jit

_ZERO = np.float32(0)

# A neuron's trace is Y[t] - decay^(t-r) Y[r], so in one sample all neurons that last fired at r share it. Each of these
# traces is made once, and the gradient of a neuron is a weighted sum of them. Errors that are zero take no part.


@numba.njit(error_model="numpy")
def _sort(delta: Any, last_spike: Any, shared: Any, counts: Any, rows: Any, weights: Any) -> int:
    """Of a group of samples: the traces that occur (sample, last spike), and for each neuron which it needs."""
    batch, neurons = delta.shape
    size = 0
    row_of = np.empty(len(shared) // batch, np.int32)  # by last spike
    for b in range(batch):
        row_of[:] = -1
        for m in range(neurons):
            if delta[b, m] != _ZERO:
                r = last_spike[b, m]
                if row_of[r] < 0:
                    row_of[r] = size
                    shared[size, 0], shared[size, 1] = b, r
                    size += 1
                rows[m, counts[m]], weights[m, counts[m]] = row_of[r], delta[b, m]
                counts[m] += 1
    return size


@numba.njit(error_model="numpy")
def _make_traces(sums: Any, step: int, powers: Any, shared: Any, first: int, start: int, traces: Any) -> None:
    """The shared traces of a group, whose first sample is ``first``: columns from ``start`` on."""
    width = min(WIDTH, sums.shape[2] - start)
    for i in range(len(shared)):
        b, r = first + shared[i, 0], shared[i, 1]
        now, then = sums[step, b, start : start + width], sums[r, b, start : start + width]
        trace, share = traces[i], powers[step - r]
        for j in range(width):
            trace[j] = now[j] - share * then[j]  # eq. 10, eq. 16


@numba.njit(error_model="numpy")
def _add_traces(
    traces: Any,
    counts: Any,
    rows: Any,
    weights: Any,
    first: int,
    end: int,
    keep: bool,
    start: int,
    gradient: Any,
) -> None:
    """Columns from ``start`` on of the gradient of the neurons ``first`` to ``end`` (eq. 11, eq. 17)."""
    inputs = gradient.shape[1]
    rows, weights, flat, group = rows.reshape(-1), weights.reshape(-1), gradient.reshape(-1), rows.shape[1]
    ragged = np.empty(WIDTH, np.float32)
    for m in range(first, end):
        at = m * inputs + start
        if start + WIDTH <= inputs:
            sum_rows(traces, 0, rows, weights, m * group, counts[m], keep, flat, at)  # type: ignore[call-arg]
        else:
            sum_rows(traces, 0, rows, weights, m * group, counts[m], False, ragged, 0)  # type: ignore[call-arg]
            for j in range(inputs - start):
                flat[at + j] = ragged[j] + (flat[at + j] if keep else _ZERO)


@jit
def _weight_gradient(
    delta: Any,
    last_spike: Any,
    sums: Any,
    step: int,
    powers: Any,
    sizes: Any,
    shared: Any,
    counts: Any,
    rows: Any,
    weights: Any,
    parts: int,
    gradient: Any,
) -> None:
    groups, neurons, group = rows.shape
    for g in numba.prange(groups):
        first, end = g * group, min(len(delta), (g + 1) * group)
        sizes[g] = _sort(delta[first:end], last_spike[first:end], shared[g], counts[g], rows[g], weights[g])
    height = -(-neurons // parts)
    for block in numba.prange(-(-sums.shape[2] // WIDTH) * parts):
        start, first = block // parts * WIDTH, block % parts * height
        end = min(neurons, first + height)
        traces = table(group * step)
        for g in range(groups):
            _make_traces(sums, step, powers, shared[g, : sizes[g]], g * group, start, traces)
            _add_traces(traces, counts[g], rows[g], weights[g], first, end, g > 0, start, gradient)


@functools.lru_cache(maxsize=64)
def _powers(decay: float, count: int) -> Any:
    return (decay ** np.arange(count)).astype(np.float32)


def weight_gradient(delta: Tensor, last_spike: Tensor, sums: Tensor, step: int, decay: float) -> Tensor:
    """Sum over the batch of the local error times the trace."""
    (batch, neurons), inputs = delta.shape, sums.shape[2]
    shape = neurons, inputs
    # NumPy asks for huge pages where that matters: a column block of a large gradient touches a page per row.
    gradient = delta.new_empty(shape) if math.prod(shape) < 2**20 else torch.from_numpy(np.empty(shape, np.float32))
    # Samples are taken in groups with 16 errors per neuron: more would push their traces out of the cache.
    group = min(batch, 16 * delta.numel() // max(count_nonzero(delta.numpy()), 1))
    groups = -(-batch // group)
    _weight_gradient(
        delta.numpy(),
        last_spike.numpy(),
        sums.numpy(),
        step,
        _powers(decay, len(sums)),
        np.empty(groups, np.int32),
        np.empty((groups, group * step, 2), np.int32),
        np.zeros((groups, neurons), np.int32),
        np.empty((groups, neurons, group), np.int32),
        np.empty((groups, neurons, group), np.float32),
        max(1, torch.get_num_threads() * WIDTH // max(inputs, WIDTH)),  # few inputs: share out the neurons too
        gradient.numpy(),
    )
    return gradient
