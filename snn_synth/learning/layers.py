"""What both rules ask of a network: ``.layers``, pairs of a linear operator without bias and its neurons."""

from typing import Any

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from snn_synth.errors import InputError
from snn_synth.neurons import SigmoidLeaky

Layers = list[tuple[nn.Module, SigmoidLeaky]]


def layers_of(model: nn.Module) -> Layers:
    """The layers of a network, bare or inside DistributedDataParallel.

    Raises:
        InputError: if it has none.
    """
    network: Any = model.module if isinstance(model, DistributedDataParallel) else model
    if not hasattr(network, "layers"):
        raise InputError(f"Expected a network with `.layers` (a SpikingStack, say), got {type(network).__name__}")
    return [(operator, neuron) for operator, neuron in network.layers]


def output_threshold(layers: Layers) -> float:
    """The firing threshold of the last layer, which the loss needs."""
    return float(layers[-1][1].threshold)


def check_steps(spikes: Tensor, targets: Tensor) -> None:
    """Raise an InputError unless spikes and targets are of the same time steps and samples."""
    if spikes.dim() < 3 or spikes.shape[:2] != targets.shape[:2] or len(spikes) == 0:
        raise InputError(
            f"Expected spikes [T, B, in] and targets [T, B, out] of one T and B, got {list(spikes.shape)} "
            f"and {list(targets.shape)}"
        )
