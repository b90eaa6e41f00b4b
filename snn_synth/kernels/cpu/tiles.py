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

_PANEL = 96  # tiles of left parts along the sum that are done at a time, of 32 rows: 200 KB
_CACHED = 5 * 2**18  # bytes of right tiles that a core's second cache holds beside what streams through it
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
def _pack_strips(
    matrix: Any,
    along: bool,
    turned: bool,
    height: int,
    depth: int,
    first: int,
    last: int,
    low: int,
    high: int,
    parts: int,
    tiles: Any,
    at: int,
    strip: int,
) -> None:
    """Strips of 16 rows, each ``strip`` bytes, and of each the tiles ``low`` to ``high`` along the sum.

    In the order of the numbers in memory; strips that the matrix does not have are left out.
    """
    last = min(last, -(-height // ROWS))
    outer, inner = (last - first, high - low) if along else (high - low, last - first)
    for i in range(outer):
        for j in range(inner):
            s, k = (i, j) if along else (j, i)
            place, top = at + s * strip + k * parts * TILE, (first + s) * ROWS
            _pack(matrix, along, turned, height, depth, top, (low + k) * DEPTH, parts, tiles, place)


@jit
def _pack_left(matrix: Any, along: bool, height: int, depth: int, parts: int, lost: Any, tiles: Any) -> None:
    """All of a left operand."""
    steps, rows = -(-depth // DEPTH), -(-height // SIDE)
    strip, shares = steps * parts * TILE, len(lost)
    for share in numba.prange(shares):
        scratch = _scratch()
        for r in range(rows * share // shares, rows * (share + 1) // shares):
            _pack_strips(
                matrix,
                along,
                not along,
                height,
                depth,
                2 * r,
                2 * r + 2,
                0,
                steps,
                parts,
                (tiles, scratch),
                2 * r * strip,
                strip,
            )
        lost[share] = scratch[2].any()


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
    packed: Any,
    right: Any,
    right_along: bool,
    right_parts: int,
    height: int,
    depth: int,
    width: int,
    row_shares: int,
    column_shares: int,
    panel: int,
    group: int,
    lost: Any,
    out: Any,
) -> None:
    """``out = left @ right``: ``group`` blocks of columns, and ``panel`` tiles along the sum, at a time.

    The left operand is ``packed`` already if that has any bytes.
    """
    steps, rows, columns = -(-depth // DEPTH), -(-height // SIDE), -(-width // SIDE)
    ready, column = len(packed) > 0, panel * right_parts * TILE  # bytes of 16 columns
    row = (steps if ready else panel) * left_parts * TILE  # and of 16 rows
    for share in numba.prange(row_shares * column_shares):
        i, j = share % row_shares, share // row_shares
        first, last = columns * j // column_shares, columns * (j + 1) // column_shares
        rights = _aligned(2 * min(group, last - first) * column), _scratch()
        lefts = packed if ready else _aligned(2 * row), _scratch()
        block = _aligned(SIDE * SIDE * 4).view(np.float32)
        tiles_on()  # type: ignore[call-arg]
        for begin in range(first, last, group):
            end = min(begin + group, last)
            for low in range(0, steps, panel):
                high = min(low + panel, steps)
                _pack_strips(
                    right,
                    right_along,
                    right_along,
                    width,
                    depth,
                    2 * begin,
                    2 * end,
                    low,
                    high,
                    right_parts,
                    rights,
                    0,
                    column,
                )
                for r in range(rows * i // row_shares, rows * (i + 1) // row_shares):
                    here = 2 * r * row + low * left_parts * TILE
                    if not ready:
                        here = 0
                        _pack_strips(
                            left,
                            left_along,
                            not left_along,
                            height,
                            depth,
                            2 * r,
                            2 * r + 2,
                            low,
                            high,
                            left_parts,
                            lefts,
                            0,
                            row,
                        )
                    for c in range(begin, end):
                        there = 2 * (c - begin) * column
                        multiply_block(  # type: ignore[call-arg]
                            lefts[0],
                            here,
                            row,
                            left_parts,
                            rights[0],
                            there,
                            column,
                            right_parts,
                            high - low,
                            EXACT,
                            block,
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
    column_shares = threads // row_shares
    panel, group = _blocks(height, depth, width, left_parts, right_parts)  # the same sums with any number of threads
    lost, lost_before = np.zeros((threads, 2), np.bool_), np.zeros(threads, np.bool_)
    packed = empty(0, dtype=torch.uint8).numpy()
    if group * SIDE * column_shares < width:
        packed = empty(2 * -(-height // SIDE) * -(-depth // DEPTH) * left_parts * TILE, dtype=torch.uint8).numpy()
        _pack_left(_flat(left), left.is_contiguous(), height, depth, left_parts, lost_before, packed)
    _multiply(
        _flat(left),
        left.is_contiguous(),
        left_parts,
        packed,
        _flat(right),
        not right.is_contiguous(),
        right_parts,
        height,
        depth,
        width,
        row_shares,
        column_shares,
        panel,
        group,
        lost,
        out.numpy().reshape(-1),
    )
    if spikes == "left" and (lost[:, 0].any() or lost_before.any()):
        return product(left, right, EXACT, right_parts)
    if spikes == "right" and lost[:, 1].any():
        return product(left, right, left_parts, EXACT)
    return out


def _blocks(height: int, depth: int, width: int, left_parts: int, right_parts: int) -> tuple[int, int]:
    """Tiles along the sum, and blocks of columns, that are done at a time, so that the right ones stay in the cache.

    Either all columns: then sums are read and written again for each panel. Or long panels and groups of columns: then
    the left tiles are written once and read for each group. What moves fewer bytes is done.
    """
    steps, columns = -(-depth // DEPTH), -(-width // SIDE)
    room = max(1, _CACHED // (2 * right_parts * TILE))  # blocks of columns, one tile long, that the cache holds
    short, long = (min(steps, _PANEL // left_parts, most) for most in (max(1, room // columns), steps))
    group = max(1, room // long)
    sums = 8 * height * width
    by_panels = sums * -(-steps // short)
    by_groups = sums * -(-steps // long) + 2 * left_parts * height * depth * (1 + -(-columns // group))
    return (short, columns) if by_panels <= by_groups else (long, group)


def _flat(x: Tensor) -> Any:
    return (x if x.is_contiguous() else x.T).numpy().reshape(-1)
