"""Products of matrices on AMX, each the sum of one to three parts in bfloat16; results in float32. Numba."""

import functools
import math
from typing import Any, Literal, NamedTuple

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
from snn_synth.kernels.cpu.share import subroutine
from snn_synth.kernels.cpu.threads import made_once, parallel, scratch
from snn_synth.kernels.cpu.together import finish, start

EXACT = 3  # parts: 8 bits each make the 24 of a float32

Spikes = Literal["left", "right"] | None
PANEL = 96  # tiles of left parts along the sum that are done at a time: 200 KB with their 32 rows
CACHED = 5 * 2**18  # bytes of right tiles that a core's second cache holds beside those
_SPACE = 3 * 2**19  # bytes of tiles that a thread has at a time: seldom more, so that products share the memory
_ZERO = np.float32(0)
_NONE: Any = np.empty(0, np.uint8)


class Operand(NamedTuple):
    """A matrix that becomes tiles."""

    numbers: Any
    height: int
    """Rows; of a right operand, columns."""
    depth: int
    """Terms of the sum."""
    along: bool
    """Whether terms lie side by side in memory, or rows do."""
    turned: bool
    """Whether pairs of terms are transposed on their way into a tile."""
    parts: int


class Scratch(NamedTuple):
    """What one thread packs with."""

    ragged: Any
    """The numbers of a tile at the edge, with zeros around them."""
    pairs: Any
    """Those of a tile that is transposed afterwards."""
    lost: Any
    """Bits that are set where the parts do not add up to the numbers."""


class Team(NamedTuple):
    """What all threads work with, by their number."""

    ragged: Any
    pairs: Any
    lost: Any
    """Of the left operand, and of the right one."""
    blocks: Any
    """A block of the result."""


@subroutine
def _pack(operand: Any, top: int, low: int, tiles: Any, at: int, scratch: Any) -> None:
    """Of one tile all parts: rows ``top`` to ``top + 16``, terms ``low`` to ``low + 32``."""
    height, depth, along, parts = operand.height, operand.depth, operand.along, operand.parts
    source, start, stride = operand.numbers, top * depth + low, depth
    if not along:
        start, stride = low * height + top, height
    rows, terms = min(ROWS, height - top), min(DEPTH, depth - low)
    if rows < ROWS or terms < DEPTH:
        ragged = scratch.ragged
        for i in range(ROWS * DEPTH):
            ragged[i] = _ZERO
        outer, inner, width = (rows, terms, DEPTH) if along else (terms, rows, ROWS)
        for i in range(outer):
            for j in range(inner):
                ragged[i * width + j] = source[start + i * stride + j]
        source, start, stride = ragged, 0, width
    target, place = (scratch.pairs, 0) if operand.turned else (tiles, at)
    for i in range(16):
        first = start + i * stride if along else start + 2 * i * stride
        second = first + 16 if along else first + stride
        split_pairs(source, first, second, along, target, place + 64 * i, parts, scratch.lost)  # type: ignore[call-arg]
    for part in range(parts if operand.turned else 0):
        transpose_tile(scratch.pairs, part * TILE, tiles, at + part * TILE)  # type: ignore[call-arg]


@subroutine
def _pack_strips(
    operand: Any, first: int, last: int, low: int, high: int, tiles: Any, at: int, strip: int, scratch: Any
) -> None:
    """Strips of 16 rows, ``strip`` bytes each, and of them the tiles ``low`` to ``high`` along the sum.

    In the order of the numbers in memory; strips that the matrix does not have are left out.
    """
    last = min(last, -(-operand.height // ROWS))
    outer, inner = (last - first, high - low) if operand.along else (high - low, last - first)
    for i in range(outer):
        for j in range(inner):
            s, k = (i, j) if operand.along else (j, i)
            place = at + s * strip + k * operand.parts * TILE
            _pack(operand, (first + s) * ROWS, (low + k) * DEPTH, tiles, place, scratch)


@subroutine
def pack_all(share: int, start: int, stop: int, operand: Any, side: int, team: Any, tiles: Any) -> None:
    """Of the left operand, ``side`` 0, or of the right one, 1: a share of all tiles."""
    steps = -(-operand.depth // DEPTH)
    strip = steps * operand.parts * TILE
    own = Scratch(team.ragged[share], team.pairs[share], team.lost[share, side])
    for r in range(start, stop):
        _pack_strips(operand, 2 * r, 2 * r + 2, 0, steps, tiles, 2 * r * strip, strip, own)


@parallel
def _pack_left(share: int, start: int, stop: int, operand: Any, team: Any, tiles: Any) -> None:
    pack_all(share, start, stop, operand, 0, team, tiles)


@subroutine
def _put(block: Any, out: Any, height: int, width: int, top: int, start: int, more: bool) -> None:
    """Write a block of the result at its edge, or add it to what the panels before have left there."""
    for i in range(min(SIDE, height - top)):
        first = (top + i) * width
        row = out[first + start : first + min(start + SIDE, width)]
        sums = block[i * SIDE : i * SIDE + len(row)]
        for j in range(len(row)):
            row[j] = sums[j] + (row[j] if more else _ZERO)


@parallel
def _multiply(
    share: int,
    start: int,
    stop: int,
    left: Any,
    packed: Any,
    right: Any,
    row_shares: int,
    column_shares: int,
    panel: int,
    group: int,
    space: Any,
    team: Any,
    out: Any,
) -> None:
    """``group`` blocks of columns, and ``panel`` tiles along the sum, at a time; the left tiles may be ``packed``."""
    steps, rows, columns = -(-left.depth // DEPTH), -(-left.height // SIDE), -(-right.height // SIDE)
    width = right.height
    ready, column = len(packed) > 0, panel * right.parts * TILE  # bytes of 16 columns
    row = (steps if ready else panel) * left.parts * TILE  # and of 16 rows
    rights, here = space[share, : 2 * group * column], space[share, 2 * group * column :]
    lefts, block = packed if ready else here, team.blocks[share]
    of_left, of_right = (
        Scratch(team.ragged[share], team.pairs[share], team.lost[share, 0]),
        Scratch(team.ragged[share], team.pairs[share], team.lost[share, 1]),
    )
    tiles_on()  # type: ignore[call-arg]
    for one in range(start, stop):
        i, j = one % row_shares, one // row_shares
        first, last = columns * j // column_shares, columns * (j + 1) // column_shares
        for begin in range(first, last, group):
            end = min(begin + group, last)
            for low in range(0, steps, panel):
                high = min(low + panel, steps)
                _pack_strips(right, 2 * begin, 2 * end, low, high, rights, 0, column, of_right)
                for r in range(rows * i // row_shares, rows * (i + 1) // row_shares):
                    at = 2 * r * row + low * left.parts * TILE if ready else 0
                    if not ready:
                        _pack_strips(left, 2 * r, 2 * r + 2, low, high, lefts, 0, row, of_left)
                    for c in range(begin, end):
                        there, top, side = 2 * (c - begin) * column, r * SIDE, c * SIDE
                        inside = low == 0 and top + SIDE <= left.height and side + SIDE <= width
                        target, place, line = (out, top * width + side, width) if inside else (block, 0, SIDE)
                        multiply_block(
                            lefts,
                            at,
                            row,
                            left.parts,
                            rights,
                            there,
                            column,
                            right.parts,
                            high - low,
                            EXACT,
                            target,
                            4 * place,
                            4 * line,
                        )
                        if not inside:
                            _put(block, out, left.height, width, top, side, low > 0)
    tiles_off()


def product(
    left: Tensor,
    right: Tensor,
    left_parts: int,
    right_parts: int,
    spikes: Spikes = None,
) -> Tensor:
    """``left @ right``, each the sum of that many parts; either may be a contiguous matrix's transpose.

    ``spikes`` names the operand that should be exact in its one part. If it is not, it gets all three. The processor
    must have shown that it has AMX (``amx.has_amx``), which counts numbers below 1.2e-38 as 0.
    """
    (height, depth), width = left.shape, right.shape[1]
    plan = _plan(height, depth, width, left_parts, right_parts, torch.get_num_threads())
    along = left.is_contiguous(), not right.is_contiguous()
    lefts = Operand(flat(left), height, depth, along[0], not along[0], left_parts)
    rights = Operand(flat(right), width, depth, along[1], along[1], right_parts)
    out, packed, team = empty(height, width), _NONE, team_arrays()
    if spikes is not None:
        start(team.lost.fill, 0)
    if plan.packed:
        packed = empty(plan.packed, dtype=torch.uint8).numpy()
        _pack_left(-(-height // SIDE), lefts, team, packed)
    space = scratch("tiles", max(_SPACE, plan.space), dtype=torch.uint8)
    _multiply(
        math.prod(plan.shares), lefts, packed, rights, *plan.shares, plan.panel, plan.group, space, team, flat(out)
    )
    if spikes is not None:
        finish()
    if spikes == "left" and team.lost[:, 0].any():
        return product(left, right, EXACT, right_parts)
    if spikes == "right" and team.lost[:, 1].any():
        return product(left, right, left_parts, EXACT)
    return out


class _Plan(NamedTuple):
    """How a product is shared out."""

    shares: tuple[int, int]
    """Of the threads, along rows and columns."""
    panel: int
    group: int
    packed: int
    """Bytes of all left tiles, where they are written once; or 0."""
    space: int
    """Bytes of the tiles that a thread has at a time."""


@functools.lru_cache(256)
def _plan(height: int, depth: int, width: int, left_parts: int, right_parts: int, threads: int) -> _Plan:
    row_shares = min(threads, -(-height // SIDE)) if height > width else 1
    shares = row_shares, threads // row_shares
    panel, group = _blocks(height, depth, width, left_parts, right_parts)
    ready = group * SIDE * shares[1] < width
    packed = 2 * -(-height // SIDE) * -(-depth // DEPTH) * left_parts * TILE if ready else 0
    space = 2 * panel * (group * right_parts + (0 if ready else left_parts)) * TILE
    return _Plan(shares, panel, group, packed, space)


def _blocks(height: int, depth: int, width: int, left_parts: int, right_parts: int) -> tuple[int, int]:
    """Tiles along the sum, and blocks of columns, that are done at a time, so that the right ones stay in the cache.

    Either all columns: then sums are read and written again for each panel. Or long panels and groups of columns: then
    the left tiles are written once and read for each group. What moves fewer bytes is done.
    """
    steps, columns = -(-depth // DEPTH), -(-width // SIDE)
    tiles = max(1, CACHED // (2 * right_parts * TILE))  # blocks of columns, one tile long, that the cache holds
    short, long = (min(steps, PANEL // left_parts, most) for most in (max(1, tiles // columns), steps))
    group = min(columns, max(1, tiles // long))
    sums = 8 * height * width
    by_panels = sums * -(-steps // short)
    by_groups = sums * -(-steps // long) + 2 * left_parts * height * depth * (1 + -(-columns // group))
    return (short, columns) if by_panels <= by_groups else (long, group)


@made_once
def team_arrays() -> Team:
    """Of as many threads as there are now."""
    ragged, pairs = scratch("ragged", ROWS * DEPTH), scratch("pairs", EXACT * TILE, dtype=torch.uint8)
    return Team(ragged, pairs, np.zeros((torch.get_num_threads(), 2, 16), np.uint32), scratch("block", SIDE * SIDE))


def flat(x: Tensor) -> Any:
    """The numbers of a contiguous matrix, or of one's transpose, on one axis."""
    return (x if x.is_contiguous() else x.T).numpy().reshape(-1)
