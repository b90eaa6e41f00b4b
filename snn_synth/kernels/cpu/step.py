"""What the online rule does at one time step beside its weight gradient (eq. 1-9, eq. 13-15): numba, float32."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from snn_synth.kernels.cpu import products
from snn_synth.kernels.cpu.rows import NARROW, WIDTH, sum_rows
from snn_synth.kernels.cpu.share import subroutine
from snn_synth.kernels.cpu.sigmoid import sigmoid_derivative
from snn_synth.kernels.cpu.threads import parallel, scratch
from snn_synth.kernels.dispatch import forced_product

_ZERO, _ONE = np.float32(0), np.float32(1)
_WORTH = 2**25  # multiplications of a step; with fewer, to count its spikes takes as long as the product


class Errors(NamedTuple):
    """Errors of a layer, most of them masked, and where they are not zero."""

    values: Tensor
    """``[B, N]``."""
    neurons: Any
    """Of each sample, the neurons with an error, and then any numbers."""
    counts: Any
    """How many there are of those."""


# Rows as arrays of their own become vector instructions.


@subroutine
def _integrate(inputs: Any, decay: Any, before: Any, sums: Any) -> None:
    for n in range(len(inputs)):
        sums[n] = inputs[n] + decay * before[n]  # eq. 10, eq. 16


@subroutine
def _move(currents: Any, decay: Any, threshold: Any, before: Any, membranes: Any, last_spike: Any) -> None:
    for n in range(len(currents)):
        kept = membranes[n]
        fired = kept >= threshold  # the spike of the step before resets membrane and trace
        last_spike[n] = before if fired else last_spike[n]
        membranes[n] = decay * (_ZERO if fired else kept) + currents[n]  # eq. 1


@subroutine
def _fire(membranes: Any, threshold: Any, spikes: Any) -> None:
    for n in range(len(membranes)):
        spikes[n] = _ONE if membranes[n] >= threshold else _ZERO  # eq. 2


@parallel
def _hidden(
    share: int,
    start: int,
    stop: int,
    integrates: bool,
    inputs: Any,
    sums: Any,
    currents: Any,
    membranes: Any,
    last_spike: Any,
    step: int,
    decay: Any,
    threshold: Any,
    spikes: Any,
) -> None:
    for b in range(start, stop):
        if integrates:
            _integrate(inputs[b], decay, sums[step - 1, b], sums[step, b])
        _move(currents[b], decay, threshold, np.int32(step - 1), membranes[b], last_spike[b])
        _fire(membranes[b], threshold, spikes[b])


@subroutine
def _list(error: Any, neurons: Any) -> int:
    count = 0
    for n in range(len(error)):  # without a branch, which would be guessed wrong at many errors
        neurons[count] = n
        count += error[n] != _ZERO
    return count


@subroutine
def _differ(membranes: Any, targets: Any, threshold: Any, mask: bool, scale: Any, error: Any) -> None:
    for n in range(len(membranes)):
        v, target = membranes[n], targets[n]
        e = scale * (threshold * target - v)  # eq. 5, eq. 7
        kept = (not mask) | ((v >= threshold) != (target > _ZERO))  # eq. 6
        error[n] = e * (_ONE if kept else _ZERO)  # not 0 itself: NaN stays NaN, and is noticed


@parallel
def _output(
    share: int,
    start: int,
    stop: int,
    integrates: bool,
    inputs: Any,
    sums: Any,
    currents: Any,
    membranes: Any,
    last_spike: Any,
    step: int,
    decay: Any,
    threshold: Any,
    targets: Any,
    mask: bool,
    scale: Any,
    error: Any,
    neurons: Any,
    counts: Any,
) -> None:
    for b in range(start, stop):
        if integrates:
            _integrate(inputs[b], decay, sums[step - 1, b], sums[step, b])
        _move(currents[b], decay, threshold, np.int32(step - 1), membranes[b], last_spike[b])
        _differ(membranes[b], targets[b], threshold, mask, scale, error[b])
        counts[b] = _list(error[b], neurons[b])


@subroutine
def _weigh(error: Any, neurons: Any, weight: Any, values: Any, product: Any) -> None:
    """``error @ weight`` of one sample and the neurons that have an error."""
    for i in range(len(neurons)):
        values[i] = error[neurons[i]]
    size = len(product)
    for block in range(0, size, WIDTH):  # the last one may do some columns again
        if size - block > NARROW:
            start = min(block, size - WIDTH)
            sum_rows(WIDTH, weight, size, start, neurons, values, 0, len(neurons), False, product, start)  # type: ignore[call-arg]
        else:
            start = size - NARROW
            sum_rows(NARROW, weight, size, start, neurons, values, 0, len(neurons), False, product, start)  # type: ignore[call-arg]


@subroutine
def _weaken(product: Any, membranes: Any, threshold: Any, slope: Any) -> None:
    for n in range(len(product)):
        product[n] *= sigmoid_derivative(membranes[n] - threshold, slope)  # eq. 15


@parallel
def _hidden_error(
    share: int,
    start: int,
    stop: int,
    error: Any,
    neurons: Any,
    counts: Any,
    weight: Any,
    sparse: bool,
    membranes: Any,
    threshold: Any,
    slope: Any,
    space: Any,
    product: Any,
    found: Any,
    sizes: Any,
) -> None:
    for b in range(start, stop):
        if sparse:
            _weigh(error[b], neurons[b, : counts[b]], weight, space[share], product[b])  # eq. 14
        _weaken(product[b], membranes[b], threshold, slope)
        sizes[b] = _list(product[b], found[b])


@parallel
def _errors(share: int, start: int, stop: int, values: Any, neurons: Any, counts: Any) -> None:
    for b in range(start, stop):
        counts[b] = _list(values[b], neurons[b])


def errors(values: Tensor) -> Errors:
    """Errors of a layer, as the other functions here take them."""
    listed = _unlisted(values)
    _errors(len(values), *arrays(listed))
    return listed


def values(errors: Errors) -> Tensor:
    """The numbers alone."""
    return errors.values


def scaled(errors: Errors, factor: Tensor) -> Errors:
    """All of them times a number."""
    return errors._replace(values=errors.values * factor)


def _unlisted(values: Tensor) -> Errors:
    batch, size = values.shape
    return Errors(values, np.empty((batch, size), np.int32), np.empty(batch, np.int64))


def arrays(errors: Errors) -> tuple[Any, Any, Any]:
    """As kernels take them."""
    return errors.values.numpy(), errors.neurons, errors.counts


def currents(spikes: Tensor, weight: Tensor) -> Tensor:
    """``spikes @ weight.T``, in the fastest way for as many spikes as there are at this step."""
    if forced_product() is None and spikes.numel() * len(weight) < _WORTH:
        return torch.mm(spikes, weight.T)
    way = products.way(spikes, weight, "float32", False, forced_product())
    return products.WAYS[way].forward(spikes, weight, "float32")[0]


@parallel
def _integrate_all(share: int, start: int, stop: int, inputs: Any, decay: Any, sums: Any) -> None:
    num_steps = len(inputs)
    for b in range(start, stop):
        for t in range(num_steps):
            _integrate(inputs[t, b], decay, sums[t, b], sums[t + 1, b])


def integrate(inputs: Tensor, decay: float, sums: Tensor) -> None:
    """The sums of all time steps, of inputs that are known."""
    _integrate_all(inputs.shape[1], inputs.contiguous().numpy(), np.float32(decay), sums.numpy())


def hidden(layer: Any, inputs: Tensor | None, currents: Tensor, step: int, decay: float, threshold: float) -> Tensor:
    """Spikes of step t; the layer's sums, membranes and last spikes, of the steps before, move on in place.

    Sums stay as they are without ``inputs``.
    """
    spikes = torch.empty_like(currents)
    _hidden(len(currents), *_moving(layer, inputs, currents, step, decay, threshold), spikes.numpy())
    return spikes


def output(
    layer: Any,
    inputs: Tensor | None,
    currents: Tensor,
    step: int,
    decay: float,
    threshold: float,
    targets: Tensor,
    mask: bool,
    scale: float,
) -> Errors:
    """As :func:`hidden`, of the last layer: ``scale`` times E."""
    error = _unlisted(torch.empty_like(currents))
    _output(
        len(currents),
        *_moving(layer, inputs, currents, step, decay, threshold),
        targets.contiguous().numpy(),
        mask,
        np.float32(scale),
        *arrays(error),
    )
    return error


def _moving(
    layer: Any, inputs: Tensor | None, currents: Tensor, step: int, decay: float, threshold: float
) -> tuple[Any, ...]:
    return (
        inputs is not None,
        currents.numpy() if inputs is None else inputs.contiguous().numpy(),
        layer.sums.numpy(),
        currents.numpy(),
        layer.membranes.numpy(),
        layer.last_spike.numpy(),
        step,
        np.float32(decay),
        np.float32(threshold),
    )


def hidden_error(error: Errors, weight: Tensor, membranes: Tensor, threshold: float, slope: float) -> Errors:
    """The error of the layer below."""
    sparse = weight.shape[1] >= WIDTH and 6 * int(np.add.reduce(error.counts)) < error.values.numel()  # most are masked
    weight = weight.contiguous()
    product = _unlisted(torch.empty_like(membranes) if sparse else torch.mm(error.values, weight))  # eq. 14
    _hidden_error(
        len(membranes),
        *arrays(error),
        weight.numpy().reshape(-1),
        sparse,
        membranes.numpy(),
        np.float32(threshold),
        np.float32(slope),
        scratch("sums", len(weight)),
        *arrays(product),
    )
    return product
