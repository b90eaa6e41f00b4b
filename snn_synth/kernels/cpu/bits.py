"""Where the numbers of a row are not zero, or not what others say: 16 of them at a time, as bits. Numba, float32."""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from snn_synth.kernels.cpu.share import subroutine

_LANES = 16
_AT_ONCE = 4  # places that are written without asking how many there are, which would be guessed wrong
_lanes, _word = ir.VectorType(ir.FloatType(), _LANES), ir.IntType(64)


@intrinsic
def _differing(typing: Any, x: Any, other: Any, factor: Any, at: Any) -> Any:  # numba passes the typing context
    """Bits of the lanes from ``at`` on where ``x`` is not ``factor * other``."""
    if not x.layout == other.layout == "C":
        raise TypeError(f"expected rows that lie in one piece, got {x} and {other}")
    signature = types.int64(x, other, factor, types.intp)

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        def lanes(i: int) -> Any:
            place = builder.gep(context.make_array(signature.args[i])(context, builder, values[i]).data, [values[3]])
            return builder.load(builder.bitcast(place, _lanes.as_pointer()), align=4)

        factors = ir.Constant(_lanes, ir.Undefined)
        for lane in range(_LANES):
            factors = builder.insert_element(factors, values[2], ir.Constant(_word, lane))
        differ = builder.fcmp_unordered("!=", lanes(0), builder.fmul(factors, lanes(1)))
        return builder.zext(builder.bitcast(differ, ir.IntType(_LANES)), _word)

    return signature, code


@intrinsic
def _lowest(typing: Any, bits: Any) -> Any:
    """The place of the lowest bit; any number if there is none."""

    def code(_: Any, builder: Any, __: Any, values: Any) -> Any:
        return builder.cttz(values[0], cgutils.false_bit)

    return types.int64(types.int64), code


@intrinsic
def _number(typing: Any, bits: Any) -> Any:
    """How many there are."""

    def code(_: Any, builder: Any, __: Any, values: Any) -> Any:
        return builder.ctpop(values[0])

    return types.int64(types.int64), code


# A row differs from 0 times itself where it is not zero.


@subroutine
def count_differing(x: Any, other: Any, factor: Any) -> int:
    """In how many places ``x`` is not ``factor * other``."""
    count, whole = 0, len(x) - len(x) % _LANES
    for at in range(0, whole, _LANES):
        count += _number(_differing(x, other, factor, at))  # type: ignore[call-arg]
    for j in range(whole, len(x)):
        count += x[j] != factor * other[j]
    return count


@subroutine
def list_differing(x: Any, other: Any, factor: Any, places: Any) -> int:
    """How many, and ``places`` begins with them; those behind, as far as there are numbers, are any."""
    count, whole = 0, len(x) - len(x) % _LANES
    for at in range(0, whole, _LANES):
        bits: Any = _differing(x, other, factor, at)  # type: ignore[call-arg]
        number, k = _number(bits), _AT_ONCE
        for i in range(_AT_ONCE):
            places[count + i] = at + _lowest(bits)
            bits &= bits - 1
        while bits != 0:
            places[count + k] = at + _lowest(bits)
            bits &= bits - 1
            k += 1
        count += number
    for j in range(whole, len(x)):
        places[count] = j
        count += x[j] != factor * other[j]
    return count
