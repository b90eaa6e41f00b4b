"""The neuron's scans over time (eq. 1-9), one pass each: numba, float32."""

from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from snn_synth.kernels.cpu.memory import empty
from snn_synth.kernels.cpu.sigmoid import sigmoid_derivative
from snn_synth.kernels.cpu.threads import jit

_ZERO, _ONE = np.float32(0), np.float32(1)

# Each sample is one thread's. Loops along neurons are functions of their own: rows without other axes become vector
# instructions that need fewer checks.


@numba.njit(error_model="numpy")
def _step(before: Any, current: Any, decay: Any, threshold: Any, spikes: Any, membranes: Any) -> None:
    for n in range(len(current)):
        v = decay * (_ZERO if before[n] >= threshold else before[n]) + current[n]  # eq. 1
        membranes[n] = v
        spikes[n] = _ONE if v >= threshold else _ZERO  # eq. 2


@jit
def _forward(currents: Any, initial: Any, decay: Any, threshold: Any, spikes: Any, membranes: Any) -> None:
    num_steps, batch, _ = currents.shape
    for b in numba.prange(batch):
        for t in range(num_steps):
            before = membranes[t - 1, b] if t > 0 else initial[b]
            _step(before, currents[t, b], decay, threshold, spikes[t, b], membranes[t, b])


@jit
def _spikes(currents: Any, decay: Any, threshold: Any, spikes: Any) -> None:
    num_steps, batch, neurons = currents.shape
    for b in numba.prange(batch):
        membranes = np.zeros((2, neurons), np.float32)  # before and after a step, in turns
        for t in range(num_steps):
            _step(membranes[t % 2], currents[t, b], decay, threshold, spikes[t, b], membranes[(t + 1) % 2])


@numba.njit(error_model="numpy")
def _weaken(grad_spikes: Any, membranes: Any, threshold: Any, slope: Any, gradient: Any) -> None:
    for n in range(len(gradient)):
        gradient[n] = grad_spikes[n] * sigmoid_derivative(membranes[n] - threshold, slope)  # eq. 3-4


@numba.njit(error_model="numpy")
def _add(more: Any, gradient: Any) -> None:
    for n in range(len(gradient)):
        gradient[n] += more[n]


@numba.njit(error_model="numpy")
def _pass_on(later: Any, membranes: Any, decay: Any, threshold: Any, gradient: Any) -> None:
    for n in range(len(gradient)):
        gradient[n] += decay * (_ZERO if membranes[n] >= threshold else later[n])


@jit
def _backward(
    by_spikes: bool,
    grad_spikes: Any,
    by_membranes: bool,
    grad_membranes: Any,
    membranes: Any,
    decay: Any,
    threshold: Any,
    slope: Any,
    gradient: Any,
) -> None:
    num_steps, batch, _ = membranes.shape
    for b in numba.prange(batch):
        for t in range(num_steps - 1, -1, -1):
            now = gradient[t, b]
            if by_spikes:
                _weaken(grad_spikes[t, b], membranes[t, b], threshold, slope, now)
            else:
                now[:] = _ZERO
            if by_membranes:
                _add(grad_membranes[t, b], now)
            if t + 1 < num_steps:
                _pass_on(gradient[t + 1, b], membranes[t, b], decay, threshold, now)


@numba.njit(error_model="numpy")
def _differ(membranes: Any, targets: Any, threshold: Any, mask: bool, scale: Any, squares: Any, gradient: Any) -> None:
    for n in range(len(membranes)):
        v, target = membranes[n], targets[n]
        error = threshold * target - v  # eq. 5
        kept = (not mask) | ((v >= threshold) != (target > _ZERO))  # eq. 6
        error *= _ONE if kept else _ZERO  # eq. 7; NaN stays NaN, and is noticed
        squares[n] += error * error  # eq. 8
        gradient[n] = -scale * error  # eq. 9


@jit
def _loss(
    currents: Any, targets: Any, decay: Any, threshold: Any, mask: bool, scale: Any, totals: Any, gradient: Any
) -> None:
    num_steps, batch, neurons = currents.shape
    for b in numba.prange(batch):
        membranes = np.zeros((num_steps + 1, neurons), np.float32)  # the first row is rest
        spikes, squares = np.empty(neurons, np.float32), np.zeros(neurons, np.float32)
        for t in range(num_steps):
            _step(membranes[t], currents[t, b], decay, threshold, spikes, membranes[t + 1])
            _differ(membranes[t + 1], targets[t, b], threshold, mask, scale, squares, gradient[t, b])
        for t in range(num_steps - 2, -1, -1):
            _pass_on(gradient[t + 1, b], membranes[t + 1], decay, threshold, gradient[t, b])
        total = 0.0
        for n in range(neurons):
            total += squares[n]
        totals[b] = 0.5 * total


def forward(currents: Tensor, initial: Tensor | None, decay: float, threshold: float) -> tuple[Tensor, Tensor]:
    """Spikes and membranes of all time steps."""
    spikes, membranes = empty(*currents.shape), empty(*currents.shape)
    start = currents.new_zeros(currents.shape[1:]) if initial is None else initial
    _forward(
        currents.numpy(), start.numpy(), np.float32(decay), np.float32(threshold), spikes.numpy(), membranes.numpy()
    )
    return spikes, membranes


def spikes(currents: Tensor, decay: float, threshold: float) -> Tensor:
    """Spikes of all time steps from rest, whose membranes are not kept."""
    fired = empty(*currents.shape)
    _spikes(currents.numpy(), np.float32(decay), np.float32(threshold), fired.numpy())
    return fired


def backward(
    grad_spikes: Tensor | None,
    grad_membranes: Tensor | None,
    membranes: Tensor,
    decay: float,
    threshold: float,
    slope: float,
) -> Tensor:
    """Gradient by the currents."""
    gradient = empty(*membranes.shape)
    _backward(
        grad_spikes is not None,
        (membranes if grad_spikes is None else grad_spikes).numpy(),
        grad_membranes is not None,
        (membranes if grad_membranes is None else grad_membranes).numpy(),
        membranes.numpy(),
        np.float32(decay),
        np.float32(threshold),
        np.float32(slope),
        gradient.numpy(),
    )
    return gradient


def loss(
    currents: Tensor, targets: Tensor, decay: float, threshold: float, mask: bool, scale: float
) -> tuple[Tensor, Tensor]:
    """Half the sum of the squared errors, in float64, and ``scale`` times its gradient by the currents."""
    gradient = empty(*currents.shape)
    totals = currents.new_empty(currents.shape[1], dtype=torch.float64)
    _loss(
        currents.numpy(),
        targets.numpy(),
        np.float32(decay),
        np.float32(threshold),
        mask,
        np.float32(scale),
        totals.numpy(),
        gradient.numpy(),
    )
    return totals.sum(), gradient
