"""Products with matrices that are mostly zeros, as spikes are: only what fired is added up. Numba, float32."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from snn_synth.kernels.cpu.memory import empty
from snn_synth.kernels.cpu.rows import NARROW, WIDTH, sum_rows
from snn_synth.kernels.cpu.share import share_out, subroutine
from snn_synth.kernels.cpu.threads import jit, parallel, scratch

_TILE = 2048  # rows of the dense matrix that are added from at a time: half a megabyte, which the cache holds
_ZERO = np.float32(0)


class Sparse(NamedTuple):
    """The entries of a matrix that are not zero, row by row."""

    first: Tensor
    """Where each row begins, and where the last one ends."""
    columns: Tensor
    values: Tensor


@parallel
def _count(share: int, start: int, stop: int, x: Any, counts: Any) -> None:
    for i in range(start, stop):
        count: Any = 0
        for j in range(x.shape[1]):
            count += np.int32(x[i, j] != _ZERO)
        counts[i] = count


@parallel
def _fill(share: int, start: int, stop: int, x: Any, space: Any, first: Any, columns: Any, values: Any) -> None:
    found = space[share]
    for i in range(start, stop):
        count = np.int32(0)
        for j in range(x.shape[1]):  # without a branch, which would be guessed wrong at every spike
            found[count] = j
            count += np.int32(x[i, j] != _ZERO)
        for k in range(count):
            columns[first[i] + k], values[first[i] + k] = found[k], x[i, found[k]]


@subroutine
def _count_columns(share: int, start: int, stop: int, first: Any, columns: Any, size: int, places: Any) -> None:
    height = len(first) - 1
    for part in range(start, stop):
        for p in range(first[min(part * size, height)], first[min((part + 1) * size, height)]):
            places[part, columns[p]] += 1


@subroutine
def _move(
    share: int,
    start: int,
    stop: int,
    first: Any,
    columns: Any,
    values: Any,
    size: int,
    places: Any,
    rows: Any,
    moved: Any,
) -> None:
    height = len(first) - 1
    for part in range(start, stop):
        for i in range(min(part * size, height), min((part + 1) * size, height)):
            for p in range(first[i], first[i + 1]):
                place = places[part, columns[p]]
                rows[place], moved[place] = i, values[p]
                places[part, columns[p]] = place + 1


@jit
def _transpose(
    team: Any, first: Any, columns: Any, values: Any, places: Any, begins: Any, rows: Any, moved: Any
) -> None:
    """``places``: of each part of the rows, how many in each column, and then where to; zeros at first."""
    parts, size = len(places), -(-(len(first) - 1) // len(places))
    share_out(_count_columns, team, parts, (first, columns, size, places))  # type: ignore[call-arg]
    for j in range(len(begins) - 1):
        begins[j + 1] = begins[j]
        for part in range(parts):
            count = places[part, j]
            places[part, j] = begins[j + 1]
            begins[j + 1] += count
    share_out(_move, team, parts, (first, columns, values, size, places, rows, moved))


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
    height = len(first) - 1
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
                while right < first[top + i + 1] and columns[right] < high:
                    right += 1
                count, more, goal = right - left, low > 0, place + i * stride
                if size == WIDTH:
                    sum_rows(WIDTH, tile, WIDTH, -low * WIDTH, columns, values, left, count, more, target, goal)  # type: ignore[call-arg]
                else:
                    sum_rows(NARROW, tile, WIDTH, -low * WIDTH, columns, values, left, count, more, target, goal)  # type: ignore[call-arg]
                at[i] = right
        if not direct:
            _write(sums, bottom - top, out, out_by_rows, top, height, start, size, width)


def sparse(x: Tensor) -> Sparse:
    """The entries of a matrix that are not zero."""
    first = x.new_zeros(len(x) + 1, dtype=torch.int64)
    _count(len(x), x.numpy(), first[1:].numpy())
    torch.cumsum(first, 0, out=first)
    count = int(first[-1])
    found = Sparse(first, empty(count, dtype=torch.int32), empty(count))
    _fill(len(x), x.numpy(), scratch("columns", x.shape[1], dtype=torch.int32), *(part.numpy() for part in found))
    return found


def transpose(x: Sparse, width: int) -> Sparse:
    """The transpose of a matrix of that many columns."""
    first = x.first.new_zeros(width + 1)
    turned = Sparse(first, empty(len(x.columns), dtype=torch.int32), empty(len(x.values)))
    places = np.zeros((torch.get_num_threads(), width), np.int64)
    _transpose(*(part.numpy() for part in x), places, *(part.numpy() for part in turned))
    return turned


def product(x: Sparse, dense: Tensor, out: Tensor) -> Tensor:
    """``out = x @ dense``; the last two may be a contiguous matrix's transpose, and have at least WIDTH columns."""
    depth, width = dense.shape
    parts = max(1, 2 * torch.get_num_threads() * WIDTH // width)  # few columns: share out the rows too
    rows = -(-(len(x.first) - 1) // parts)
    _product(
        -(-width // WIDTH) * parts,
        *(part.numpy() for part in x),
        _flat(dense),
        dense.is_contiguous(),
        depth,
        parts,
        _flat(out),
        out.is_contiguous(),
        width,
        scratch("tile", min(_TILE, depth) * WIDTH),
        scratch("sums", rows * WIDTH),
        scratch("places", rows, dtype=torch.int64),
    )
    return out


def _flat(x: Tensor) -> Any:
    return (x if x.is_contiguous() else x.T).numpy().reshape(-1)
