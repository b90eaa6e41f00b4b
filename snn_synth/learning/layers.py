"""What both rules ask of a network: ``.layers``, pairs of a linear operator without bias and its neurons."""

from collections.abc import Callable
from typing import Any, TypeVar

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from snn_synth.errors import InputError
from snn_synth.functional.inputs import as_values, number
from snn_synth.kernels import Layer
from snn_synth.kernels.dispatch import constant, has_hooks
from snn_synth.neurons import SigmoidLeaky
from snn_synth.synapses import SpikeLinear

Layers = list[tuple[nn.Module, SigmoidLeaky]]
_Forward = TypeVar("_Forward", bound=Callable[..., Any])
_FULL = nn.Linear, SpikeLinear
_run_layers: set[Any] = set()
_CALL = nn.Module.__call__


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


def runs_layers(forward: _Forward) -> _Forward:
    """Notes that a network's method does nothing but run its ``.layers``, in their order and from rest.

    Example:
        >>> from snn_synth.models import SpikingStack
        >>> only_layers(SpikingStack([3, 2]))  # whose `forward` is noted
        True
    """
    _run_layers.add(forward)  # the function itself: an attribute would be copied to what wraps it
    return forward


def only_layers(model: nn.Module) -> bool:
    """Whether calling a network is to run its ``.layers`` and no more, and nothing waits for the call."""
    kind: Any = type(model)
    run = getattr(model, "run", None)  # what `SpikingStack.forward` calls
    return (
        kind.forward in _run_layers
        and (run is None or getattr(run, "__func__", None) in _run_layers)
        and kind.__call__ is _CALL
        and not has_hooks(model)
    )


def plain_layers(layers: Layers) -> list[Layer] | None:
    """Layers as kernels take them: fully connected, of neurons that do what the paper's do; None for others."""
    found: list[Layer] = []
    for operator, neuron in layers:
        numbers = _constants(neuron)
        if numbers is None or type(operator) not in _FULL or operator.bias is not None or has_hooks(operator):
            return None
        found.append(Layer(operator.weight, *numbers))
    return found


def _constants(neuron: SigmoidLeaky) -> tuple[float, float, float] | None:
    """Decay, threshold and slope of a plain neuron that is reset to zero; None for others."""
    decay, threshold, factor = neuron.decay, neuron.threshold, neuron.graded_spikes_factor
    fixed = constant(decay) and constant(threshold) and constant(factor)
    if not fixed or not neuron.plain or neuron.reset_mechanism != "zero" or number(factor) != 1:
        return None
    return number(decay), number(threshold), neuron.slope
