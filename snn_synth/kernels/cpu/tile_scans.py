"""A layer's product on AMX tiles and its neurons' scan over time, of a few samples at a time (eq. 1-9). Numba.

Currents of so few samples are still in a core's cache when they are scanned, and are nowhere else.
"""

import functools
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from snn_synth.kernels.cpu.amx import DEPTH, ROWS, SIDE, TILE, multiply_block, split_pairs, tiles_off, tiles_on
from snn_synth.kernels.cpu.lif import rest
from snn_synth.kernels.cpu.memory import empty
from snn_synth.kernels.cpu.sample import add_up, clear, fire, integrate, lose, pass_back, total_of
from snn_synth.kernels.cpu.share import share_out, subroutine
from snn_synth.kernels.cpu.threads import jit, kept, made_once, scratch
from snn_synth.kernels.cpu.tiles import CACHED, EXACT, PANEL, Operand, Scratch, Team, flat, pack_all, team_arrays
from snn_synth.kernels.cpu.together import finish, start

_SPIKES, _FORWARD, _LOSS, _BACKWARD = range(4)
_CURRENTS = 3 * 2**17  # bytes of them that the second cache holds beside the weights' tiles
_ZERO = np.float32(0)


class Samples(NamedTuple):
    """The left operand, ``[T, B, depth]``, of which some samples at a time become tiles."""

    numbers: Any
    num_steps: int
    batch: int
    depth: int
    parts: int
    group: int
    """How many samples at a time."""


class Work(NamedTuple):
    """What threads work with beside what :func:`tiles.team_arrays` gives: all but the weights by their number."""

    weights: Any
    """All tiles of the weights: memory that the products of a network share, so that it stays in the cache."""
    rows: Any
    """The tiles of 32 rows of the samples."""
    starts: Any
    """Where rows begin."""
    currents: Any
    """Of whole blocks: behind the neurons' and the last rows there may be some of nobody."""


class Scan(NamedTuple):
    """What becomes of the currents. Some kinds need less than all: then any array of the same kind stands there."""

    kind: int
    decay: Any
    threshold: Any
    slope: Any
    """Of the surrogate, for a gradient."""
    mask: bool
    """This and the next of a loss."""
    scale: Any
    initial: Any
    """Membranes at rest."""
    given: Any
    """Targets of a loss; membranes of a gradient."""
    out: Any
    """Spikes, or a gradient."""
    membranes: Any
    """Of a forward pass that keeps them."""
    space: Any
    """Of each thread, rows for a sample."""
    totals: Any
    """Of a loss, by sample; of membranes that are kept, by thread."""
    total: Any
    """The loss."""


@subroutine
def _pack_rows(samples: Any, first: int, count: int, top: int, starts: Any, tiles: Any, own: Any) -> None:
    """16 rows of ``count`` samples from ``first`` on, which are in turns at one time step after the other."""
    batch, depth, parts, ragged = samples.batch, samples.depth, samples.parts, own.ragged
    for i in range(ROWS):
        row = top + i
        starts[i] = ((row // count) * batch + first + row % count) * depth if row < samples.num_steps * count else -1
    for k in range(-(-depth // DEPTH)):
        low, terms = k * DEPTH, min(DEPTH, depth - k * DEPTH)
        for i in range(ROWS):
            source, at = samples.numbers, starts[i] + low
            if starts[i] < 0 or terms < DEPTH:
                source, at = ragged[:DEPTH], 0
                for j in range(DEPTH):
                    source[j] = samples.numbers[starts[i] + low + j] if starts[i] >= 0 and j < terms else _ZERO
            place = k * parts * TILE + 64 * i
            split_pairs(source, at, at + 16, True, tiles, place, parts, own.lost)  # type: ignore[call-arg]


@subroutine
def _multiply(share: int, samples: Any, first: int, count: int, right: Any, work: Any, team: Any) -> None:
    """The currents of ``count`` samples from ``first`` on, whose rows are in turns at one time step after the other."""
    rows, steps, columns = samples.num_steps * count, -(-right.depth // DEPTH), -(-right.height // SIDE)
    row, column = steps * samples.parts * TILE, steps * right.parts * TILE  # bytes of 16
    rights, lefts = work.weights, work.rows[share]
    own = Scratch(team.ragged[share], team.pairs[share], team.lost[share, 0])
    starts, currents = work.starts[share], work.currents[share]
    line = 4 * currents.shape[1]  # bytes
    tiles_on()  # type: ignore[call-arg]
    for top in range(0, rows, SIDE):
        _pack_rows(samples, first, count, top, starts, lefts, own)
        _pack_rows(samples, first, count, top + ROWS, starts, lefts[row:], own)
        for c in range(columns):
            at, place = 2 * c * column, top * line + 4 * c * SIDE
            multiply_block(
                lefts, 0, row, samples.parts, rights, at, column, right.parts, steps, EXACT, currents, place, line
            )
    tiles_off()


@subroutine
def _scan_some(share: int, first: int, last: int, samples: Any, right: Any, work: Any, team: Any, scan: Any) -> None:
    decay, threshold, given, out, space = scan.decay, scan.threshold, scan.given, scan.out, scan.space[share]
    totals, sums, currents = scan.totals, scan.space[share, 0], work.currents[share]
    if scan.kind == _FORWARD:
        clear(sums)
    for begin in range(first, last, samples.group):
        count = min(samples.group, last - begin)
        _multiply(share, samples, begin, count, right, work, team)
        for at in range(count):
            b = begin + at
            if scan.kind == _SPIKES:
                fire(currents, at, count, b, decay, threshold, None, space, out)
            elif scan.kind == _FORWARD:
                integrate(currents, at, count, b, scan.initial, decay, threshold, None, out, scan.membranes, sums)
            elif scan.kind == _LOSS:
                errors = scan.mask, scan.scale, space, totals, out, None, None
                lose(currents, at, count, b, given, decay, threshold, None, *errors)
            else:
                neuron = scan.initial, decay, threshold, None, scan.slope
                pass_back(True, currents, at, count, b, False, given, given, *neuron, out, None, None)
    if scan.kind == _FORWARD:
        totals[share] = total_of(sums)


# One kernel for all kinds: the products, which take longest to compile, are compiled once.
@jit
def _scan(threads: Any, samples: Any, right: Any, work: Any, team: Any, scan: Any) -> None:
    share_out(pack_all, threads, -(-right.height // SIDE), (right, 1, team, work.weights))  # type: ignore[call-arg]
    share_out(_scan_some, threads, samples.batch, (samples, right, work, team, scan))
    if scan.kind == _LOSS:
        add_up(scan.totals, scan.total)


def fit(inputs: Tensor, width: int) -> bool:
    """Whether one pass pays for a product of ``inputs``, ``[T, B, depth]``, and weights that give ``width`` numbers.

    A core's cache should hold all parts of the weights, and the results of a sample; threads, which share the samples,
    should have enough of them to fill blocks. And a product of its own should add up all terms at once as well, so that
    results are the same bits.
    """
    num_steps, batch, depth = inputs.shape
    steps, columns, shared = -(-depth // DEPTH), -(-width // SIDE), -(-batch // torch.get_num_threads())
    if steps * EXACT > PANEL or 2 * EXACT * steps * columns * TILE > CACHED:
        return False
    if 4 * num_steps * _whole(width) > _CURRENTS:
        return False
    group = _group(num_steps, shared, width)
    rows = shared // group * _whole(num_steps * group) + _whole(num_steps * (shared % group))
    return 4 * num_steps * batch >= 3 * rows * torch.get_num_threads()


# Inputs that are not ``known`` to be spikes may not be exact in one part, which shows when they are packed: then they
# get all three. All tensors are contiguous.


def spikes(
    inputs: Tensor, weight: Tensor, decay: float, threshold: float, known: bool = False, input_parts: int = 1
) -> Tensor:
    """Spikes of neurons from rest, ``[T, B, out]``, given those of their inputs ``[T, B, in]``."""
    out = empty(*inputs.shape[:2], len(weight))
    product = _product(inputs, weight, True, input_parts, EXACT, known)
    _run(product, _SPIKES, decay, threshold, out)
    if known or product.exact():
        return out
    return spikes(inputs, weight, decay, threshold, True, EXACT)


def forward(
    inputs: Tensor,
    weight: Tensor,
    parts: int,
    known: bool,
    decay: float,
    threshold: float,
    totals: Any,
    input_parts: int = 1,
) -> tuple[Tensor, Tensor, bool]:
    """Spikes, membranes, and whether the inputs are known or found to be spikes; ``totals`` as of ``lif.forward``."""
    shape = *inputs.shape[:2], len(weight)
    product, out, membranes = _product(inputs, weight, True, input_parts, parts, known), empty(*shape), empty(*shape)
    _run(product, _FORWARD, decay, threshold, out, membranes=membranes, totals=totals)
    if known or product.exact():
        return out, membranes, input_parts == 1
    return forward(inputs, weight, parts, True, decay, threshold, totals, EXACT)


def loss(
    inputs: Tensor,
    weight: Tensor,
    parts: int,
    known: bool,
    targets: Tensor,
    decay: float,
    threshold: float,
    mask: bool,
    scale: float,
    input_parts: int = 1,
) -> tuple[Tensor, Tensor, bool]:
    """Half the sum of the squared errors, in float64, ``scale`` times its gradient by the currents; and as above."""
    product = _product(inputs, weight, True, input_parts, parts, known)
    total, gradient = empty(1, dtype=torch.float64), empty(*targets.shape)
    _run(product, _LOSS, decay, threshold, gradient, given=targets, mask=mask, scale=scale, total=total.numpy())
    if known or product.exact():
        return total[0], gradient, input_parts == 1
    return loss(inputs, weight, parts, True, targets, decay, threshold, mask, scale, EXACT)


def backward(
    delta: Tensor, weight: Tensor, parts: int, membranes: Tensor, decay: float, threshold: float, slope: float
) -> Tensor:
    """The gradient by the currents of the layer below, given that of the layer that has these weights."""
    gradient, product = empty(*membranes.shape), _product(delta, weight, False, parts, parts, True)
    _run(product, _BACKWARD, decay, threshold, gradient, given=membranes, slope=slope)
    return gradient


class _Product(NamedTuple):
    samples: Samples
    right: Operand
    work: Work
    team: Team

    def exact(self) -> bool:
        """Whether the inputs were, once they are packed."""
        finish()
        return not self.team.lost[:, 0].any()


def _product(inputs: Tensor, weight: Tensor, turned: bool, parts: int, weight_parts: int, known: bool) -> _Product:
    """Of inputs and the ``turned`` weights, or the weights as they lie; ``known`` if nobody will ask if it is exact."""
    (num_steps, batch, depth), width = inputs.shape, weight.shape[0 if turned else 1]
    group = _group(num_steps, -(-batch // torch.get_num_threads()), width)
    samples = Samples(flat(inputs.flatten(0, 1)), num_steps, batch, depth, parts, group)
    block = 2 * -(-depth // DEPTH) * TILE  # bytes of the tiles of 32 rows or columns, of one part
    work = _work(-(-width // SIDE) * block * weight_parts, block * parts, num_steps * group, width)
    team = team_arrays()
    if not known:
        start(team.lost.fill, 0)
    return _Product(samples, Operand(flat(weight), width, depth, turned, turned, weight_parts), work, team)


def _run(
    product: _Product,
    kind: int,
    decay: float,
    threshold: float,
    out: Tensor,
    *,
    given: Tensor | None = None,
    membranes: Tensor | None = None,
    slope: float = 0.0,
    mask: bool = False,
    scale: float = 0.0,
    totals: Any = None,
    total: Any = None,
) -> None:
    (num_steps, batch, neurons), array = out.shape, out.numpy()
    if totals is None:
        totals = kept("totals", batch, dtype=torch.float64)
    scan = Scan(
        kind,
        np.float32(decay),
        np.float32(threshold),
        np.float32(slope),
        mask,
        np.float32(scale),
        rest(batch, neurons),
        array if given is None else given.numpy(),
        array,
        array if membranes is None else membranes.numpy(),
        scratch("steps", num_steps + 3, neurons),
        totals,
        totals if total is None else total,
    )
    _scan(*product, scan)


@made_once
def _work(weights: int, rows: int, num_rows: int, width: int) -> Work:
    return Work(
        kept("weights", max(CACHED, weights), dtype=torch.uint8),
        scratch("rows", rows, dtype=torch.uint8),
        scratch("starts", ROWS, dtype=torch.int64),
        scratch("currents", _whole(num_rows), _whole(width)),
    )


def _whole(number: int) -> int:
    return -(-number // SIDE) * SIDE


@functools.lru_cache(64)
def _group(num_steps: int, samples: int, width: int) -> int:
    """How many samples of a thread's at a time: few enough for the cache, and so many that they fill blocks of rows."""
    most = min(samples, max(1, _CURRENTS // (4 * num_steps * _whole(width))))
    return max(range(1, most + 1), key=lambda count: (num_steps * count / _whole(num_steps * count), count))
