"""The online rule's weight gradient (eq. 10-17), its traces made where they are used: numba, float32."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from snn_synth.kernels.cpu import choice
from snn_synth.kernels.cpu.error_lists import list_all, number_all
from snn_synth.kernels.cpu.memory import empty
from snn_synth.kernels.cpu.rows import NARROW, WIDTH, prefetch, sum_rows
from snn_synth.kernels.cpu.share import share_out, subroutine
from snn_synth.kernels.cpu.step import Errors, errors
from snn_synth.kernels.cpu.threads import jit, kept, made_once, scratch
from snn_synth.kernels.cpu.together import at_once, start
from snn_synth.kernels.dispatch import forced_product

_ZERO = np.float32(0)
_ERRORS = 16  # of a neuron in a group of samples: more would push the group's traces out of the cache
_TINY = np.float32(1e-16)  # beside eps, a gradient below moves nothing; its square would be subnormal, which takes long
_WORTH = 2**20  # multiplications; fewer are done before a choice is looked up
_LARGE = 2**22  # weights; more are taken several blocks of columns at a time, and have no product
_WIDE = 8  # blocks
_AHEAD = 12  # blocks, or as many as whole rows of them are: so far on are weights fetched while Adam updates others
_VECTORS = WIDTH // NARROW  # of a block of columns
_SUMS = 4096  # blocks of which the sums stay in the cache: a megabyte

WAYS = "traces", "product"

# A neuron's trace is Y[t] - decay^(t-r) Y[r], so in one sample all neurons that last fired at r share it. Each of these
# traces is made once, and the gradient of a neuron is a weighted sum of them. Errors that are zero take no part.
# Where there are many more errors than neurons that have fired, a product of matrices may sum Y[t] over all errors, and
# the traces are what it has to be corrected by, -decay^(t-r) Y[r]: of r = 0 there is nothing to correct.


@subroutine
def _make_trace(now: Any, share: Any, then: Any, corrects: bool, trace: Any) -> None:
    if corrects:
        for j in range(len(now)):
            trace[j] = -share * then[j]
    else:
        for j in range(len(now)):
            trace[j] = now[j] - share * then[j]  # eq. 10, eq. 16
    prefetch(then, WIDTH)  # type: ignore[call-arg]


@subroutine
def _make_traces(
    sums: Any, step: int, b: int, powers: Any, corrects: bool, row_of: Any, size: int, start: int, traces: Any, top: int
) -> None:
    """The traces of a sample in rows from ``top`` on: columns from ``start`` on."""
    end = min(start + WIDTH, sums.shape[2])
    for r in range(step - 1, -1, -1):
        if row_of[r] < size:  # it occurs, for the next one has another number
            size = row_of[r]
            trace = traces[(top + size) * WIDTH :]
            _make_trace(sums[step, b, start:end], powers[step - r], sums[r, b, start:end], corrects, trace)


@subroutine
def _add_traces(
    traces: Any,
    counts: Any,
    rows: Any,
    weights: Any,
    first: int,
    last: int,
    more: bool,
    narrow: bool,
    sums: Any,
    at: int,
) -> None:
    """Of the neurons from ``first`` to ``last``: the sums over their lists (eq. 11, eq. 17), from row ``at`` on."""
    for m in range(first, last):
        place = (at + m - first) * WIDTH
        if narrow:
            sum_rows(NARROW, traces, WIDTH, 0, rows[m], weights[m], 0, counts[m], more, sums, place)  # type: ignore[call-arg]
        else:
            sum_rows(WIDTH, traces, WIDTH, 0, rows[m], weights[m], 0, counts[m], more, sums, place)  # type: ignore[call-arg]


@subroutine
def _write(found: Any, row: Any) -> None:
    for j in range(len(row)):
        row[j] = found[j]


@subroutine
def _update(
    found: Any, weight: Any, mean: Any, square: Any, started: bool, rates: Any, m: int, start: int, ahead: int
) -> None:
    """Adam's step of a block of a neuron's weights; moments hold nothing before the first."""
    keep_mean, keep_square, new_mean, new_square = rates[0], rates[1], rates[2], rates[3]
    step_size, root, eps, shrink, l2 = rates[4], rates[5], rates[6], rates[7], rates[8]
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
        prefetch(x, ahead)  # type: ignore[call-arg]


@jit
def _fired(team: Any, last_spike: Any) -> int:
    """How many neurons have fired."""
    fired = 0
    for b in range(last_spike.shape[0]):
        for m in range(last_spike.shape[1]):
            fired += last_spike[b, m] > 0
    return fired


@subroutine
def _vectors(columns: int) -> int:
    """Vectors that the sums of so many columns take: of what is left after whole blocks, one or a block's."""
    rest = columns % WIDTH
    return columns // WIDTH * _VECTORS + (0 if rest == 0 else 1 if rest <= NARROW else _VECTORS)


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
    group: int,
    lists: Any,
    base: Any,
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
    """Of some of the neurons in each of the ``wide`` blocks of columns: the gradient, or Adam's step by it.

    Work is counted in vectors of a neuron's columns.
    """
    (neurons, inputs), batch, corrects = target.shape, len(row_of), len(base) > 0
    counts, rows, weights = lists
    most, traces, found = _SUMS // wide, tables[share], totals[share]
    whole = wide * _VECTORS * neurons  # of all blocks of columns but the last ones
    while at < last:
        start = at // whole * WIDTH * wide
        rest = inputs - start
        each = min(wide * _VECTORS, _vectors(rest))
        first, stop = at % whole // each, min(neurons, (last - at + at % whole) // each)
        if first == stop:  # the rest of a neuron's columns, which the next share begins with
            break
        end = min(stop, first + most)
        at += end * each - at % whole
        size, several = end - first, min(wide, -(-rest // WIDTH))
        ahead = _AHEAD // several * inputs
        for i in range(several if corrects else 0):
            column = start + i * WIDTH
            for m in range(size):
                row, place = base[first + m, column : column + WIDTH], (i * size + m) * WIDTH
                _write(row, found[place : place + len(row)])
        for g in range(-(-batch // group)):
            begin = g * group
            for i in range(several):
                column, more = start + i * WIDTH, corrects or g > 0
                narrow = inputs - column <= NARROW
                for b in range(begin, min(batch, begin + group)):
                    own, top = row_of[b, :step], sizes[2, b]
                    _make_traces(sums, step, b, powers, corrects, own, sizes[1, b], column, traces, top)
                _add_traces(traces, counts[g], rows[g], weights[g], first, end, more, narrow, found, i * size)
        for m in range(size):
            for i in range(several):
                column, sum_ = start + i * WIDTH, found[(i * size + m) * WIDTH :]
                if updates:
                    _update(sum_, target, mean, square, started, rates, first + m, column, ahead)
                else:
                    _write(sum_, target[first + m, column : column + WIDTH])


@jit
def _gradient_or_step(
    team: Any,
    delta: Any,
    wrong: Any,
    errors: Any,
    last_spike: Any,
    sums: Any,
    step: int,
    powers: Any,
    chosen: Any,
    row_of: Any,
    sizes: Any,
    counts: Any,
    rows: Any,
    weights: Any,
    base: Any,
    group: int,
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
    """Of each neuron and group of samples: the errors, and the rows of their traces; then the sums of those."""
    batch, earliest = len(delta), 1 if len(base) > 0 else 0
    share_out(number_all, team, batch, (last_spike, wrong, errors, earliest, step, chosen, row_of, sizes))  # type: ignore[call-arg]
    for b in range(batch):
        sizes[2, b] = 0 if b % group == 0 else sizes[2, b - 1] + sizes[1, b - 1]
    listing = delta, last_spike, chosen, row_of, sizes, group, (counts, rows, weights)
    share_out(list_all, team, -(-batch // group), listing)
    traced = sums, step, powers, row_of, sizes, group, (counts, rows, weights), base, wide, tables, totals
    work = _vectors(target.shape[1]) * len(target)
    share_out(_sum_all, team, work, (*traced, updates, target, mean, square, started, rates))


@functools.lru_cache(maxsize=64)
def _powers(decay: float, count: int) -> Any:
    return (decay ** np.arange(count)).astype(np.float32)


class _Parameters(NamedTuple):
    """The gradient that is written or, with rates, the weights that learn by it, and their moments."""

    target: Any
    mean: Any
    square: Any
    started: bool = False
    rates: tuple[float, ...] = ()


def leaky_sums(num_steps: int, batch: int, weight: Tensor) -> Tensor:
    """Memory for the sums of the input of a layer, after 0 to T steps; those after none are 0."""
    sums = empty(num_steps + 1, batch, weight.shape[1])
    sums[0] = 0
    return sums


def weight_gradient(errors: Errors, last_spike: Tensor, sums: Tensor, step: int, decay: float) -> Tensor:
    """Sum over the batch of the local error times the trace."""
    gradient = empty(last_spike.shape[1], sums.shape[2])
    array = gradient.numpy()
    _run(errors, last_spike.numpy(), sums, step, decay, _Parameters(array, array, array))
    return gradient


def update_weight(errors: Errors, last_spike: Tensor, sums: Tensor, step: int, decay: float, moments: Any) -> None:
    """Adam's step by that gradient, which is not written anywhere."""
    weight, mean, square = moments.arrays
    parameters = _Parameters(weight, mean, square, moments.count > 0, moments.rates())
    _run(errors, last_spike.numpy(), sums, step, decay, parameters)
    start(moments.keep)


def _run(errors: Errors, last_spike: Any, sums: Tensor, step: int, decay: float, parameters: _Parameters) -> None:
    listed = errors.listed()
    fired = listed
    if 2 * listed > last_spike.size:  # of few errors, a product never pays
        with at_once():
            fired = _fired(last_spike)
    product = 2 * (listed - fired) > last_spike.size and _product_pays(len(last_spike), parameters.target, fired)
    _compute(product, fired if product else listed, errors, last_spike, sums, step, decay, parameters)


def _product_pays(batch: int, target: Any, fired: int) -> bool:
    """Whether a product that is corrected is the fastest way here, while so many neurons have fired."""
    neurons, inputs = target.shape

    def ways(sizes: tuple[int, ...], share: float) -> Mapping[str, Callable[[], Any]]:
        batch, neurons, inputs = sizes
        generator, steps = torch.Generator().manual_seed(0), 8
        found = errors(torch.randn(batch, neurons, generator=generator, dtype=torch.float32, device="cpu"))
        last = torch.randint(1, steps, (batch, neurons), generator=generator, dtype=torch.int32, device="cpu")
        last *= torch.rand(batch, neurons, generator=generator, device="cpu") < share
        sums = torch.rand(steps + 1, batch, inputs, generator=generator, dtype=torch.float32, device="cpu")
        sums[0] = 0
        gradient = empty(neurons, inputs).numpy()

        def run(product: bool) -> None:
            count = int(last.count_nonzero()) if product else last.numel()
            parameters = _Parameters(gradient, gradient, gradient)
            _compute(product, count, found, last.numpy(), sums, steps, 0.9, parameters)

        return {"traces": lambda: run(False), "product": lambda: run(True)}

    forced = forced_product()
    if target.size > _LARGE or forced or batch * target.size < _WORTH:
        return target.size <= _LARGE and forced == "float32"
    share = 0.2 if 4 * fired <= batch * neurons else 0.4
    return choice.fastest("gradient of traces", (batch, neurons, inputs), share, WAYS, ways) == "product"


def _compute(
    product: bool,
    listed: int,
    errors: Errors,
    last_spike: Any,
    sums: Tensor,
    step: int,
    decay: float,
    parameters: _Parameters,
) -> None:
    target, mean, square, started, rates = parameters
    past = sums.numpy()
    (batch, neurons), (num_steps, _, inputs) = last_spike.shape, past.shape
    group = max(1, min(batch, _ERRORS * batch * neurons // max(listed, 1)))
    # Of large matrices, and of short rows, several blocks of columns at a time: one block of many rows lies in as many
    # pages of memory, and a line of the cache that lies in two rows should be written by one thread.
    wide = _WIDE if neurons > inputs or target.size > _LARGE else 1
    base, rows = kept("product", neurons * product, inputs), group * (num_steps - 1)
    # A group has no more traces than that: they differ in sample and step.
    *lists, rows_of, weights, tables, totals = _memory(batch, neurons, num_steps, 1 << (rows - 1).bit_length())
    groups = -(-batch // group)
    if product:
        start(torch.mm, errors.values.T, sums[step], out=torch.from_numpy(base))
    _gradient_or_step(
        errors.array,
        errors.neurons,
        errors.counts,
        last_spike,
        past,
        step,
        _powers(decay, num_steps),
        *lists,
        *(x[: groups * neurons * group].reshape(groups, neurons, group) for x in (rows_of, weights)),
        base,
        group,
        wide,
        tables,
        totals,
        len(rates) > 0,
        target,
        mean,
        square,
        started,
        np.array(rates or (0,), np.float32),
    )


@made_once
def _memory(batch: int, neurons: int, num_steps: int, rows: int) -> tuple[Any, ...]:
    """What errors are listed in, for groups of any size, and what so many traces and their sums are in."""
    return (
        kept("chosen", batch, neurons, dtype=torch.int32),
        kept("rows", batch, num_steps, dtype=torch.int32),
        kept("sizes", 3, batch, dtype=torch.int64),  # of a sample, its errors in the lists, its traces, the first's row
        kept("counts", batch, neurons, dtype=torch.int32),
        kept("listed", 2 * batch * neurons, dtype=torch.int32),
        kept("weights", 2 * batch * neurons),
        scratch("traces", rows * WIDTH),
        scratch("sums", _SUMS * WIDTH),
    )
