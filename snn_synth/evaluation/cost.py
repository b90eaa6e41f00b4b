"""The cost of an inference, layer by layer: spikes, synaptic operations, membrane updates and energy."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from snn_synth.errors import InputError
from snn_synth.learning.layers import layers_of
from snn_synth.models import AudioToImage
from snn_synth.models.stack import run_layers
from snn_synth.neurons import SigmoidLeaky

PICOJOULES = {"addition": 0.9, "product": 3.7}
SOURCE = "Horowitz, Computing's energy problem (and what we can do about it), ISSCC 2014, figure 1.1.9: 45 nm"

LayerCosts = dict[str, dict[str, float]]
"""By the name of a layer, the input first: ``neurons``, and of a sample ``spikes``, ``operations``, ``updates`` and
``macs``."""


def fan_out(operator: nn.Module, shape: tuple[int, ...]) -> Tensor:
    """How many neurons a spike of each input reaches through a linear operator, borders and strides included.

    Args:
        operator: with weights and perhaps a bias, such as a convolution.
        shape: of its input, without the batch.

    Returns:
        ``shape``.

    Example:
        >>> fan_out(nn.Conv1d(1, 2, 3), (1, 5))
        tensor([[2., 4., 6., 4., 2.]])
    """
    ones = copy.deepcopy(operator)
    for weight in ones.parameters():
        nn.init.ones_(weight)
    inputs = torch.zeros(1, *shape, requires_grad=True)
    with torch.enable_grad():
        (reached,) = torch.autograd.grad(ones(inputs).sum(), inputs)
    return reached[0]


def spiking_cost(*layers: tuple[Tensor, Tensor | float]) -> dict[str, float]:
    r"""Spikes and synaptic operations of a sample, :math:`\sum_i n_i f_i`: the work of a chip that computes by events.

    Args:
        layers: how often each neuron of a layer fires, ``[B, ...]``, and how many neurons it reaches; of spikes
            ``[T, B, N]`` it is ``spikes.sum(0)``.

    Returns:
        ``spikes`` and ``operations``, means over the samples.

    Raises:
        InputError: for spikes with a time axis.

    Example:
        >>> spiking_cost((torch.tensor([[1.0, 3.0], [0.0, 0.0]]), 10), (torch.tensor([[1.0], [0.0]]), 0))
        {'spikes': 2.5, 'operations': 20.0}
    """
    for fired, _ in layers:
        if fired.dim() == 3:
            raise InputError(f"Expected counts [B, ...], summed over time, got {list(fired.shape)}: take `.sum(0)`")
    spikes = sum(fired.flatten(1).sum(1).double().mean().item() for fired, _ in layers)
    operations = sum((fired * reached).flatten(1).sum(1).double().mean().item() for fired, reached in layers)
    return {"spikes": spikes, "operations": operations}


def energy(additions: float = 0.0, products: float = 0.0) -> float:
    r"""Energy of arithmetic on 32-bit floats in 45 nm, in nanojoules: 0.9 pJ an addition, 3.7 pJ a product.

    A multiply-accumulate is one of each, 4.6 pJ. Reading weights and potentials from memory, which costs more than
    either, is left out.

    Source:
        Horowitz, Computing's energy problem (and what we can do about it), ISSCC 2014, figure 1.1.9.

    Example:
        >>> energy(additions=1000, products=1000)
        4.6
    """
    return (PICOJOULES["addition"] * additions + PICOJOULES["product"] * products) / 1000


def inference_layers(model: nn.Module) -> list[tuple[Any, SigmoidLeaky]]:
    """Layers that the spikes of an inference pass, in order: of an AudioToImage the audiocoder's and the decoder's.

    Raises:
        InputError: for a model without ``.layers``, whose spikes are not those of fully connected layers in time steps.

    Example:
        >>> from snn_synth.models import ACSNN, AESNN
        >>> [operator.in_features for operator, _ in inference_layers(AudioToImage(ACSNN(60, 8, 4), AESNN(784, 4)))]
        [60, 8, 4]
    """
    if isinstance(model, AudioToImage):
        return [*layers_of(model.audiocoder), *layers_of(model.autoencoder)[model.autoencoder.depth :]]
    return [*layers_of(model)]


def layer_names(model: nn.Module) -> list[str]:
    """Of the input and of each of :func:`inference_layers`: ``input``, ``hidden`` (or ``hidden1``, ...), ``output``.

    Example:
        >>> from snn_synth.models import ACSNN, AESNN, SpikingStack
        >>> layer_names(AudioToImage(ACSNN(60, 8, 4), AESNN(784, 4)))
        ['input', 'hidden', 'code', 'output']
        >>> layer_names(SpikingStack([4, 3, 3, 2]))
        ['input', 'hidden1', 'hidden2', 'output']
    """
    layers = len(inference_layers(model))
    if not isinstance(model, AudioToImage):
        return ["input", *_numbered("hidden", layers - 1), "output"]
    audiocoder = len(layers_of(model.audiocoder))
    hidden, drawing = _numbered("hidden", audiocoder - 1), _numbered("decoder", layers - audiocoder - 1)
    return ["input", *hidden, "code", *drawing, "output"]


def _numbered(name: str, layers: int) -> list[str]:
    return [f"{name}{place}" for place in range(1, layers + 1)] if layers > 1 else [name] * layers


@torch.no_grad()
def inference_spikes(model: nn.Module, spikes: Tensor) -> dict[str, Tensor]:
    """Spikes of the input and of every layer that they pass, by its name, ``[T, B, neurons]``.

    Args:
        model: in evaluation mode; see :func:`inference_layers`.
        spikes: of the input, ``[T, B, inputs]``.

    Example:
        >>> from snn_synth.models import AESNN
        >>> {name: list(one.shape) for name, one in inference_spikes(AESNN(9, 4), torch.ones(5, 2, 9)).items()}
        {'input': [5, 2, 9], 'hidden': [5, 2, 4], 'output': [5, 2, 9]}
    """
    layers = inference_layers(model)
    out = run_layers(layers, spikes, layers[0][0].in_features)
    return dict(zip(layer_names(model), (spikes, *out.layer_spikes), strict=True))


def layer_costs(spikes: Mapping[str, Tensor], fan_outs: Sequence[int | Tensor]) -> LayerCosts:
    r"""What a sample costs in each layer, beside a conventional network of the same weights.

    Args:
        spikes: of the input and of each layer, by name, ``[T, B, N]``.
        fan_outs: how many neurons a spike of each layer reaches, for each but the last.

    Returns:
        By the name of the layer: ``neurons``; ``spikes``; ``operations``, additions of a weight that its spikes cause
        in the next layer; ``updates`` of its membranes, a product and a sum at every time step of every neuron, none of
        the input; ``macs``, multiply-accumulates of a conventional network for that next layer, :math:`\sum_i f_i`.

    Raises:
        InputError: for another number of fan-outs.

    Example:
        >>> layer_costs({"input": torch.ones(5, 2, 4), "output": torch.zeros(5, 2, 3)}, [3])["input"]
        {'neurons': 4.0, 'spikes': 20.0, 'operations': 60.0, 'updates': 0.0, 'macs': 12.0}
    """
    if len(fan_outs) != len(spikes) - 1:
        raise InputError(f"Expected a fan-out for each of {len(spikes)} layers but the last, got {len(fan_outs)}")
    found: LayerCosts = {}
    for (name, fired), fan_out in zip(spikes.items(), [*fan_outs, 0], strict=True):
        steps, _, *sizes = fired.shape
        neurons = float(torch.Size(sizes).numel())
        updates = steps * neurons if found else 0.0
        macs = float(fan_out.sum()) if isinstance(fan_out, Tensor) else fan_out * neurons
        cost = spiking_cost((fired.sum(0), fan_out))
        found[name] = {"neurons": neurons, **cost, "updates": updates, "macs": float(macs)}
    return found


def mean_costs(parts: Iterable[tuple[int, LayerCosts]]) -> LayerCosts:
    """Means over the samples of several batches, each with its number of samples.

    Example:
        >>> mean_costs([(1, {"input": {"spikes": 2.0}}), (3, {"input": {"spikes": 6.0}})])
        {'input': {'spikes': 5.0}}
    """
    sums: LayerCosts = {}
    samples = 0
    for count, costs in parts:
        samples += count
        for name, cost in costs.items():
            kept = sums.setdefault(name, dict.fromkeys(cost, 0.0))
            for key, value in cost.items():
                kept[key] += count * value
    return {name: {key: value / samples for key, value in cost.items()} for name, cost in sums.items()}


def total_cost(costs: LayerCosts) -> dict[str, float]:
    """All layers together, and ``energy`` and ``conventional_energy`` of the arithmetic in nanojoules (:func:`energy`).

    Example:
        >>> costs = {"input": {"neurons": 4.0, "spikes": 20.0, "operations": 60.0, "updates": 0.0, "macs": 12.0}}
        >>> {name: round(value, 4) for name, value in total_cost(costs).items()}  # doctest: +ELLIPSIS
        {'neurons': 4.0, ..., 'energy': 0.054, 'conventional_energy': 0.0552}
    """
    keys = ("neurons", "spikes", "operations", "updates", "macs")
    total = {key: sum(cost[key] for cost in costs.values()) for key in keys}
    spent = energy(total["operations"] + total["updates"], total["updates"])
    return total | {"energy": spent, "conventional_energy": energy(total["macs"], total["macs"])}
