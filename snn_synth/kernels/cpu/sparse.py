"""Products with matrices that are mostly zeros, as spikes are: only what fired is added up. Numba, float32."""

from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from torch import Tensor

from snn_synth.kernels.cpu.memory import empty
from snn_synth.kernels.cpu.rows import WIDTH, sum_rows, table
from snn_synth.kernels.cpu.threads import jit

_TILE = 2048  # rows of the dense matrix that are added from at a time: half a megabyte, which the cache holds
_ZERO = np.float32(0)


class Sparse(NamedTuple):
    """The entries of a matrix that are not zero, row by row."""

    first: Tensor
    """Where each row begins, and where the last one ends."""
    columns: Tensor
    values: Tensor


@jit
def _count(x: Any, counts: Any) -> None:
    for i in numba.prange(len(x)):
        count: Any = 0
        for j in range(x.shape[1]):
            count += np.int32(x[i, j] != _ZERO)
        counts[i] = count


@jit
def _fill(x: Any, first: Any, columns: Any, values: Any) -> None:
    for i in numba.prange(len(x)):
        found, count = np.empty(x.shape[1] + 1, np.int32), np.int32(0)
        for j in range(x.shape[1]):  # without a branch, which would be guessed wrong at every spike
            found[count] = j
            count += np.int32(x[i, j] != _ZERO)
        for k in range(count):
            columns[first[i] + k], values[first[i] + k] = found[k], x[i, found[k]]


@jit
def _transpose(first: Any, columns: Any, values: Any, parts: int, begins: Any, rows: Any, moved: Any) -> None:
    height, width = len(first) - 1, len(begins) - 1
    share = -(-height // parts)
    places = np.zeros((parts, width), np.int64)  # for each part of the rows: how many in each column, then where to
    for part in numba.prange(parts):
        for p in range(first[min(part * share, height)], first[min((part + 1) * share, height)]):
            places[part, columns[p]] += 1
    for j in range(width):
        begins[j + 1] = begins[j]
        for part in range(parts):
            count = places[part, j]
            places[part, j] = begins[j + 1]
            begins[j + 1] += count
    for part in numba.prange(parts):
        for i in range(min(part * share, height), min((part + 1) * share, height)):
            for p in range(first[i], first[i + 1]):
                place = places[part, columns[p]]
                rows[place], moved[place] = i, values[p]
                places[part, columns[p]] = place + 1


@numba.njit(nogil=True)
def _read(dense: Any, by_rows: bool, low: int, high: int, depth: int, start: int, width: int, tile: Any) -> None:
    for k in range(high - low if by_rows else 0):
        row = dense[(low + k) * width + start : (low + k) * width + start + WIDTH]
        for j in range(WIDTH):  # an assignment of slices would take a second more to compile, with its error messages
            tile[k, j] = row[j]
    for j in range(0 if by_rows else WIDTH):
        column = dense[(start + j) * depth + low : (start + j) * depth + high]
        for k in range(len(column)):
            tile[k, j] = column[k]


@numba.njit(nogil=True)
def _write(sums: Any, out: Any, by_rows: bool, top: int, height: int, start: int, width: int) -> None:
    for i in range(len(sums) if by_rows else 0):
        row = out[(top + i) * width + start : (top + i) * width + start + WIDTH]
        for j in range(WIDTH):
            row[j] = sums[i, j]
    for j in range(0 if by_rows else WIDTH):
        column = out[(start + j) * height + top : (start + j) * height + top + len(sums)]
        for i in range(len(column)):
            column[i] = sums[i, j]


@jit
def _product(
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
) -> None:
    height = len(first) - 1
    blocks, rows = -(-width // WIDTH), -(-height // parts)
    direct = out_by_rows and depth <= _TILE  # columns that are done twice must not be added up twice
    for task in numba.prange(blocks * parts):
        start = min(task // parts * WIDTH, width - WIDTH)  # the last block does some columns again
        top = min(task % parts * rows, height)
        bottom = min(top + rows, height)
        tile, sums = table(min(_TILE, depth)), table(0 if direct else bottom - top)
        at, target = first[top:bottom].copy(), out if direct else sums.reshape(-1)
        place, stride = (top * width + start, width) if direct else (0, WIDTH)
        for low in range(0, depth, _TILE):
            high = min(low + _TILE, depth)
            _read(dense, dense_by_rows, low, high, depth, start, width, tile)
            for i in range(bottom - top):
                begin = end = at[i]
                while end < first[top + i + 1] and columns[end] < high:
                    end += 1
                count, more = end - begin, low > 0
                sum_rows(tile, -low * WIDTH, columns, values, begin, count, more, target, place + i * stride)  # type: ignore[call-arg]
                at[i] = end
        if not direct:
            _write(sums, out, out_by_rows, top, height, start, width)


def sparse(x: Tensor) -> Sparse:
    """The entries of a matrix that are not zero."""
    first = x.new_zeros(len(x) + 1, dtype=torch.int64)
    _count(x.numpy(), first[1:].numpy())
    torch.cumsum(first, 0, out=first)
    count = int(first[-1])
    found = Sparse(first, empty(count, dtype=torch.int32), empty(count))
    _fill(x.numpy(), *(part.numpy() for part in found))
    return found


def transpose(x: Sparse, width: int) -> Sparse:
    """The transpose of a matrix of that many columns."""
    first = x.first.new_zeros(width + 1)
    turned = Sparse(first, empty(len(x.columns), dtype=torch.int32), empty(len(x.values)))
    _transpose(*(part.numpy() for part in x), torch.get_num_threads(), *(part.numpy() for part in turned))
    return turned


def product(x: Sparse, dense: Tensor, out: Tensor) -> Tensor:
    """``out = x @ dense``; the last two may be a contiguous matrix's transpose, and have at least WIDTH columns."""
    depth, width = dense.shape
    parts = max(1, 2 * torch.get_num_threads() * WIDTH // width)  # few columns: share out the rows too
    _product(
        *(part.numpy() for part in x),
        _flat(dense),
        dense.is_contiguous(),
        depth,
        parts,
        _flat(out),
        out.is_contiguous(),
        width,
    )
    return out


def _flat(x: Tensor) -> Any:
    return (x if x.is_contiguous() else x.T).numpy().reshape(-1)
