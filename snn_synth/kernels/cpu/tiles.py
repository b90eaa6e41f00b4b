"""Products of matrices on AMX, each the sum of one to three parts in bfloat16; results in float32. Numba."""

from typing import Any, Literal

import numba
import numpy as np
import torch
from torch import Tensor

from snn_synth.kernels.cpu.amx import (
    DEPTH,
    ROWS,
    SIDE,
    TILE,
    multiply_block,
    split_pairs,
    tiles_off,
    tiles_on,
    transpose_tile,
)
from snn_synth.kernels.cpu.memory import empty
from snn_synth.kernels.cpu.threads import jit

EXACT = 3  # parts: 8 bits each make the 24 of a float32

_PANEL = 32  # tiles along the sum that are done at a time
_CACHED = 2**20  # bytes of right tiles that a core's second cache holds beside what streams through it
_ZERO = np.float32(0)


@numba.njit(nogil=True)
def _scratch() -> Any:
    """A tile's numbers with zeros around them, pairs before they are transposed, and what rounding lost."""
    return np.empty(ROWS * DEPTH, np.float32), np.empty(EXACT * TILE, np.uint8), np.zeros(16, np.uint32)


@numba.njit(nogil=True)
def _aligned(size: int) -> Any:
    space = np.empty(size + 64, np.uint8)
    first = -space.ctypes.data % 64
    return space[first : first + size]


@numba.njit(nogil=True)
def _pack(
    matrix: Any, along: bool, turned: bool, height: int, depth: int, top: int, low: int, parts: int, tiles: Any, at: int
) -> None:
    """The parts of one tile: rows ``top`` to ``top + 16`` (of a right operand, columns), terms ``low`` to ``low + 32``.

    Args:
        matrix: its numbers.
        along: whether terms lie side by side, [height, depth], or rows do, [depth, height].
        turned: whether the pairs are to be transposed.
        height: rows.
        depth: terms.
        top: first row.
        low: first term.
        parts: how many.
        tiles: where to, with the scratch behind it.
        at: its place.
    """
    space, (ragged, pairs, lost) = tiles
    source, start, stride = matrix, top * depth + low, depth
    if not along:
        start, stride = low * height + top, height
    rows, terms = min(ROWS, height - top), min(DEPTH, depth - low)
    if rows < ROWS or terms < DEPTH:  # at the edge
        ragged[:] = _ZERO
        outer, inner, width = (rows, terms, DEPTH) if along else (terms, rows, ROWS)
        for i in range(outer):
            for j in range(inner):
                ragged[i * width + j] = matrix[start + i * stride + j]
        source, start, stride = ragged, 0, width
    target, place = (pairs, 0) if turned else (space, at)
    for i in range(16):
        first = start + i * stride if along else start + 2 * i * stride
        second = first + 16 if along else first + stride
        split_pairs(source, first, second, along, target, place + 64 * i, parts, lost)  # type: ignore[call-arg]
    for part in range(parts if turned else 0):
        transpose_tile(pairs, part * TILE, space, at + part * TILE)  # type: ignore[call-arg]


@numba.njit(nogil=True)
def _pack_strip(
    matrix: Any,
    along: bool,
    turned: bool,
    height: int,
    depth: int,
    strip: int,
    low: int,
    high: int,
    parts: int,
    tiles: Any,
    at: int,
) -> None:
    """The tiles ``low`` to ``high`` along the sum of 16 rows; none of those that the matrix does not have."""
    for k in range(low, high if strip * ROWS < height else low):
        place = at + (k - low) * parts * TILE
        _pack(matrix, along, turned, height, depth, strip * ROWS, k * DEPTH, parts, tiles, place)


@numba.njit(nogil=True)
def _put(block: Any, out: Any, top: int, start: int, height: int, width: int, more: bool) -> None:
    """Write a block of the result, or add it to what the panels before have left there."""
    for i in range(min(SIDE, height - top)):
        row = out[(top + i) * width + start : (top + i) * width + min(start + SIDE, width)]
        sums = block[i * SIDE : i * SIDE + len(row)]
        for j in range(len(row)):
            row[j] = sums[j] + (row[j] if more else _ZERO)


@jit
def _multiply(
    left: Any,
    left_along: bool,
    left_parts: int,
    right: Any,
    right_along: bool,
    right_parts: int,
    height: int,
    depth: int,
    width: int,
    row_shares: int,
    column_shares: int,
    lost: Any,
    out: Any,
) -> None:
    steps, rows, columns = -(-depth // DEPTH), -(-height // SIDE), -(-width // SIDE)
    panel = min(_PANEL, steps)
    row, column = panel * left_parts * TILE, panel * right_parts * TILE  # bytes of 16 rows, of 16 columns
    group = max(1, _CACHED // (2 * column))  # blocks of columns at a time
    for share in numba.prange(row_shares * column_shares):
        i, j = share % row_shares, share // row_shares
        first, last = columns * j // column_shares, columns * (j + 1) // column_shares
        lefts, rights = (_aligned(2 * row), _scratch()), (_aligned(2 * min(group, columns) * column), _scratch())
        block = _aligned(SIDE * SIDE * 4).view(np.float32)
        tiles_on()  # type: ignore[call-arg]
        for begin in range(first, last, group):
            end = min(begin + group, last)
            for low in range(0, steps, panel):
                high = min(low + panel, steps)
                for c in range(2 * begin, 2 * end):
                    place = (c - 2 * begin) * column
                    _pack_strip(
                        right, right_along, right_along, width, depth, c, low, high, right_parts, rights, place
                    )
                for r in range(rows * i // row_shares, rows * (i + 1) // row_shares):
                    for half in range(2):
                        place = half * row
                        _pack_strip(
                            left, left_along, not left_along, height, depth, 2 * r + half, low, high, left_parts, lefts, place
                        )
                    for c in range(begin, end):
                        place = 2 * (c - begin) * column
                        multiply_block(  # type: ignore[call-arg]
                            lefts[0], 0, row, left_parts, rights[0], place, column, right_parts, high - low, EXACT, block
                        )
                        _put(block, out, r * SIDE, c * SIDE, height, width, low > 0)
        tiles_off()  # type: ignore[call-arg]
        lost[share, 0], lost[share, 1] = lefts[1][2].any(), rights[1][2].any()


def product(
    left: Tensor,
    right: Tensor,
    left_parts: int,
    right_parts: int,
    spikes: Literal["left", "right"] | None = None,
) -> Tensor:
    """``left @ right``, each the sum of that many parts; either may be a contiguous matrix's transpose.

    ``spikes`` names the operand that should be exact in its one part. If it is not, it gets all three.
    """
    (height, depth), width = left.shape, right.shape[1]
    out = empty(height, width)
    threads = torch.get_num_threads()
    row_shares = min(threads, -(-height // SIDE)) if height > width else 1
    shares = row_shares, threads // row_shares
    lost = np.zeros((threads, 2), np.bool_)
    _multiply(
        _flat(left),
        left.is_contiguous(),
        left_parts,
        _flat(right),
        not right.is_contiguous(),
        right_parts,
        height,
        depth,
        width,
        *shares,
        lost,
        out.numpy().reshape(-1),
    )
    if spikes == "left" and lost[:, 0].any():
        return product(left, right, EXACT, right_parts)
    if spikes == "right" and lost[:, 1].any():
        return product(left, right, left_parts, EXACT)
    return out


def _flat(x: Tensor) -> Any:
    return (x if x.is_contiguous() else x.T).numpy().reshape(-1)
