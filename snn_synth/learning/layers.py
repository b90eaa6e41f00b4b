"""What both rules ask of a network: ``.layers``, pairs of a linear operator without bias and its neurons."""

from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from snn_synth.errors import InputError
from snn_synth.functional.inputs import as_values
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
    try:
        layers = [(operator, neuron) for operator, neuron in network.layers]
    except TypeError:
        layers = []
    if not layers or not all(isinstance(neuron, SigmoidLeaky) for _, neuron in layers):
        raise InputError(
            f"Expected `.layers` of {type(network).__name__} to be pairs of a linear operator and a SigmoidLeaky, got "
            f"{[type(neuron).__name__ for _, neuron in layers] or type(network.layers).__name__}"
        )
    return layers


def check_steps(layers: Layers, spikes: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Spikes and targets in the dtype of the weights.

    Raises:
        InputError: unless both are of the same time steps and samples.
    """
    weight = next(layers[0][0].parameters(), None)
    spikes, targets = as_values(spikes, weight, "spikes"), as_values(targets, weight, "targets")
    if spikes.dim() < 3 or spikes.shape[:2] != targets.shape[:2] or len(spikes) == 0:
        raise InputError(
            f"Expected spikes [T, B, in] and targets [T, B, out] of one T and B, got {list(spikes.shape)} "
            f"and {list(targets.shape)}"
        )
    return spikes, targets


def batch_normed(operator: nn.Module) -> bool:
    """Whether there is batch norm in it, whose statistics are those of all time steps."""
    return any(isinstance(module, _BatchNorm) for module in operator.modules())
