"""ONNX: spiking networks as graphs that onnxruntime runs, in a browser too.

The graphs are written node by node, as the equations stand: what an exporter traces is larger and harder to read, and
needs further packages. All time steps are one ``Scan`` over the graph of a single step, so each weight is stored once.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import nn

from snn_synth.errors import InputError
from snn_synth.functional import standardize
from snn_synth.interop.onnx_graph import Graph, Value, package
from snn_synth.interop.onnx_step import Layer, layers_of, step_graph
from snn_synth.learning.finite import check_weights
from snn_synth.models import AudioToImage
from snn_synth.models.pretrained import Pretrained

__all__ = ["to_onnx"]

Form = Literal["run", "step"]
"""All time steps from rest, or one with its state."""


def to_onnx(network: nn.Module, form: Form = "run", num_steps: int | None = None) -> Any:
    r"""A spiking network as an ONNX model: all time steps from rest, or one step with its state.

    The nodes of layer l are its equations:

    .. math:: Z_l[t] = W_l A_{l-1}[t], \qquad V_l[t] = (1-\alpha)\,V_l[t-1]\,(1-A_l[t-1]) + Z_l[t], \qquad
        A_l[t] = [V_l[t] \ge V_{th}]

    (or with its reset by subtraction, see :func:`~snn_synth.functional.lif_step`). Batch norm is folded into weights
    and a bias. Encoding is not in the graph: spikes are its input, zeros and ones in float32.

    Args:
        network: fully connected or convolutional layers of :class:`~snn_synth.neurons.SigmoidLeaky` (AESNN, ACSNN,
            ConvAESNN, ConvACSNN, SpikingStack); or an AudioToImage, whose audiocoder and decoder become one graph.
        form: ``run`` or ``step``.
        num_steps: T of the run; any T if not given.

    Shape:
        run: ``input_spikes`` ``[T, B, inputs]`` to ``spikes_1``, ``spikes_2``, ... of each layer ``[T, B, neurons]``
        and the firing rates of the last, ``rates`` ``[B, neurons]``; of an AudioToImage ``images``
        ``[B, *image_shape]`` instead, and with labels their ``probabilities`` ``[B, L]``, as
        :meth:`~snn_synth.models.AudioToImage.recognize` gives them.

        step: ``input_spikes`` ``[B, inputs]`` and each layer's state ``membrane_1``, ... ``[B, neurons]``, zeros at
        rest, to ``spikes_1``, ... and the state after the step, ``next_membrane_1``, ..., all ``[B, neurons]``.

    Returns:
        An ``onnx.ModelProto``: ``onnx.save`` writes it. Its metadata ``config`` is what ``config.json`` of a saved
        model holds.

    Raises:
        InputError: without the package onnx, or for what has no such graph: another network, neurons that keep their
            state or have options of their own, weights that are not float32, not finite or too many.

    Source:
        Roy, Panda & Roy 2019, eq. 1-2. ONNX 1.13 (opset 18), operator Scan.

    Example:
        >>> import onnxruntime
        >>> from snn_synth.models import AESNN
        >>> ae, spikes = AESNN(4, 2, threshold=0.5), torch.ones(5, 1, 4)
        >>> session = onnxruntime.InferenceSession(to_onnx(ae).SerializeToString())
        >>> hidden, output, rates = session.run(None, {"input_spikes": spikes.numpy()})
        >>> hidden.shape, output.shape, rates.shape
        ((5, 1, 2), (5, 1, 4), (1, 4))
        >>> torch.equal(torch.from_numpy(output), ae(spikes).spikes)
        True
    """
    onnx = package()
    if form not in get_args(Form):
        raise InputError(f"Expected a form of {list(get_args(Form))}, got {form!r}")
    if num_steps is not None and (form == "step" or type(num_steps) is not int or not 1 <= num_steps < 2**31):
        raise InputError(
            f"Expected `num_steps` from 1 to 2^31 - 1, and that with form='run', got {num_steps!r} and form={form!r}"
        )
    layers = layers_of(network)
    check_weights(network)
    graph = step_graph(layers) if form == "step" else _run(network, layers, num_steps)
    model = graph.model(form)
    if isinstance(network, Pretrained):
        onnx.helper.set_model_props(model, {"config": json.dumps(network.describe())})
    return model


def prepare(network: nn.Module, **options: Any) -> Callable[[Path], None]:
    """Convert a network, and return what writes it: the command line's part of :func:`to_onnx`.

    Args:
        network: as there.
        **options: ``form`` and ``num_steps``, as there.

    Raises:
        InputError: as there.
    """
    content: bytes = to_onnx(network, **options).SerializeToString()

    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def _run(network: nn.Module, layers: Sequence[Layer], num_steps: int | None) -> Graph:
    """All time steps from rest, and what the output's firing rates are read as."""
    graph, time = Graph(), "T" if num_steps is None else num_steps
    spikes = graph.value("input_spikes", time, "B", layers[0][0].in_features)
    sizes = [operator.out_features for operator, _ in layers]
    batch = graph.node("batch", "Shape", spikes.name, start=1, end=2)
    rest = []
    for place, size in enumerate(sizes, 1):
        neurons = graph.constant(f"neurons_{place}", torch.tensor([size]))
        shape = graph.node(f"shape_{place}", "Concat", batch, neurons, axis=0)
        rest.append(graph.node(f"rest_{place}", "ConstantOfShape", shape))
    all_spikes = [graph.value(f"spikes_{place}", time, "B", size) for place, size in enumerate(sizes, 1)]
    last = [f"last_membrane_{place}" for place, _ in enumerate(sizes, 1)]
    graph.scan(step_graph(layers, "step_"), rest, spikes.name, last, [value.name for value in all_spikes])
    graph.inputs = [spikes]
    graph.outputs = all_spikes + _readout(graph, network, all_spikes[-1].name, sizes[-1])
    return graph


def _readout(graph: Graph, network: nn.Module, spikes: str, size: int) -> list[Value]:
    rates = graph.reduce("rates", "ReduceMean", spikes, axis=0, keepdims=0)
    if not isinstance(network, AudioToImage):
        return [graph.value(rates, "B", size)]
    graph.reshape("images", rates, *network.image_shape)
    outputs = [graph.value("images", "B", *network.image_shape)]
    if network.labels is not None:
        _probabilities(graph, network, rates)
        outputs.append(graph.value("probabilities", "B", len(network.labels)))
    return outputs


def _probabilities(graph: Graph, network: AudioToImage, rates: str) -> None:
    """Of each label, by the standardized MSE against its image; the term that all labels share changes no softmax."""
    gallery = standardize(network.gallery).flatten(1).float()
    temperature = float(network.temperature)
    mean = graph.reduce("mean", "ReduceMean", rates, axis=1)
    centred = graph.node("centred", "Sub", rates, mean)
    highest = graph.reduce("highest", "ReduceMax", rates, axis=1)
    blank = graph.node("blank", "Equal", highest, graph.reduce("lowest", "ReduceMin", rates, axis=1))
    squared = graph.node("squared", "Mul", centred, centred)
    variance = graph.reduce("variance", "ReduceMean", squared, axis=1)
    safe = graph.node("safe_variance", "Where", blank, graph.constant("one", torch.tensor(1.0)), variance)
    scaled = graph.node("scaled", "Div", centred, graph.node("deviation", "Sqrt", safe))
    zero = graph.constant("zero", torch.tensor(0.0))
    standardized = graph.node("standardized", "Where", blank, zero, scaled)
    likeness = graph.node(
        "likeness",
        "Gemm",
        standardized,
        graph.constant("gallery", gallery),
        graph.constant("gallery_squares", -gallery.square().mean(1) / temperature),
        alpha=2 / (gallery.shape[1] * temperature),
        transB=1,
    )
    graph.node("probabilities", "Softmax", likeness, axis=1)
