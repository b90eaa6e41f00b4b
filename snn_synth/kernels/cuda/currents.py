"""Currents of one time step after the other, with weights that learn in between (eq. 1), on a GPU."""

from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import linear


def currents(spikes: Tensor, weight: Tensor) -> Tensor:
    """``spikes @ weight.T`` of a hidden layer."""
    return linear(spikes, weight)


def input_currents(inputs: Tensor, weight: Tensor) -> Callable[[int, Tensor], Tensor]:
    """A function of the number of a time step and its spikes; the weights are those at the time of the call."""
    return lambda step, spikes: linear(spikes, weight)
