"""What the online rule does at one time step beside its weight gradient (eq. 1-9, eq. 13-15), on a GPU."""

import torch
from torch import Tensor
from torch.nn.functional import linear

from snn_synth.functional import membrane_error, sigmoid_derivative


def currents(spikes: Tensor, weight: Tensor) -> Tensor:
    """``spikes @ weight.T``."""
    return linear(spikes, weight)


def advance(
    currents: Tensor, membranes: Tensor, last_spike: Tensor, step: int, decay: float, threshold: float
) -> Tensor:
    """Spikes of step t; membranes and last spikes, of the steps before, move on in place."""
    fired = membranes >= threshold
    last_spike.masked_fill_(fired, step - 1)
    membranes.masked_fill_(fired, 0).mul_(decay).add_(currents)  # eq. 1
    return (membranes >= threshold).to(currents.dtype)  # eq. 2


def output_error(membranes: Tensor, targets: Tensor, threshold: float, mask: bool) -> Tensor:
    """E of the output layer."""
    return membrane_error(membranes, targets, threshold, mask)


def hidden_error(error: Tensor, weight: Tensor, membranes: Tensor, threshold: float, slope: float) -> Tensor:
    """The error of the layer below."""
    return torch.mm(error, weight).mul_(sigmoid_derivative(membranes - threshold, slope))  # eq. 14-15
