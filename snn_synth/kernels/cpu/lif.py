"""The neuron's scans over time (eq. 1-9), one pass each: numba, float32."""

import functools
from typing import Any

import numpy as np
import torch
from numba.core import types
from numba.extending import overload
from torch import Tensor

from snn_synth.functional.lif import Scalar
from snn_synth.kernels.cpu.memory import empty
from snn_synth.kernels.cpu.share import share_out, subroutine
from snn_synth.kernels.cpu.sigmoid import sigmoid_derivative
from snn_synth.kernels.cpu.threads import jit, kept, parallel, scratch

_ZERO, _ONE = np.float32(0), np.float32(1)

# Each sample is one thread's. Loops along neurons are functions of their own: rows without other axes become vector
# instructions that need fewer checks. `decay` and `threshold` are one number, or an array of one for each neuron, for
# which the same functions are compiled once more; so they are for `subtract`, None for the paper's reset to zero: numba
# leaves out what `is None` excludes.


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


@parallel
def _forward(
    share: int,
    start: int,
    stop: int,
    currents: Any,
    initial: Any,
    decay: Any,
    threshold: Any,
    subtract: Any,
    spikes: Any,
    membranes: Any,
    space: Any,
    totals: Any,
) -> None:
    stride = spikes.shape[1]
    if totals is None:
        for b in range(start, stop):
            integrate(currents, b, stride, b, initial, decay, threshold, subtract, spikes, membranes, None)
    else:
        sums = space[share]
        clear(sums)
        for b in range(start, stop):
            integrate(currents, b, stride, b, initial, decay, threshold, subtract, spikes, membranes, sums)
        totals[share] = total_of(sums)


@subroutine
def fire(
    currents: Any, at: int, stride: int, b: int, decay: Any, threshold: Any, subtract: Any, membranes: Any, spikes: Any
) -> None:
    """Spikes of a sample from rest; ``membranes`` before and after a step, in turns."""
    clear(membranes[0])
    for t in range(len(spikes)):
        now, then = membranes[t % 2], membranes[(t + 1) % 2]
        _step(now, currents[at + t * stride], decay, threshold, subtract, spikes[t, b], then, None)


@parallel
def _spikes(
    share: int, start: int, stop: int, currents: Any, decay: Any, threshold: Any, subtract: Any, space: Any, spikes: Any
) -> None:
    for b in range(start, stop):
        fire(currents, b, spikes.shape[1], b, decay, threshold, subtract, space[share], spikes)


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


@parallel
def _backward(
    share: int,
    start: int,
    stop: int,
    by_spikes: bool,
    grad_spikes: Any,
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
    for b in range(start, stop):
        pass_back(
            by_spikes,
            grad_spikes,
            b,
            membranes.shape[1],
            b,
            by_membranes,
            grad_membranes,
            membranes,
            initial,
            decay,
            threshold,
            subtract,
            slope,
            gradient,
            by_decay,
            by_threshold,
        )


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
def _losses(
    share: int,
    start: int,
    stop: int,
    currents: Any,
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
    given = targets, decay, threshold, subtract, mask, scale, space[share], totals, gradient, by_decay, by_threshold
    for b in range(start, stop):
        lose(currents, b, targets.shape[1], b, *given)


@subroutine
def add_up(totals: Any, total: Any) -> None:
    """Of all samples, in their order, whichever thread had them."""
    total[0] = 0.0
    for b in range(len(totals)):
        total[0] += totals[b]


@jit
def _loss(
    team: Any,
    currents: Any,
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
    total: Any,
) -> None:
    given = currents, targets, decay, threshold, subtract, mask, scale, space, totals, gradient, by_decay, by_threshold
    share_out(_losses, team, len(totals), given)  # type: ignore[call-arg]
    add_up(totals, total)


def _rows(x: Tensor) -> Any:
    return x.numpy().reshape(-1, x.shape[-1])


def _number(x: Scalar) -> Any:
    return x.numpy() if isinstance(x, Tensor) else np.float32(x)


def _sums(learned: bool, batch: int, neurons: int) -> tuple[Tensor, Tensor] | None:
    """Where each sample adds up its gradients by decay and threshold."""
    return (torch.zeros(batch, neurons), torch.zeros(batch, neurons)) if learned else None


def _arrays(sums: tuple[Tensor, Tensor] | None) -> tuple[Any, Any]:
    return (None, None) if sums is None else (sums[0].numpy(), sums[1].numpy())


@functools.lru_cache(16)
def rest(batch: int, neurons: int) -> Any:
    """Membranes before the first step, which no kernel writes to; marked as read only, they were of another type."""
    return np.zeros((batch, neurons), np.float32)


def forward(
    currents: Tensor,
    initial: Tensor | None,
    decay: Scalar,
    threshold: Scalar,
    subtract: bool,
    totals: Any = None,
) -> tuple[Tensor, Tensor]:
    """Spikes and membranes of all time steps.

    ``totals``, as :func:`~snn_synth.kernels.cpu.threads.totals` gives them, get the sum of each thread's membranes: not
    finite if a membrane is not.
    """
    spikes, membranes = empty(*currents.shape), empty(*currents.shape)
    start = rest(*currents.shape[1:]) if initial is None else initial.numpy()
    _forward(
        currents.shape[1],
        _rows(currents),
        start,
        _number(decay),
        _number(threshold),
        subtract or None,
        spikes.numpy(),
        membranes.numpy(),
        None if totals is None else scratch("sums of neurons", currents.shape[2]),
        totals,
    )
    return spikes, membranes


def spikes(currents: Tensor, decay: Scalar, threshold: Scalar, subtract: bool) -> Tensor:
    """Spikes of all time steps from rest, whose membranes are not kept."""
    fired = empty(*currents.shape)
    _spikes(
        currents.shape[1],
        _rows(currents),
        _number(decay),
        _number(threshold),
        subtract or None,
        scratch("membranes", 2, currents.shape[2]),
        fired.numpy(),
    )
    return fired


def backward(
    grad_spikes: Tensor | None,
    grad_membranes: Tensor | None,
    membranes: Tensor,
    initial: Tensor | None,
    decay: Scalar,
    threshold: Scalar,
    subtract: bool,
    slope: float,
    learned: bool,
) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
    """Gradient by the currents; where they are ``learned``, by decay and threshold of each sample too."""
    gradient, sums = empty(*membranes.shape), _sums(learned, *membranes.shape[1:])
    start = initial.numpy() if initial is not None else rest(*membranes.shape[1:]) if learned else rest(0, 0)
    _backward(
        membranes.shape[1],
        grad_spikes is not None,
        _rows(membranes if grad_spikes is None else grad_spikes),
        grad_membranes is not None,
        (membranes if grad_membranes is None else grad_membranes).numpy(),
        membranes.numpy(),
        start,
        _number(decay),
        _number(threshold),
        subtract or None,
        np.float32(slope),
        gradient.numpy(),
        *_arrays(sums),
    )
    return gradient, sums


def loss(
    currents: Tensor,
    targets: Tensor,
    decay: Scalar,
    threshold: Scalar,
    subtract: bool,
    mask: bool,
    scale: float,
    learned: bool,
    out: Tensor | None = None,
) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor] | None]:
    """Half the sum of the squared errors, in float64, and ``scale`` times its gradients, as of :func:`backward`.

    ``out`` takes the gradient by the currents, and may be the currents.
    """
    gradient, sums = empty(*currents.shape) if out is None else out, _sums(learned, *currents.shape[1:])
    total = empty(1, dtype=torch.float64)
    _loss(
        _rows(currents),
        targets.numpy(),
        _number(decay),
        _number(threshold),
        subtract or None,
        mask,
        np.float32(scale),
        scratch("steps", currents.shape[0] + 3, currents.shape[2]),
        kept("totals", currents.shape[1], dtype=torch.float64),
        gradient.numpy(),
        *_arrays(sums),
        total.numpy(),
    )
    return total[0], gradient, sums
