"""The online rule's weight gradient (eq. 10-17), its traces made where they are used: numba, float32."""

import functools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snn_synth.kernels.cpu.memory import empty
from snn_synth.kernels.cpu.rows import WIDTH, prefetch, sum_rows
from snn_synth.kernels.cpu.share import share_out, subroutine
from snn_synth.kernels.cpu.step import Errors, arrays
from snn_synth.kernels.cpu.threads import jit, scratch

_ZERO = np.float32(0)
_ERRORS = 16  # of a neuron in a group of samples: more would push the group's traces out of the cache
_TINY = np.float32(1e-16)  # beside eps, a gradient below moves nothing; its square would be subnormal, which takes long
_LARGE = 2**22  # weights, from which on they are taken several blocks of columns at a time
_WIDE = 8  # blocks
_SUMS = 4096  # blocks of which the sums stay in the cache: a megabyte

# A neuron's trace is Y[t] - decay^(t-r) Y[r], so in one sample all neurons that last fired at r share it. Each of these
# traces is made once, and the gradient of a neuron is a weighted sum of them. Errors that are zero take no part.


@subroutine
def _number(last_spike: Any, wrong: Any, row_of: Any) -> int:
    """Of one sample: number the last spikes of the neurons that have an error; how many they are."""
    for r in range(len(row_of)):
        row_of[r] = 0
    for i in range(len(wrong)):
        row_of[last_spike[wrong[i]]] = 1
    size = 0
    for r in range(len(row_of)):
        occurs = row_of[r]
        row_of[r] = size
        size += occurs
    return size


@subroutine
def _list(delta: Any, last_spike: Any, wrong: Any, row_of: Any, top: int, lists: Any) -> None:
    """Of one sample: put its errors, and the rows of their traces from ``top`` on, in the lists of their neurons."""
    counts, rows, weights = lists
    for i in range(len(wrong)):
        m = wrong[i]
        at = counts[m]
        rows[m, at], weights[m, at] = top + row_of[last_spike[m]], delta[m]
        counts[m] = at + 1


@subroutine
def _make_trace(now: Any, share: Any, then: Any, trace: Any) -> None:
    for j in range(len(now)):
        trace[j] = now[j] - share * then[j]  # eq. 10, eq. 16
    prefetch(then, WIDTH)  # type: ignore[call-arg]


@subroutine
def _make_traces(
    sums: Any, step: int, b: int, powers: Any, row_of: Any, size: int, start: int, traces: Any, top: int
) -> None:
    """The traces of a sample in rows from ``top`` on: columns from ``start`` on."""
    end = min(start + WIDTH, sums.shape[2])
    for r in range(step - 1, -1, -1):
        if row_of[r] < size:  # it occurs, for the next one has another number
            size = row_of[r]
            trace = traces[(top + size) * WIDTH :]
            _make_trace(sums[step, b, start:end], powers[step - r], sums[r, b, start:end], trace)


@subroutine
def _add_traces(traces: Any, lists: Any, first: int, last: int, more: bool, sums: Any, at: int) -> None:
    """Of the neurons from ``first`` to ``last``: the sums over their lists (eq. 11, eq. 17), from row ``at`` on."""
    counts, rows, weights = lists
    for m in range(first, last):
        place = (at + m - first) * WIDTH
        sum_rows(traces, WIDTH, 0, rows[m], weights[m], 0, counts[m], more, sums, place)  # type: ignore[call-arg]


@subroutine
def _write(found: Any, row: Any) -> None:
    for j in range(len(row)):
        row[j] = found[j]


@subroutine
def _update(found: Any, weight: Any, mean: Any, square: Any, started: bool, rates: Any, m: int, start: int) -> None:
    """Adam's step of a block of a neuron's weights; moments hold nothing before the first."""
    keep_mean, keep_square, new_mean, new_square, step_size, root, eps, shrink, l2 = rates
    end = min(start + WIDTH, weight.shape[1])
    row, means, squares = weight[m, start:end], mean[m, start:end], square[m, start:end]
    for j in range(len(row)):
        w = row[j]
        g = found[j] + l2 * w
        g = _ZERO if abs(g) < _TINY else g
        mu = keep_mean * (means[j] if started else _ZERO) + new_mean * g
        nu = keep_square * (squares[j] if started else _ZERO) + new_square * (g * g)
        means[j], squares[j] = mu, nu
        row[j] = shrink * w - step_size * (mu / (np.sqrt(nu) * root + eps))
    for x in (row, means, squares):
        prefetch(x, WIDTH)  # type: ignore[call-arg]


@subroutine
def _number_all(
    share: int, begin: int, end: int, last_spike: Any, wrong: Any, errors: Any, row_of: Any, sizes: Any
) -> None:
    for b in range(begin, end):
        sizes[b] = _number(last_spike[b], wrong[b, : errors[b]], row_of[b])


@subroutine
def _list_all(
    share: int,
    begin: int,
    end: int,
    delta: Any,
    wrong: Any,
    errors: Any,
    last_spike: Any,
    row_of: Any,
    tops: Any,
    group: int,
    lists: Any,
) -> None:
    """Of the samples of some groups."""
    counts, rows, weights = lists
    for g in range(begin, end):
        for b in range(g * group, min(len(delta), (g + 1) * group)):
            own = counts[g], rows[g], weights[g]
            _list(delta[b], last_spike[b], wrong[b, : errors[b]], row_of[b], tops[b], own)


@subroutine
def _sum_all(
    share: int,
    at: int,
    last: int,
    sums: Any,
    step: int,
    powers: Any,
    row_of: Any,
    sizes: Any,
    tops: Any,
    group: int,
    lists: Any,
    wide: int,
    tables: Any,
    totals: Any,
    updates: bool,
    target: Any,
    mean: Any,
    square: Any,
    started: bool,
    rates: Any,
) -> None:
    """Of some of the neurons in each of the ``wide`` blocks of columns: the gradient, or Adam's step by it."""
    counts, rows, weights = lists
    (groups, neurons), batch, inputs = counts.shape, len(sizes), sums.shape[2]
    most, traces, found = _SUMS // wide, tables[share], totals[share]
    while at < last:
        start, first = at // neurons * WIDTH * wide, at % neurons
        end = min(neurons, first + min(most, last - at))
        at += end - first
        size, several = end - first, min(wide, -(-(inputs - start) // WIDTH))
        for g in range(groups):
            for i in range(several):
                for b in range(g * group, min(batch, (g + 1) * group)):
                    _make_traces(sums, step, b, powers, row_of[b], sizes[b], start + i * WIDTH, traces, tops[b])
                own = counts[g], rows[g], weights[g]
                _add_traces(traces, own, first, end, g > 0, found, i * size)
        for m in range(size):
            for i in range(several):
                column, sum_ = start + i * WIDTH, found[(i * size + m) * WIDTH :]
                if updates:
                    _update(sum_, target, mean, square, started, rates, first + m, column)
                else:
                    _write(sum_, target[first + m, column : column + WIDTH])


@jit
def _gradient_or_step(
    team: Any,
    delta: Any,
    wrong: Any,
    errors: Any,
    last_spike: Any,
    group: int,
    numbers: Any,
    lists: Any,
    sums: Any,
    step: int,
    powers: Any,
    wide: int,
    tables: Any,
    totals: Any,
    updates: bool,
    target: Any,
    mean: Any,
    square: Any,
    started: bool,
    rates: Any,
) -> None:
    row_of, sizes, tops = numbers
    batch, neurons = delta.shape
    share_out(_number_all, team, batch, (last_spike, wrong, errors, row_of, sizes))  # type: ignore[call-arg]
    for b in range(batch):
        tops[b] = 0 if b % group == 0 else tops[b - 1] + sizes[b - 1]
    share_out(_list_all, team, len(lists[0]), (delta, wrong, errors, last_spike, row_of, tops, group, lists))
    work = -(-sums.shape[2] // (WIDTH * wide)) * neurons
    traced = sums, step, powers, row_of, sizes, tops, group, lists, wide, tables, totals
    share_out(_sum_all, team, work, (*traced, updates, target, mean, square, started, rates))


@functools.lru_cache(maxsize=64)
def _powers(decay: float, count: int) -> Any:
    return (decay ** np.arange(count)).astype(np.float32)


def leaky_sums(num_steps: int, batch: int, weight: Tensor) -> Tensor:
    """Memory for the sums of the input of a layer, after 0 to T steps; those after none are 0."""
    sums = empty(num_steps + 1, batch, weight.shape[1])
    sums[0] = 0
    return sums


def weight_gradient(errors: Errors, last_spike: Tensor, sums: Tensor, step: int, decay: float) -> Tensor:
    """Sum over the batch of the local error times the trace."""
    gradient = empty(last_spike.shape[1], sums.shape[2])
    _run(errors, last_spike, sums, step, decay, False, gradient, gradient, gradient, False, (0.0,) * 9)
    return gradient


def update_weight(
    errors: Errors, last_spike: Tensor, sums: Tensor, step: int, decay: float, weight: Tensor, moments: Any
) -> None:
    """Adam's step by that gradient, which is not written anywhere."""
    mean, square = moments.both()
    _run(errors, last_spike, sums, step, decay, True, weight, mean, square, moments.count > 0, moments.rates())
    moments.keep(mean, square)


def _run(
    errors: Errors,
    last_spike: Tensor,
    sums: Tensor,
    step: int,
    decay: float,
    updates: bool,
    target: Tensor,
    mean: Tensor,
    square: Tensor,
    started: bool,
    rates: tuple[float, ...],
) -> None:
    batch, neurons = last_spike.shape
    group = min(batch, _ERRORS * batch * neurons // max(int(errors.counts.sum()), 1))
    groups = -(-batch // group)
    # Of large matrices, and of short rows, several blocks of columns at a time: one block of many rows lies in as many
    # pages of memory, and a line of the cache that lies in two rows should be written by one thread.
    wide = _WIDE if neurons > sums.shape[2] or target.numel() > _LARGE else 1
    _gradient_or_step(
        *arrays(errors),
        last_spike.numpy(),
        group,
        (np.empty((batch, step), np.int32), np.empty(batch, np.int64), np.empty(batch, np.int64)),
        (
            np.zeros((groups, neurons), np.int32),
            empty(groups, neurons, group, dtype=torch.int32).numpy(),
            empty(groups, neurons, group).numpy(),
        ),
        sums.numpy(),
        step,
        _powers(decay, len(sums)),
        wide,
        scratch("traces", group * (len(sums) - 1) * WIDTH),  # a group has no more: they differ in sample and step
        scratch("sums", _SUMS * WIDTH),
        updates,
        target.numpy(),
        mean.numpy(),
        square.numpy(),
        started,
        tuple(map(np.float32, rates)),
    )
