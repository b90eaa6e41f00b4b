"""The scan of one sample over time, forward and backward (eq. 1-9): what kernels are made of. Numba, float32."""

from typing import Any

import numpy as np
from numba.core import types
from numba.extending import overload

from snn_synth.kernels.cpu.share import subroutine
from snn_synth.kernels.cpu.sigmoid import sigmoid_derivative

_ZERO, _ONE = np.float32(0), np.float32(1)

# Each sample is one thread's. Loops along neurons are functions of their own, which become vector instructions. `decay`
# and `threshold` are one number, or an array of one for each neuron, for which the same functions are compiled once
# more; so they are for `subtract`, None for the paper's reset to zero: numba leaves out what `is None` excludes.


def _of(x: Any, n: Any) -> Any:
    """The number of neuron n."""


@overload(_of, inline="always", strict=False)  # numba wants the annotations of all three alike, or none
def _overload_of(x, n):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return (lambda x, n: x[n]) if isinstance(x, types.Array) else (lambda x, n: x)


@subroutine
def clear(x: Any) -> None:
    """Zeros, of a row."""
    for n in range(len(x)):
        x[n] = _ZERO


@subroutine
def _step(
    before: Any, current: Any, decay: Any, threshold: Any, subtract: Any, spikes: Any, membranes: Any, sums: Any
) -> None:
    for n in range(len(spikes)):  # of a row that may be longer
        v, height = before[n], _of(threshold, n)
        if subtract is None:
            v = _of(decay, n) * (_ZERO if v >= height else v) + current[n]  # eq. 1
        else:
            v = _of(decay, n) * v + current[n] - (height if v >= height else _ZERO)
        membranes[n] = v
        spikes[n] = _ONE if v >= height else _ZERO  # eq. 2
        if sums is not None:
            sums[n] += v


@subroutine
def total_of(numbers: Any) -> float:
    """Their sum, in float64."""
    total = 0.0
    for n in range(len(numbers)):
        total += numbers[n]
    return total


# One sample b at a time, whose currents are every ``stride``-th row from ``at`` on: there may be those of a few samples
# alone.


@subroutine
def integrate(
    currents: Any,
    at: int,
    stride: int,
    b: int,
    initial: Any,
    decay: Any,
    threshold: Any,
    subtract: Any,
    spikes: Any,
    membranes: Any,
    sums: Any,
) -> None:
    """Spikes and membranes of a sample; the latter are added to the ``sums`` of the neurons, unless those are None."""
    for t in range(len(spikes)):
        before = membranes[t - 1, b] if t > 0 else initial[b]
        _step(before, currents[at + t * stride], decay, threshold, subtract, spikes[t, b], membranes[t, b], sums)


@subroutine
def fire(
    currents: Any, at: int, stride: int, b: int, decay: Any, threshold: Any, subtract: Any, membranes: Any, spikes: Any
) -> None:
    """Spikes of a sample from rest; ``membranes`` before and after a step, in turns."""
    clear(membranes[0])
    for t in range(len(spikes)):
        now, then = membranes[t % 2], membranes[(t + 1) % 2]
        _step(now, currents[at + t * stride], decay, threshold, subtract, spikes[t, b], then, None)


@subroutine
def _weaken(grad_spikes: Any, membranes: Any, threshold: Any, slope: Any, gradient: Any) -> None:
    for n in range(len(gradient)):
        gradient[n] = grad_spikes[n] * sigmoid_derivative(membranes[n] - _of(threshold, n), slope)  # eq. 3-4


@subroutine
def add(more: Any, total: Any) -> None:
    """A row to another."""
    for n in range(len(total)):
        total[n] += more[n]


@subroutine
def _subtract(gradient: Any, by_threshold: Any) -> None:
    for n in range(len(gradient)):
        by_threshold[n] -= gradient[n]  # of eq. 2, where V - V_th decides


@subroutine
def _subtract_at(targets: Any, gradient: Any, by_threshold: Any) -> None:
    for n in range(len(gradient)):
        by_threshold[n] -= targets[n] * gradient[n]  # of eq. 5


@subroutine
def _pass_on(later: Any, membranes: Any, decay: Any, threshold: Any, subtract: Any, gradient: Any) -> None:
    for n in range(len(gradient)):
        lost = subtract is None and membranes[n] >= _of(threshold, n)
        gradient[n] += _of(decay, n) * (_ZERO if lost else later[n])


@subroutine
def _by_numbers(gradient: Any, before: Any, threshold: Any, subtract: Any, by_decay: Any, by_threshold: Any) -> None:
    """What a step adds to the gradients by decay and threshold, through eq. 1."""
    for n in range(len(gradient)):
        fired = before[n] >= _of(threshold, n)
        if subtract is None:
            by_decay[n] += gradient[n] * (_ZERO if fired else before[n])
        else:
            by_decay[n] += gradient[n] * before[n]
            by_threshold[n] -= gradient[n] if fired else _ZERO


@subroutine
def pass_back(
    by_spikes: bool,
    grad_spikes: Any,
    at: int,
    stride: int,
    b: int,
    by_membranes: bool,
    grad_membranes: Any,
    membranes: Any,
    initial: Any,
    decay: Any,
    threshold: Any,
    subtract: Any,
    slope: Any,
    gradient: Any,
    by_decay: Any,
    by_threshold: Any,
) -> None:
    """The gradient by the currents of a sample; ``grad_spikes`` lie as currents do."""
    num_steps = len(membranes)
    for t in range(num_steps - 1, -1, -1):
        now = gradient[t, b]
        if by_spikes:
            _weaken(grad_spikes[at + t * stride], membranes[t, b], threshold, slope, now)
        else:
            clear(now)
        if by_threshold is not None:
            _subtract(now, by_threshold[b])
        if by_membranes:
            add(grad_membranes[t, b], now)
        if t + 1 < num_steps:
            _pass_on(gradient[t + 1, b], membranes[t, b], decay, threshold, subtract, now)
        if by_threshold is not None:
            before = membranes[t - 1, b] if t > 0 else initial[b]
            _by_numbers(now, before, threshold, subtract, by_decay[b], by_threshold[b])


@subroutine
def _differ(membranes: Any, targets: Any, threshold: Any, mask: bool, scale: Any, squares: Any, gradient: Any) -> None:
    for n in range(len(membranes)):
        v, target, height = membranes[n], targets[n], _of(threshold, n)
        error = height * target - v  # eq. 5
        kept = (not mask) | ((v >= height) != (target > _ZERO))  # eq. 6
        error *= _ONE if kept else _ZERO  # eq. 7; NaN stays NaN, and is noticed
        squares[n] += error * error  # eq. 8
        gradient[n] = -scale * error  # eq. 9


@subroutine
def lose(
    currents: Any,
    at: int,
    stride: int,
    b: int,
    targets: Any,
    decay: Any,
    threshold: Any,
    subtract: Any,
    mask: bool,
    scale: Any,
    space: Any,
    totals: Any,
    gradient: Any,
    by_decay: Any,
    by_threshold: Any,
) -> None:
    """The loss of a sample from rest, and its gradient by the currents, which may be in their place."""
    num_steps = len(targets)
    spikes, squares, membranes = space[0], space[1], space[2:]
    clear(membranes[0])
    clear(squares)
    for t in range(num_steps):
        _step(membranes[t], currents[at + t * stride], decay, threshold, subtract, spikes, membranes[t + 1], None)
        _differ(membranes[t + 1], targets[t, b], threshold, mask, scale, squares, gradient[t, b])
        if by_threshold is not None:
            _subtract_at(targets[t, b], gradient[t, b], by_threshold[b])
    for t in range(num_steps - 2, -1, -1):
        _pass_on(gradient[t + 1, b], membranes[t + 1], decay, threshold, subtract, gradient[t, b])
    if by_threshold is not None:
        for t in range(num_steps):
            _by_numbers(gradient[t, b], membranes[t], threshold, subtract, by_decay[b], by_threshold[b])
    totals[b] = 0.5 * total_of(squares)


@subroutine
def add_up(totals: Any, total: Any) -> None:
    """Of all samples, in their order, whichever thread had them."""
    total[0] = 0.0
    for b in range(len(totals)):
        total[0] += totals[b]
