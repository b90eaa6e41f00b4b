"""One time step of a spiking network as an ONNX graph."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import nn

from snn_synth.errors import InputError
from snn_synth.interop.onnx_graph import Graph
from snn_synth.models import AudioToImage
from snn_synth.neurons import SigmoidLeaky
from snn_synth.synapses import BatchNormed, SpikeConv2d, SpikeConvTranspose2d, SpikeLinear

_LARGEST = 2**31 - 2**20  # bytes that one file can hold, less some for its nodes

Operator = nn.Linear | SpikeConv2d | SpikeConvTranspose2d
_OPERATORS = nn.Linear, SpikeLinear, SpikeConv2d, SpikeConvTranspose2d
Layer = tuple[Operator, SigmoidLeaky]


def layers_of(network: Any) -> list[Layer]:
    """Operators, batch norm folded, and their neurons.

    Args:
        network: with ``.layers``; or an AudioToImage, of which these are the audiocoder's and the decoder's.

    Raises:
        InputError: for what a graph cannot express.
    """
    if isinstance(network, AudioToImage):
        layers = [*layers_of(network.audiocoder), *layers_of(network.autoencoder)[network.autoencoder.depth :]]
    else:
        pairs = getattr(network, "layers", None)
        if not isinstance(pairs, nn.ModuleList) or not all(isinstance(p, nn.ModuleList) and len(p) == 2 for p in pairs):
            raise InputError(
                "Expected a network with `.layers` of operators and their neurons, or an AudioToImage, got a "
                f"{type(network).__name__}"
            )
        layers = [_layer(place, *cast(Any, pair)) for place, pair in enumerate(pairs, 1)]
    size = sum(4 * operator.weight.numel() for operator, _ in layers)
    if size > _LARGEST:
        raise InputError(f"Expected weights of at most {_LARGEST:,} bytes, which an ONNX file can hold, got {size:,}")
    return layers


def _layer(place: int, operator: nn.Module, neuron: nn.Module) -> Layer:
    if isinstance(operator, BatchNormed):
        operator = operator.folded()
    if type(operator) not in _OPERATORS or not isinstance(neuron, SigmoidLeaky):
        raise InputError(
            f"Expected layers of {[kind.__name__ for kind in _OPERATORS]} and SigmoidLeaky for an ONNX graph, got "
            f"{type(operator).__name__} and {type(neuron).__name__} in layer {place}"
        )
    if neuron.init_hidden:
        raise InputError(
            "Expected neurons whose state is passed in and returned, got init_hidden=True in layer "
            f"{place}: an ONNX graph keeps nothing from one call to the next"
        )
    if not neuron.plain or bool((neuron.graded_spikes_factor != 1).any()):
        raise InputError(
            "Expected neurons without hooks, another surrogate or an option that changes their step, got some in "
            f"layer {place}: they have no ONNX graph; if a surrogate of yours fires at the threshold too, assign "
            "SigmoidCentered() to `neuron.spike_grad` first"
        )
    if operator.weight.dtype != torch.float32:
        raise InputError(f"Expected float32 weights, got {operator.weight.dtype} in layer {place}: call .float() first")
    return cast(Operator, operator), neuron


def step_graph(layers: Sequence[Layer], prefix: str = "") -> Graph:
    """The graph of one time step.

    Args:
        layers: from :func:`layers_of`.
        prefix: begins all names, as those of a graph inside another must be new.
    """
    graph = Graph(prefix)
    sizes = [operator.out_features for operator, _ in layers]
    spikes = graph.named("input_spikes")
    for place, (operator, neuron) in enumerate(layers, 1):
        spikes = _neuron(graph, place, neuron, _currents(graph, place, operator, spikes))
    # State first, as Scan wants it.
    graph.inputs = [graph.value(f"membrane_{place}", "B", size) for place, size in enumerate(sizes, 1)]
    graph.inputs += [graph.value("input_spikes", "B", layers[0][0].in_features)]
    graph.outputs = [graph.value(f"next_membrane_{place}", "B", size) for place, size in enumerate(sizes, 1)]
    graph.outputs += [graph.value(f"spikes_{place}", "B", size) for place, size in enumerate(sizes, 1)]
    return graph


def _currents(graph: Graph, place: int, operator: Operator, spikes: str) -> str:
    """Z."""
    weight = graph.weights(f"weight_{place}", operator.weight)
    bias = None if operator.bias is None else graph.weights(f"bias_{place}", operator.bias)
    if isinstance(operator, SpikeConv2d | SpikeConvTranspose2d):
        maps = graph.reshape(f"maps_{place}", spikes, *operator.size, operator.in_channels)
        maps = graph.node(f"channels_first_{place}", "Transpose", maps, perm=[0, 3, 1, 2])
        rows, columns = cast(tuple[int, int], operator.padding)
        settings = {"strides": list(operator.stride), "pads": [rows, columns, rows, columns]}
        if isinstance(operator, SpikeConvTranspose2d):
            settings["output_padding"] = list(operator.output_padding)
        kind = "Conv" if isinstance(operator, SpikeConv2d) else "ConvTranspose"
        maps = graph.node(f"convolved_{place}", kind, maps, weight, *([bias] if bias else []), **settings)
        maps = graph.node(f"channels_last_{place}", "Transpose", maps, perm=[0, 2, 3, 1])
        return graph.reshape(f"currents_{place}", maps, operator.out_features)
    # Gemm, not MatMul: onnxruntime would make one operator of MatMul and the Add of eq. 1, which rounds otherwise.
    products = graph.node(f"products_{place}", "Gemm", spikes, weight, transB=1)
    return products if bias is None else graph.node(f"currents_{place}", "Add", products, bias)


def _neuron(graph: Graph, place: int, neuron: SigmoidLeaky, currents: str) -> str:
    """A, in float32; operations and their order are those of :func:`~snn_synth.functional.lif_step`."""
    decay = graph.constant(f"decay_{place}", neuron.decay.float())
    threshold = graph.constant(f"threshold_{place}", neuron.threshold.float())
    nothing = graph.constant(f"nothing_{place}", torch.tensor(0.0))
    membrane = graph.named(f"membrane_{place}")
    fired = graph.node(f"fired_{place}", "GreaterOrEqual", membrane, threshold)
    if neuron.reset_mechanism == "zero":
        kept = graph.node(f"kept_{place}", "Where", fired, nothing, membrane)
        leaked = graph.node(f"leaked_{place}", "Mul", decay, kept)
        membrane = graph.node(f"next_membrane_{place}", "Add", leaked, currents)  # eq. 1
    else:
        leaked = graph.node(f"leaked_{place}", "Mul", decay, membrane)
        charged = graph.node(f"charged_{place}", "Add", leaked, currents)
        spent = graph.node(f"spent_{place}", "Where", fired, threshold, nothing)
        membrane = graph.node(f"next_membrane_{place}", "Sub", charged, spent)
    fires = graph.node(f"fires_{place}", "GreaterOrEqual", membrane, threshold)  # eq. 2
    return graph.cast(f"spikes_{place}", fires)
