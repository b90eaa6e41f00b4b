"""What the online rule does at one time step beside its weight gradient (eq. 1-9, eq. 13-15): numba, float32."""

from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from snn_synth.kernels.cpu import products
from snn_synth.kernels.cpu.rows import WIDTH, count_nonzero, sum_rows
from snn_synth.kernels.cpu.sigmoid import sigmoid_derivative
from snn_synth.kernels.cpu.threads import jit
from snn_synth.kernels.dispatch import forced_product

_ZERO, _ONE = np.float32(0), np.float32(1)


@jit
def _advance(
    currents: Any, membranes: Any, last_spike: Any, step: int, decay: Any, threshold: Any, spikes: Any
) -> None:
    batch, neurons = currents.shape
    for b in numba.prange(batch):
        for n in range(neurons):
            kept = membranes[b, n]
            if kept >= threshold:  # the spike of the step before resets membrane and trace
                kept, last_spike[b, n] = _ZERO, step - 1
            v = decay * kept + currents[b, n]  # eq. 1
            membranes[b, n] = v
            spikes[b, n] = _ONE if v >= threshold else _ZERO  # eq. 2


@jit
def _output_error(membranes: Any, targets: Any, threshold: Any, mask: bool, error: Any) -> None:
    batch, neurons = membranes.shape
    for b in numba.prange(batch):
        for n in range(neurons):
            v, target = membranes[b, n], targets[b, n]
            e = threshold * target - v  # eq. 5, eq. 7
            if mask and (v >= threshold) == (target > _ZERO):  # eq. 6
                e *= _ZERO  # not 0 itself: NaN stays NaN, and is noticed
            error[b, n] = e


@numba.njit(error_model="numpy")
def _weigh(error: Any, weight: Any, product: Any) -> None:
    """``error @ weight`` of one sample."""
    rows, weights, count = np.empty(len(error), np.int32), np.empty(len(error), np.float32), 0
    for m in range(len(error)):
        if error[m] != _ZERO:
            rows[count], weights[count] = m, error[m]
            count += 1
    for block in range(0, len(product), WIDTH):
        start = min(block, len(product) - WIDTH)  # the last block may do some columns again
        sum_rows(weight, start, rows, weights, 0, count, False, product, start)  # type: ignore[call-arg]


@jit
def _sparse_product(error: Any, weight: Any, product: Any) -> None:
    for b in numba.prange(len(error)):
        _weigh(error[b], weight, product[b])


@jit
def _surrogate(product: Any, membranes: Any, threshold: Any, slope: Any) -> None:
    batch, neurons = membranes.shape
    for b in numba.prange(batch):
        for n in range(neurons):
            product[b, n] *= sigmoid_derivative(membranes[b, n] - threshold, slope)


def currents(spikes: Tensor, weight: Tensor) -> Tensor:
    """``spikes @ weight.T``, in the fastest way for as many spikes as there are at this step."""
    way = products.way(spikes, weight, "float32", False, forced_product())
    return products.WAYS[way].forward(spikes, weight, "float32")[0]


def advance(
    currents: Tensor, membranes: Tensor, last_spike: Tensor, step: int, decay: float, threshold: float
) -> Tensor:
    """Spikes of step t; membranes and last spikes, of the steps before, move on in place."""
    spikes = torch.empty_like(currents)
    _advance(
        currents.numpy(),
        membranes.numpy(),
        last_spike.numpy(),
        step,
        np.float32(decay),
        np.float32(threshold),
        spikes.numpy(),
    )
    return spikes


def output_error(membranes: Tensor, targets: Tensor, threshold: float, mask: bool) -> Tensor:
    """E of the output layer."""
    error = torch.empty_like(membranes)
    _output_error(membranes.numpy(), targets.numpy(), np.float32(threshold), mask, error.numpy())
    return error


def hidden_error(error: Tensor, weight: Tensor, membranes: Tensor, threshold: float, slope: float) -> Tensor:
    """The error of the layer below."""
    if weight.shape[1] >= WIDTH and 6 * count_nonzero(error.numpy()) < error.numel():  # masked
        product = torch.empty_like(membranes)
        _sparse_product(error.numpy(), weight.contiguous().numpy(), product.numpy())
    else:
        product = torch.mm(error, weight)  # eq. 14
    _surrogate(product.numpy(), membranes.numpy(), np.float32(threshold), np.float32(slope))  # eq. 15
    return product
