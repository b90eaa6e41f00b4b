"""The weighted sum of rows of a table, which the compiler would not keep in registers by itself."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

WIDTH = 64  # columns of one sum: four vectors of AVX-512, eight of AVX2, which hide the wait for each other

_LANES = 16
NARROW = _LANES  # columns of a sum at the edge of a table, in one vector
_ZERO = np.float32(0)


@intrinsic(prefer_literal=True)
def sum_rows(
    typing: Any,
    width: Any,
    table: Any,
    stride: Any,
    start: Any,
    rows: Any,
    weights: Any,
    first: Any,
    count: Any,
    keep: Any,
    out: Any,
    at: Any,
) -> Any:
    """``out[at : at + width] = sum_i weights[i] * row(rows[i])[start : start + width]``, count of i from first on.

    The width is a constant, WIDTH or NARROW. ``keep`` adds the sum to what ``out`` holds: several short sums round
    better than a long one. The rows of the table are ``stride`` long; all arrays have one axis and are contiguous.
    """
    n = types.intp
    signature = types.void(width, table, n, n, rows, weights, n, n, types.boolean, out, n)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        table, rows, weights, out = (
            context.make_array(signature.args[i])(context, builder, arguments[i]) for i in (1, 4, 5, 9)
        )
        stride, start, first, count, keep, at = (arguments[i] for i in (2, 3, 6, 7, 8, 10))
        vector = ir.VectorType(ir.FloatType(), _LANES)
        zero, undefined = ir.Constant(vector, [0.0] * _LANES), ir.Constant(vector, ir.Undefined)
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), _LANES), [0] * _LANES)
        multiply_add = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fmuladd.v{_LANES}f32"
        )

        def vectors(base: Any, place: Any) -> list[Any]:
            places = [builder.add(place, ir.Constant(place.type, i)) for i in range(0, width.literal_value, _LANES)]
            return [builder.bitcast(builder.gep(base, [place]), vector.as_pointer()) for place in places]

        targets = vectors(out.data, at)
        sums = [cgutils.alloca_once_value(builder, zero) for _ in targets]  # type: ignore[no-untyped-call]
        with cgutils.for_range(builder, count) as loop:
            i = builder.add(first, loop.index)
            row = builder.sext(builder.load(builder.gep(rows.data, [i])), start.type)
            weight = builder.load(builder.gep(weights.data, [i]))
            lanes = builder.insert_element(undefined, weight, ir.Constant(ir.IntType(32), 0))
            lanes = builder.shuffle_vector(lanes, undefined, everywhere)
            for total, piece in zip(
                sums, vectors(table.data, builder.add(builder.mul(row, stride), start)), strict=True
            ):
                value = builder.call(multiply_add, [lanes, builder.load(piece, align=4), builder.load(total)])
                builder.store(value, total)
        for target, total in zip(targets, sums, strict=True):
            before = builder.select(keep, builder.load(target, align=4), zero)
            builder.store(builder.fadd(before, builder.load(total)), target, align=4)
        return context.get_dummy_value()

    return signature, code


@intrinsic
def prefetch(typing: Any, array: Any, at: Any) -> Any:
    """Fetch WIDTH numbers of an array with one axis into the second cache, from ``at`` on, which may lie outside."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        fetch = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
            builder.module, ir.FunctionType(ir.VoidType(), [byte, number, number, number]), "llvm.prefetch.p0i8"
        )
        for i in range(0, WIDTH, _LANES):
            place = builder.gep(data, [builder.add(arguments[1], ir.Constant(arguments[1].type, i))])
            builder.call(fetch, [builder.bitcast(place, byte), *(ir.Constant(number, x) for x in (0, 2, 1))])
        return context.get_dummy_value()

    return types.void(array, types.intp), code
