"""What the online rule does at one time step beside its weight gradient (eq. 1-9, eq. 13-15), on a GPU."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from snn_synth.functional import membrane_error, sigmoid_derivative


def currents(spikes: Tensor, weight: Tensor) -> Tensor:
    """``spikes @ weight.T``."""
    return linear(spikes, weight)


def integrate(inputs: Tensor, decay: float, sums: Tensor) -> None:
    """The sums of all time steps, of inputs that are known."""
    for t, spikes in enumerate(inputs):
        torch.add(spikes, sums[t], alpha=decay, out=sums[t + 1])  # eq. 10, eq. 16


def hidden(layer: Any, inputs: Tensor | None, currents: Tensor, step: int, decay: float, threshold: float) -> Tensor:
    """Spikes of step t; the layer's sums, membranes and last spikes, of the steps before, move on in place.

    Sums stay as they are without ``inputs``.
    """
    if inputs is not None:
        torch.add(inputs, layer.sums[step - 1], alpha=decay, out=layer.sums[step])  # eq. 10, eq. 16
    fired = layer.membranes >= threshold
    layer.last_spike.masked_fill_(fired, step - 1)
    layer.membranes.masked_fill_(fired, 0).mul_(decay).add_(currents)  # eq. 1
    spikes: Tensor = (layer.membranes >= threshold).to(currents.dtype)  # eq. 2
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
) -> Tensor:
    """As :func:`hidden`, of the last layer: ``scale`` times E."""
    hidden(layer, inputs, currents, step, decay, threshold)
    return membrane_error(layer.membranes, targets, threshold, mask).mul_(scale)


def errors(values: Tensor) -> Tensor:
    """Errors of a layer, as the other functions here take them."""
    return values


def values(errors: Tensor) -> Tensor:
    """The numbers alone."""
    return errors


def scaled(errors: Tensor, factor: Tensor) -> Tensor:
    """All of them times a number."""
    return errors * factor


def hidden_error(error: Tensor, weight: Tensor, membranes: Tensor, threshold: float, slope: float) -> Tensor:
    """The error of the layer below."""
    return torch.mm(error, weight).mul_(sigmoid_derivative(membranes - threshold, slope))  # eq. 14-15
