"""Instructions of AMX, which the compiler does not find by itself: products of tiles in bfloat16, summed in float32.

A tile is 16 rows of 64 bytes. Of the left operand a row is 32 numbers of one row; of the right one it is two rows of
16 columns, in turns, so that each 4 bytes of either tile are a pair of neighbours along the sum.
"""

import ctypes
import functools
import platform
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from snn_synth.kernels.cpu.cache import compiled_for

TILE = 1024  # bytes
ROWS = 16  # of a left tile; columns of a right one
DEPTH = 32  # terms of a sum that a tile holds
SIDE = 32  # rows and columns of a block: two tiles each way, whose four products share what was loaded
_LANES, _ROW = 16, 64
_UPPER, _HALF = 0xFFFF0000, 0x8000  # a bfloat16 is the upper half of a float32
# From the largest number on that is not rounded up to infinity nothing is rounded up: NaN would become zero.
_MAGNITUDE, _MOST = 0x7FFFFFFF, 0x7F7F8000

_i8, _i32, _i64 = (ir.IntType(bits) for bits in (8, 32, 64))
_bytes = _i8.as_pointer()
_vector, _floats = ir.VectorType(_i32, _LANES), ir.VectorType(ir.FloatType(), _LANES)
_halves = ir.VectorType(ir.IntType(16), 2 * _LANES)


@functools.cache
def has_amx() -> bool:
    """Whether this process may use AMX: numba compiles for a processor with it, and the system grants it when asked."""
    if platform.system() != "Linux" or not {"+amx-tile", "+amx-bf16"} <= set(compiled_for()[1].split(",")):
        return False
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    return bool(syscall(158, 0x1023, 18) == 0)  # arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)


def _call(builder: Any, name: str, *arguments: Any) -> None:
    kinds = [argument.type for argument in arguments]
    function = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
        builder.module, ir.FunctionType(ir.VoidType(), kinds), f"llvm.x86.{name}"
    )
    builder.call(function, arguments)


def _data(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:
    """The address of the byte ``at`` of an array."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.gep(builder.bitcast(data, _bytes), [at])


def _number(tile: int) -> Any:
    return ir.Constant(_i8, tile)


def _wide(value: int) -> Any:
    return ir.Constant(_i64, value)


@intrinsic
def tiles_on(typing: Any) -> Any:  # numba passes the typing context
    """Give this thread eight tiles of full size."""

    def code(context: Any, builder: Any, _: Any, __: Any) -> Any:
        setting = bytearray(64)
        setting[0] = 1
        for tile in range(8):
            setting[16 + 2 * tile], setting[48 + tile] = _ROW, 16
        _call(builder, "ldtilecfg", context.insert_const_bytes(builder.module, bytes(setting)))
        return context.get_dummy_value()

    return types.void(), code


@intrinsic
def tiles_off(typing: Any) -> Any:
    """Give them back."""

    def code(context: Any, builder: Any, _: Any, __: Any) -> Any:
        _call(builder, "tilerelease")
        return context.get_dummy_value()

    return types.void(), code


@intrinsic
def multiply_block(
    typing: Any,
    left: Any,
    left_at: Any,
    left_row: Any,
    left_parts: Any,
    right: Any,
    right_at: Any,
    right_column: Any,
    right_parts: Any,
    depth: Any,
    parts: Any,
    out: Any,
    at: Any,
    row: Any,
) -> Any:
    """A block of ``left @ right``, SIDE x SIDE, ``depth`` tiles deep, summed over pairs of parts.

    Args:
        typing: numba's context.
        left: tiles, along the sum, of each the parts; as bytes.
        left_at: where the first 16 rows begin.
        left_row: bytes from there to the next 16.
        left_parts: of each left tile.
        right: as ``left``, with columns instead of rows.
        right_at: as ``left_at``.
        right_column: as ``left_row``.
        right_parts: as ``left_parts``.
        depth: tiles along the sum.
        parts: parts i and j are multiplied where i + j is less; the others are below float32's rounding.
        out: float32, contiguous.
        at: the byte of it where the block begins.
        row: bytes from one of its rows to the next.
    """
    n = types.intp
    signature = types.void(left, n, n, n, right, n, n, n, n, n, out, n, n)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lefts, rights = (
            [
                _data(context, builder, signature.args[i], arguments[i], at)
                for at in (arguments[i + 1], builder.add(arguments[i + 1], arguments[i + 2]))
            ]
            for i in (0, 4)
        )
        left_parts, right_parts, depth, parts = (arguments[i] for i in (3, 7, 8, 9))
        sides = (4, lefts, left_parts), (6, rights, right_parts)

        def load(side: Any, step: Any, part: Any) -> None:
            first, bases, count = side
            place = builder.mul(builder.add(builder.mul(step, count), part), _wide(TILE))
            for tile, base in enumerate(bases, start=first):
                _call(builder, "tileloadd64", _number(tile), builder.gep(base, [place]), _wide(_ROW))

        def multiply(outer: Any, inner: Any) -> None:
            with cgutils.for_range(builder, depth) as step, cgutils.for_range(builder, outer[2]) as i:
                load(outer, step.index, i.index)
                rest = builder.sub(parts, i.index)
                count = builder.select(builder.icmp_signed("<", rest, inner[2]), rest, inner[2])
                with cgutils.for_range(builder, count) as j:
                    load(inner, step.index, j.index)
                    for tile in range(4):
                        _call(builder, "tdpbf16ps", *map(_number, (tile, 4 + tile // 2, 6 + tile % 2)))

        for tile in range(4):
            _call(builder, "tilezero", _number(tile))
        # What has fewer parts is loaded once for all those of the other.
        with builder.if_else(builder.icmp_signed("<", right_parts, left_parts)) as (fewer, not_fewer):
            with fewer:
                multiply(*sides[::-1])
            with not_fewer:
                multiply(*sides)
        at, row = arguments[11:]
        for tile in range(4):
            place = builder.add(at, builder.add(builder.mul(row, _wide(tile // 2 * ROWS)), _wide(tile % 2 * _ROW)))
            target = _data(context, builder, signature.args[10], arguments[10], place)
            _call(builder, "tilestored64", _number(tile), target, row)
        return context.get_dummy_value()

    return signature, code


@intrinsic
def split_pairs(
    typing: Any, source: Any, first: Any, second: Any, adjacent: Any, out: Any, at: Any, parts: Any, lost: Any
) -> Any:
    """16 pairs of float32 numbers as pairs of bfloat16 ones, whose ``parts`` add up to them.

    Args:
        typing: numba's context.
        source: float32, one axis.
        first: where the first numbers of the pairs are.
        second: where the second ones are; with ``adjacent`` the other half of 32 numbers, which are pairs as they lie.
        adjacent: as said.
        out: of bytes, one axis.
        at: where the first part goes; each other a tile further.
        parts: how many.
        lost: 16 uint32, whose bits are set where the parts do not add up to the numbers.
    """
    n = types.intp
    signature = types.void(source, n, n, types.boolean, out, n, n, lost)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, first, second, adjacent, out, at, parts, lost = arguments
        four = _wide(4)
        rests = []
        for start in (first, second):
            place = _data(context, builder, signature.args[0], source, builder.mul(start, four))
            numbers = builder.load(builder.bitcast(place, _floats.as_pointer()), align=4)
            rests.append(cgutils.alloca_once_value(builder, numbers))  # type: ignore[no-untyped-call]
        upper, half, shift, magnitude, most, none = (
            ir.Constant(_vector, [value] * _LANES) for value in (_UPPER, _HALF, 16, _MAGNITUDE, _MOST, 0)
        )
        with cgutils.for_range(builder, parts) as part:
            rounded = []
            for rest in rests:
                value = builder.load(rest)
                bits = builder.bitcast(value, _vector)
                fits = builder.icmp_unsigned("<", builder.and_(bits, magnitude), most)
                bits = builder.and_(builder.add(bits, builder.select(fits, half, none)), upper)
                builder.store(builder.fsub(value, builder.bitcast(bits, _floats)), rest)
                rounded.append(bits)
            place = builder.add(at, builder.mul(part.index, _wide(TILE)))
            target = builder.bitcast(_data(context, builder, signature.args[4], out, place), _vector.as_pointer())
            with builder.if_else(adjacent) as (as_they_lie, in_turns):
                with as_they_lie:  # the upper half of each number
                    odd = ir.Constant(ir.VectorType(_i32, 2 * _LANES), list(range(1, 4 * _LANES, 2)))
                    halves = builder.shuffle_vector(*(builder.bitcast(bits, _halves) for bits in rounded), odd)
                    builder.store(builder.bitcast(halves, _vector), target, align=4)
                with in_turns:
                    builder.store(builder.or_(builder.lshr(rounded[0], shift), rounded[1]), target, align=4)
        bits = builder.bitcast(_data(context, builder, signature.args[7], lost, _wide(0)), _vector.as_pointer())
        found = builder.load(bits, align=4)
        for rest in rests:
            found = builder.or_(found, builder.bitcast(builder.load(rest), _vector))
        builder.store(found, bits, align=4)
        return context.get_dummy_value()

    return signature, code


@intrinsic
def transpose_tile(typing: Any, source: Any, first: Any, out: Any, at: Any) -> Any:
    """A tile of 16 x 16 pairs, rows for columns; both arrays are of bytes."""
    signature = types.void(source, types.intp, out, types.intp)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def rows(i: int) -> list[Any]:
            base = _data(context, builder, signature.args[i], arguments[i], arguments[i + 1])
            return [builder.bitcast(builder.gep(base, [_wide(_ROW * r)]), _vector.as_pointer()) for r in range(_LANES)]

        lines = [builder.load(row, align=4) for row in rows(0)]
        for size in (1, 2, 4, 8):  # blocks of this size change places across the diagonal
            for i in (i for i in range(_LANES) if not i & size):
                a, b = lines[i], lines[i + size]
                low = [j if not j & size else _LANES + j - size for j in range(_LANES)]
                high = [j + size if not j & size else _LANES + j for j in range(_LANES)]
                lines[i], lines[i + size] = (
                    builder.shuffle_vector(a, b, ir.Constant(_vector, mask)) for mask in (low, high)
                )
        for line, row in zip(lines, rows(2), strict=True):
            builder.store(line, row, align=4)
        return context.get_dummy_value()

    return signature, code
