"""Products with matrices that are mostly zeros, as spikes are: only what fired is added up. Numba, float32."""

import functools
import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from snn_synth.kernels.cpu.bits import count_differing, list_differing
from snn_synth.kernels.cpu.memory import empty
from snn_synth.kernels.cpu.rows import NARROW, WIDTH, sum_rows
from snn_synth.kernels.cpu.share import share_out, subroutine
from snn_synth.kernels.cpu.threads import jit, parallel, scratch
from snn_synth.kernels.cpu.together import at_once, finish

_TILE = 2048  # rows of the dense matrix that are added from at a time: half a megabyte, which the cache holds
_COUNTED = 2**21  # numbers from which on those of a list are counted first; a shorter one has places for all of them
_SAMPLED = 16  # rows
_ZERO = np.float32(0)


Fading = tuple[int, float]
"""How many rows B after a row the one is that it keeps a share of, and that share."""


class Sparse(NamedTuple):
    """The entries of a matrix that are not zero, row by row."""

    first: Tensor
    """Where each row begins."""
    last: Tensor
    """And where it ends; what lies between two rows is anything."""
    columns: Tensor
    values: Tensor


@parallel
def _count(share: int, start: int, stop: int, x: Any, none: Any, after: int, decay: Any, counts: Any) -> None:
    for i in range(start, stop):
        counts[i] = count_differing(x[i], x[i + after] if i + after < len(x) else none, decay)


@jit
def _count_some(team: Any, x: Any, none: Any, after: int, decay: Any, stop: int, stride: int, number: int) -> int:
    count = 0
    for k in range(number):
        i = k * stride % stop
        count += count_differing(x[i], x[i + after] if i + after < len(x) else none, decay)
    return count


@parallel
def _fill(
    share: int,
    start: int,
    stop: int,
    x: Any,
    none: Any,
    after: int,
    decay: Any,
    space: Any,
    first: Any,
    last: Any,
    columns: Any,
    values: Any,
) -> None:
    found = space[share]
    for i in range(start, stop):
        now, later, place = x[i], x[i + after] if i + after < len(x) else none, first[i]
        count = list_differing(now, later, decay, found)
        for k in range(count):
            j = found[k]
            columns[place + k] = j
            values[place + k] = now[j] - decay * later[j]
        last[i] = place + count


@subroutine
def _count_columns(
    share: int, start: int, stop: int, first: Any, last: Any, columns: Any, size: int, places: Any
) -> None:
    height = len(first)
    for part in range(start, stop):
        for i in range(min(part * size, height), min((part + 1) * size, height)):
            for p in range(first[i], last[i]):
                places[part, columns[p]] += 1


@subroutine
def _move(
    share: int,
    start: int,
    stop: int,
    first: Any,
    last: Any,
    columns: Any,
    values: Any,
    size: int,
    places: Any,
    rows: Any,
    moved: Any,
) -> None:
    height = len(first)
    for part in range(start, stop):
        for i in range(min(part * size, height), min((part + 1) * size, height)):
            for p in range(first[i], last[i]):
                place = places[part, columns[p]]
                rows[place], moved[place] = i, values[p]
                places[part, columns[p]] = place + 1


@jit
def _transpose(
    team: Any,
    first: Any,
    last: Any,
    columns: Any,
    values: Any,
    places: Any,
    begins: Any,
    ends: Any,
    rows: Any,
    moved: Any,
) -> None:
    """``places``: of each part of the rows, how many in each column, and then where to; zeros at first."""
    parts, size, end = len(places), -(-len(first) // len(places)), 0
    share_out(_count_columns, team, parts, (first, last, columns, size, places))  # type: ignore[call-arg]
    for j in range(len(begins)):
        begins[j] = end
        for part in range(parts):
            count = places[part, j]
            places[part, j] = end
            end += count
        ends[j] = end
    share_out(_move, team, parts, (first, last, columns, values, size, places, rows, moved))


@subroutine
def _read(
    dense: Any, by_rows: bool, low: int, high: int, depth: int, start: int, size: int, width: int, tile: Any
) -> None:
    if by_rows:
        for k in range(high - low):
            row = dense[(low + k) * width + start :]
            for j in range(size):  # an assignment of slices would take a second more to compile, with its messages
                tile[k * WIDTH + j] = row[j]
    else:
        for j in range(size):
            column = dense[(start + j) * depth + low : (start + j) * depth + high]
            for k in range(len(column)):
                tile[k * WIDTH + j] = column[k]


@subroutine
def _write(
    sums: Any, count: int, out: Any, by_rows: bool, top: int, height: int, start: int, size: int, width: int
) -> None:
    if by_rows:
        for i in range(count):
            row = out[(top + i) * width + start :]
            for j in range(size):
                row[j] = sums[i * WIDTH + j]
    else:
        for j in range(size):
            column = out[(start + j) * height + top : (start + j) * height + top + count]
            for i in range(len(column)):
                column[i] = sums[i * WIDTH + j]


@parallel
def _product(
    share: int,
    begin: int,
    end: int,
    first: Any,
    last: Any,
    columns: Any,
    values: Any,
    dense: Any,
    dense_by_rows: bool,
    depth: int,
    parts: int,
    out: Any,
    out_by_rows: bool,
    width: int,
    tiles: Any,
    totals: Any,
    places: Any,
) -> None:
    height = len(first)
    rows = -(-height // parts)
    direct = out_by_rows and depth <= _TILE  # columns that are done twice must not be added up twice
    tile, sums, at = tiles[share], totals[share], places[share]
    target = out if direct else sums
    for task in range(begin, end):
        size = WIDTH if width - task // parts * WIDTH > NARROW else NARROW
        start = min(task // parts * WIDTH, width - size)  # the last block does some columns again
        top = min(task % parts * rows, height)
        bottom = min(top + rows, height)
        for i in range(top, bottom):
            at[i - top] = first[i]
        place, stride = (top * width + start, width) if direct else (0, WIDTH)
        for low in range(0, depth, _TILE):
            high = min(low + _TILE, depth)
            _read(dense, dense_by_rows, low, high, depth, start, size, width, tile)
            for i in range(bottom - top):
                left = right = at[i]
                while right < last[top + i] and columns[right] < high:
                    right += 1
                count, more, goal = right - left, low > 0, place + i * stride
                if size == WIDTH:
                    sum_rows(WIDTH, tile, WIDTH, -low * WIDTH, columns, values, left, count, more, target, goal)  # type: ignore[call-arg]
                else:
                    sum_rows(NARROW, tile, WIDTH, -low * WIDTH, columns, values, left, count, more, target, goal)  # type: ignore[call-arg]
                at[i] = right
        if not direct:
            _write(sums, bottom - top, out, out_by_rows, top, height, start, size, width)


def _kept(rows: int, fading: Fading | None) -> tuple[int, Any]:
    """As kernels take it: without fading each row is all new."""
    return (rows, _ZERO) if fading is None else (fading[0], np.float32(fading[1]))


def share(x: Tensor, fading: Fading | None = None) -> float:
    """Share of the numbers, which no kernel that waits writes, that :func:`sparse` would list: of a few rows."""
    (rows, width), x = x.shape, x.contiguous()
    after, decay = _kept(rows, fading)
    stop = rows - after if after < rows else rows
    number, stride = (stop, 1) if stop <= _SAMPLED else (_SAMPLED, _spread(stop))
    with at_once():
        count: int = _count_some(x.numpy(), _nothing(width), after, decay, stop, stride, number)
    return count / (number * width)


@functools.lru_cache(64)
def _spread(rows: int) -> int:
    """Steps around a circle of rows that come to all samples and time steps alike, whatever their numbers are."""
    return next(i for i in range(int(0.618 * rows), rows) if math.gcd(i, rows) == 1)


def sparse(x: Tensor, fading: Fading | None = None) -> Sparse:
    r"""The entries of a matrix that are not zero; with ``fading``, those of :math:`x_i - \text{share}\, x_{i+B}`.

    These are what is new in each row. The last B rows keep nothing.
    """
    rows, width = x.shape
    after, decay = _kept(rows, fading)
    taken, columns = (x.numpy(), _nothing(width), after, decay), scratch("columns", width, dtype=torch.int32)
    if rows * width <= _COUNTED:
        size, first = rows * width, torch.from_numpy(_first(rows, width))
    else:
        counts = empty(rows, dtype=torch.int64)
        _count(rows, *taken, counts.numpy())
        finish()
        ends = torch.cumsum(counts, 0)
        size, first = int(ends[-1]), ends - counts
    found = Sparse(first, empty(rows, dtype=torch.int64), empty(size, dtype=torch.int32), empty(size))
    _fill(rows, *taken, columns, *arrays(found))
    return found


@functools.lru_cache(16)
def _first(rows: int, width: int) -> Any:
    """Where rows begin that have places for everything; no tensor, which inference mode would mark for good."""
    return np.arange(rows, dtype=np.int64) * width


@functools.lru_cache(16)
def _nothing(width: int) -> Any:
    """A row of zeros, which nobody writes to."""
    return np.zeros(width, np.float32)


def transpose(x: Sparse, width: int) -> Sparse:
    """The transpose of a matrix of that many columns."""
    size = x.columns.shape[0]
    ends = empty(width, dtype=torch.int64), empty(width, dtype=torch.int64)
    turned = Sparse(*ends, empty(size, dtype=torch.int32), empty(size))
    places = np.zeros((torch.get_num_threads(), width), np.int64)
    _transpose(*arrays(x), places, *arrays(turned))
    return turned


def product(x: Sparse, dense: Tensor, out: Tensor) -> Tensor:
    """``out = x @ dense``; the last two may be a contiguous matrix's transpose, and have at least WIDTH columns."""
    return product_of_arrays(arrays(x), dense, out)


def product_of_arrays(listed: tuple[Any, Any, Any, Any], dense: Tensor, out: Tensor) -> Tensor:
    """:func:`product` of what :func:`arrays` gave."""
    (depth, width), by_rows, out_by_rows = dense.shape, dense.is_contiguous(), out.is_contiguous()
    parts = max(1, 2 * torch.get_num_threads() * WIDTH // width)  # few columns: share out the rows too
    rows = -(-len(listed[0]) // parts)
    _product(
        -(-width // WIDTH) * parts,
        *listed,
        _flat(dense, by_rows),
        by_rows,
        depth,
        parts,
        _flat(out, out_by_rows),
        out_by_rows,
        width,
        scratch("tile", min(_TILE, depth) * WIDTH),
        scratch("sums", rows * WIDTH),
        scratch("places", rows, dtype=torch.int64),
    )
    return out


def arrays(x: Sparse) -> tuple[Any, Any, Any, Any]:
    """A list's memory, for NumPy."""
    return x.first.numpy(), x.last.numpy(), x.columns.numpy(), x.values.numpy()


def _flat(x: Tensor, by_rows: bool) -> Any:
    return (x if by_rows else x.T).numpy().reshape(-1)
