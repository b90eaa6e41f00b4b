"""What the online rule does at one time step beside its weight gradient (eq. 1-9, eq. 13-15): numba, float32."""

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from snn_synth.kernels.cpu.bits import list_differing
from snn_synth.kernels.cpu.memory import empty
from snn_synth.kernels.cpu.rows import NARROW, WIDTH, sum_rows
from snn_synth.kernels.cpu.sample import add, clear, total_of
from snn_synth.kernels.cpu.share import subroutine
from snn_synth.kernels.cpu.sigmoid import sigmoid_derivative
from snn_synth.kernels.cpu.threads import parallel, scratch, totals
from snn_synth.kernels.cpu.together import at_once, start

_ZERO, _ONE = np.float32(0), np.float32(1)


class Errors(NamedTuple):
    """Errors of a layer, most of them masked, and where they are not zero."""

    values: Tensor
    """``[B, N]``."""
    array: Any
    """The same memory, for NumPy."""
    neurons: Any
    """Of each sample, the neurons with an error, and then any numbers."""
    counts: Any
    """How many there are of those."""
    sizes: Any
    """How many there are in the samples of each thread."""

    def listed(self) -> int:
        """How many errors are not zero."""
        return sum(self.sizes.tolist())


class _Arrays(NamedTuple):
    """A layer's memory, for NumPy."""

    sums: Any
    membranes: Any
    last_spike: Any
    spikes: Any


class State:
    """A layer during a batch."""

    def __init__(self, weight: Tensor, sums: Tensor) -> None:
        """The sums Y[0] to Y[T] of its input are to be filled; membranes are at rest, and no neuron has fired."""
        batch, neurons = sums.shape[1], len(weight)
        self.sums = sums
        self.membranes = weight.new_zeros((batch, neurons))
        self.last_spike = weight.new_zeros((batch, neurons), dtype=torch.int32)
        self.spikes = empty(batch, neurons)
        """Of this time step, as are the errors."""
        self.errors = _unlisted(empty(batch, neurons))
        self.arrays = _Arrays(*(x.numpy() for x in (sums, self.membranes, self.last_spike, self.spikes)))
        self.totals = totals()
        """Sums over each thread's samples: of the membranes of a hidden layer, of the squared errors of the output."""

    def finite(self) -> bool:
        """Whether all membranes of this time step are known to be finite; of a hidden layer."""
        return math.isfinite(sum(self.totals.tolist()))


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


@subroutine
def _add_squares(x: Any, total: Any) -> None:
    for n in range(len(total)):
        total[n] += x[n] * x[n]


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
    space: Any,
    totals: Any,
) -> None:
    total = space[share]  # of each neuron: additions along neurons would wait for one another
    clear(total)
    for b in range(start, stop):
        if integrates:
            _integrate(inputs[b], decay, sums[step - 1, b], sums[step, b])
        _move(currents[b], decay, threshold, np.int32(step - 1), membranes[b], last_spike[b])
        _fire(membranes[b], threshold, spikes[b])
        add(membranes[b], total)
    totals[share] = total_of(total)


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
    space: Any,
    error: Any,
    neurons: Any,
    counts: Any,
    sizes: Any,
    totals: Any,
) -> None:
    total, size = space[share], 0
    clear(total)
    for b in range(start, stop):
        if integrates:
            _integrate(inputs[b], decay, sums[step - 1, b], sums[step, b])
        _move(currents[b], decay, threshold, np.int32(step - 1), membranes[b], last_spike[b])
        _differ(membranes[b], targets[b], threshold, mask, scale, error[b])
        _add_squares(error[b], total)
        counts[b] = list_differing(error[b], error[b], _ZERO, neurons[b])
        size += counts[b]
    sizes[share], totals[share] = size, total_of(total)


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
    numbers: Any,
    sizes: Any,
) -> None:
    size = 0
    for b in range(start, stop):
        if sparse:
            _weigh(error[b], neurons[b, : counts[b]], weight, space[share], product[b])  # eq. 14
        _weaken(product[b], membranes[b], threshold, slope)
        numbers[b] = list_differing(product[b], product[b], _ZERO, found[b])
        size += numbers[b]
    sizes[share] = size


@parallel
def _errors(share: int, start: int, stop: int, values: Any, neurons: Any, counts: Any, sizes: Any) -> None:
    size = 0
    for b in range(start, stop):
        counts[b] = list_differing(values[b], values[b], _ZERO, neurons[b])
        size += counts[b]
    sizes[share] = size


def errors(values: Tensor) -> Errors:
    """Errors of a layer, as the other functions here take them."""
    listed = _unlisted(values)
    with at_once():  # whoever takes them asks how many they are; of values that are there
        _errors(len(values), listed.array, listed.neurons, listed.counts, listed.sizes)
    return listed


def loss(layer: State, errors: Errors, scale: float) -> float:
    """``scale`` times the sum of the squares of what :func:`output` gave."""
    return scale * float(sum(layer.totals.tolist()))


def scaled(errors: Errors, factor: Tensor) -> Errors:
    """All of them times a number."""
    values = errors.values * factor
    return errors._replace(values=values, array=values.numpy())


def _unlisted(values: Tensor) -> Errors:
    batch, size = values.shape
    lists = np.empty((batch, size), np.int32), np.empty(batch, np.int64)
    return Errors(values, values.numpy(), *lists, totals(np.int64))


@parallel
def _integrate_all(share: int, start: int, stop: int, inputs: Any, decay: Any, sums: Any) -> None:
    num_steps = len(inputs)
    for b in range(start, stop):
        for t in range(num_steps):
            _integrate(inputs[t, b], decay, sums[t, b], sums[t + 1, b])


def integrate(inputs: Tensor, decay: float, sums: Tensor) -> None:
    """The sums of all time steps, of inputs that are known."""
    _integrate_all(inputs.shape[1], inputs.contiguous().numpy(), np.float32(decay), sums.numpy())


def hidden(layer: State, inputs: Tensor | None, currents: Tensor, step: int, decay: float, threshold: float) -> Tensor:
    """Spikes of step t; the layer's sums, membranes and last spikes, of the steps before, move on in place.

    Sums stay as they are without ``inputs``. The spikes are those of the layer until the next step.
    """
    moving, space = _moving(layer, inputs, currents, step, decay, threshold), scratch("totals", currents.shape[1])
    _hidden(*moving, layer.arrays.spikes, space, layer.totals)
    return layer.spikes


def output(
    layer: State,
    inputs: Tensor | None,
    currents: Tensor,
    step: int,
    decay: float,
    threshold: float,
    targets: Tensor,
    mask: bool,
    scale: float,
) -> Errors:
    """As :func:`hidden`, of the last layer: ``scale`` times E, which is the layer's until the next step."""
    moving, space = _moving(layer, inputs, currents, step, decay, threshold), scratch("totals", currents.shape[1])
    error = layer.errors
    error.sizes.fill(0)  # there may be fewer threads than before
    layer.totals.fill(0)
    _output(
        *moving,
        targets.contiguous().numpy(),
        mask,
        np.float32(scale),
        space,
        error.array,
        error.neurons,
        error.counts,
        error.sizes,
        layer.totals,
    )
    return error


def _moving(
    layer: State, inputs: Tensor | None, currents: Tensor, step: int, decay: float, threshold: float
) -> tuple[Any, ...]:
    sums, membranes, last_spike, _ = layer.arrays
    array = currents.numpy()
    return (
        len(array),
        inputs is not None,
        array if inputs is None else inputs.contiguous().numpy(),
        sums,
        array,
        membranes,
        last_spike,
        step,
        np.float32(decay),
        np.float32(threshold),
    )


def hidden_error(error: Errors, weight: Tensor, layer: State, threshold: float, slope: float) -> Errors:
    """The error of the layer below, which is that layer's until the next step."""
    (batch, size), below = error.array.shape, layer.errors
    sparse = weight.shape[1] >= WIDTH and 6 * error.listed() < batch * size  # most are masked
    weight = weight.contiguous()
    if not sparse:
        start(torch.mm, error.values, weight, out=below.values)  # eq. 14
    below.sizes.fill(0)
    _hidden_error(
        batch,
        error.array,
        error.neurons,
        error.counts,
        weight.numpy().reshape(-1),
        sparse,
        layer.arrays.membranes,
        np.float32(threshold),
        np.float32(slope),
        scratch("sums", size),
        below.array,
        below.neurons,
        below.counts,
        below.sizes,
    )
    return below
