"""The surrogate's derivative in arithmetic that the compiler turns into vector instructions."""

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

_LOG2_E = np.float32(1.4426950408889634)
_LN_2_HIGH = np.float32(0.693359375)  # ln 2 in two parts: the first has so few bits that n times it is exact
_LN_2_LOW = np.float32(-2.12194440e-4)
_ROUNDER = np.float32(1.5 * 2**23)  # adding it leaves no bits after the point: the sum is rounded to an integer
_SMALLEST = np.float32(-69.0)  # exp of less is 0: with an error it would give subnormals, which cost 100 cycles each
_ZERO, _ONE = np.float32(0), np.float32(1)


@intrinsic
def _times_power_of_two(typing: Any, p: Any, shifted: Any) -> Any:  # numba passes the typing context
    """Scale p by 2^n, where n are the last bits of ``shifted``: a float32 has its exponent in bits 23 to 30."""

    def code(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        p, shifted = (builder.bitcast(x, ir.IntType(32)) for x in arguments)
        bits = builder.add(p, builder.shl(shifted, ir.Constant(ir.IntType(32), 23)))
        return builder.bitcast(bits, ir.FloatType())

    return types.float32(types.float32, types.float32), code


@numba.njit(inline="always", error_model="numpy")
def _exp_of_negative(x: Any) -> Any:
    """e^x for x <= 0: 2^n times a polynomial (Cephes' expf) on half an octave."""
    inside = x > _SMALLEST
    x = x if inside else _SMALLEST
    shifted = x * _LOG2_E + _ROUNDER
    n = shifted - _ROUNDER
    rest = (x - n * _LN_2_HIGH) - n * _LN_2_LOW
    p = np.float32(1.9875691500e-4)
    p = p * rest + np.float32(1.3981999507e-3)
    p = p * rest + np.float32(8.3334519073e-3)
    p = p * rest + np.float32(4.1665795894e-2)
    p = p * rest + np.float32(1.6666665459e-1)
    p = p * rest + np.float32(5.0000001201e-1)
    p = p * (rest * rest) + rest + _ONE
    return _times_power_of_two(p, shifted) if inside else _ZERO  # type: ignore[call-arg]


@numba.njit(inline="always", error_model="numpy")
def sigmoid_derivative(x: Any, slope: Any) -> Any:
    """The derivative as k e / (1 + e)^2 with e = exp(-|k x|), which does not overflow (eq. 3-4)."""
    e = _exp_of_negative(-abs(slope * x))
    return slope * e / ((_ONE + e) * (_ONE + e))
