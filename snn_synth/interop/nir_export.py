"""From a network to NIR's nodes."""

import json
from collections.abc import Iterable
from typing import Any

import nir
import numpy as np
import torch
from torch import Tensor, nn

import snn_synth
from snn_synth.errors import InputError
from snn_synth.interop.nir_chain import Link, Shape, chain_of, matrix, output_shape, pair, plain_network
from snn_synth.interop.nir_dialects import Array, Dialect, dialect_of, neuron_node
from snn_synth.models.pretrained import Pretrained
from snn_synth.neurons import SigmoidLeaky
from snn_synth.surrogate import SigmoidCentered
from snn_synth.synapses import SpikeConvTranspose2d

MOST_SYNAPSES = 2**24  # of a transposed convolution as a matrix: 64 MiB


@torch.no_grad()
def to_nir(network: Any, dialect: str = "nir", dt: float = 1e-4, input_shape: Iterable[int] | None = None) -> Any:
    r"""A network in evaluation as a graph of the Neuromorphic Intermediate Representation, a chain of its layers.

    Batch norm is folded into weights and bias currents. A leak of 0 becomes an ``IF`` node, a transposed convolution,
    for which NIR has no node, the matrix of all its synapses. ``metadata`` holds leak, threshold and ``dt`` exactly, a
    transposed convolution's kernel, and what model it is, for :func:`from_nir`.

    Args:
        network: ``SpikingStack``, ``AESNN``, ``ConvAESNN``, ``ACSNN``, ``ConvACSNN``; an ``AudioToImage``, whose
            audiocoder and decoder become one chain; or an ``nn.Sequential`` of linear layers, ``nn.Conv2d``,
            ``nn.AvgPool2d``, ``nn.Flatten`` and ``SigmoidLeaky``.
        dialect: the reader that the numbers are for: ``nir`` (its own equation, and snnTorch), ``norse``, ``sinabs`` or
            ``spikingjelly``; see docs/nir.md.
        dt: seconds of a time step.
        input_shape: of one sample, for an ``nn.Sequential`` that does not begin with a linear layer.

    Returns:
        A ``nir.NIRGraph``, for ``nir.write``.

    Raises:
        InputError: for what NIR, or the reader, has no node for: reset by subtraction, an option of ``snn.Leaky`` that
            changes the step, a transposed convolution with more than 16 million synapses, ...

    Source:
        Pedersen et al. 2024, "Neuromorphic Intermediate Representation", table 1.

    Example:
        >>> from snn_synth.models import AESNN
        >>> graph = to_nir(AESNN(784, 196))
        >>> list(graph.nodes)
        ['input', 'linear', 'lif', 'linear_1', 'lif_1', 'output']
    """
    reader = dialect_of(dialect, dt)
    network = plain_network(network)
    links, shape = chain_of(network, input_shape)
    nodes: list[Any] = [nir.Input(np.array(shape))]
    for link in links:
        _check(link.module)
        after = output_shape(link.module, shape)
        node = _neurons(link, after, reader, dt) if isinstance(link.module, SigmoidLeaky) else _operator(link, shape)
        if isinstance(node, nir.Linear) and "Linear" in reader.lacks:
            node = nir.Affine(node.weight, np.zeros(len(node.weight), np.float32), metadata={"bias": False})
        if type(node).__name__ in reader.lacks:
            raise InputError(f"Expected layers that {dialect} reads, got a {type(node).__name__}, which it does not")
        nodes.append(node)
        shape = after
    graph = nir.NIRGraph.from_list(*nodes, nir.Output(np.array(shape)))
    graph.metadata = {"snn_synth": snn_synth.__version__, "dialect": dialect, "dt": float(dt)}
    if isinstance(network, Pretrained) and hasattr(network, "layers"):
        graph.metadata["model"] = json.dumps(network.describe())
    return graph


def _check(module: nn.Module) -> None:
    """Raise InputError unless NIR has a node for a layer; of a neuron, which option is in the way."""
    if isinstance(module, nn.Conv2d) and (module.padding_mode != "zeros" or isinstance(module.padding, str)):
        raise InputError(
            f"Expected a convolution padded by zeros, by a number, got {module.padding_mode}, {module.padding}"
        )
    if not isinstance(module, SigmoidLeaky):
        if not isinstance(module, nn.Linear | nn.Conv2d | nn.Flatten | nn.AvgPool2d | SpikeConvTranspose2d):
            raise InputError(f"Expected layers that NIR has a node for, got a {type(module).__name__}")
        return
    factor = torch.as_tensor(module.graded_spikes_factor)
    found = {
        'reset="subtract": train with reset="zero", and so the autoencoder of an audiocoder (docs/nir.md)': (
            module.reset_mechanism != "zero"
        ),
        "reset_delay=False": not module.reset_delay,
        "inhibition=True": bool(module.inhibition),
        "state_quant": bool(module.state_quant),
        f"graded_spikes_factor={factor.tolist()}": bool((factor != 1).any()),
        "another surrogate: if it fires at the threshold too, assign SigmoidCentered() to `neuron.spike_grad`": (
            type(module.spike_grad) is not SigmoidCentered
        ),
        "a step of their own": type(module).forward is not SigmoidLeaky.forward,
    }
    for option, given in found.items():
        if given:
            raise InputError(f"Expected neurons that reset to zero and do no more, as NIR's do, got {option}")


def _neurons(link: Link, shape: Shape, reader: Dialect, dt: float) -> Any:
    neuron: Any = link.module
    own = {"beta": neuron.beta, "threshold": neuron.threshold}
    kept = {name: link.to_nir(value.double().cpu()).numpy() for name, value in own.items()}
    if not (kept["threshold"] > 0).all():
        raise InputError("Expected positive thresholds, got learned ones that are not")
    try:
        alpha, threshold = (np.broadcast_to(x, shape) for x in (1 - kept["beta"].clip(0, 1), kept["threshold"]))
    except ValueError:
        raise InputError(
            f"Expected one leak and threshold, or one for each neuron of {list(shape)}, got {list(kept['beta'].shape)} "
            f"and {list(kept['threshold'].shape)}"
        ) from None
    node = neuron_node(reader, alpha, threshold, dt)
    node.metadata = {name: value if value.ndim else float(value) for name, value in kept.items()}
    node.metadata["slope"] = neuron.slope
    return node


def _operator(link: Link, shape: Shape) -> Any:
    module: Any = link.module
    if isinstance(module, nn.Flatten):
        if module.start_dim not in (1, -len(shape)) or module.end_dim not in (-1, len(shape)):
            raise InputError(f"Expected a Flatten of whole samples, got axes {module.start_dim} to {module.end_dim}")
        return nir.Flatten({"input": np.array(shape)}, -len(shape), -1)  # from behind: a batch's axis changes nothing
    if isinstance(module, nn.AvgPool2d):
        return _pooling(module)
    if not module.weight.isfinite().all() or module.weight.dtype == torch.float64:
        raise InputError("Expected finite weights in float32, got others: `network.float()` converts them")
    if isinstance(module, nn.Conv2d):
        return _convolution(module, shape)
    if isinstance(module, SpikeConvTranspose2d):
        return _transposed_convolution(link, module)
    weight = _array(link.to_nir(module.weight).flatten(1))
    return nir.Linear(weight) if module.bias is None else nir.Affine(weight, _array(module.bias))


def _transposed_convolution(link: Link, module: SpikeConvTranspose2d) -> Any:
    """The matrix of all its synapses, most of which are 0, for want of a node."""
    if (synapses := module.in_features * module.out_features) > MOST_SYNAPSES:
        raise InputError(
            f"Expected transposed convolutions of at most {MOST_SYNAPSES:,} synapses with the zeros between them, as "
            f"NIR has no node for one but a matrix, got one of {synapses:,}"
        )
    weight, bias = matrix(module)
    kept = {"kernel": _array(module.weight)}
    if module.bias is not None:
        kept["bias_of_maps"] = _array(module.bias)
    array = _array(link.to_nir(weight).flatten(1))
    return nir.Linear(array, metadata=kept) if bias is None else nir.Affine(array, _array(bias), metadata=kept)


def _convolution(module: nn.Conv2d, shape: Shape) -> Any:
    """A node with a square kernel, zeros around ours: the package nir takes rows for columns of any other."""
    if module.groups > 1:  # the package takes one group's inputs for all
        raise InputError(
            f"Expected a convolution of all maps, as the package nir knows no others, got {module.groups} groups"
        )
    size = pair(module.kernel_size)
    more = [max(size) - k for k in size]
    if any(m % 2 for m in more):
        raise InputError(f"Expected a kernel whose rows and columns differ by an even number, got {list(size)}")
    weight = nn.functional.pad(module.weight, [m // 2 for m in reversed(more) for _ in range(2)])
    padded = [p + d * m // 2 for p, d, m in zip(pair(module.padding), pair(module.dilation), more, strict=True)]
    bias = torch.zeros(module.out_channels) if module.bias is None else module.bias
    metadata: dict[str, Any] = {} if module.bias is not None else {"bias": False}
    if max(more):
        metadata["kernel_size"] = np.array(size)
    return nir.Conv2d(
        shape[1:],
        _array(weight),
        stride=pair(module.stride),
        padding=tuple(padded),
        dilation=pair(module.dilation),
        groups=1,
        bias=_array(bias),
        metadata=metadata,
    )


def _pooling(module: nn.AvgPool2d) -> Any:
    places, padding = pair(module.kernel_size), pair(module.padding)
    if module.ceil_mode or (max(padding) and not module.count_include_pad) or module.divisor_override not in (None, 1):
        raise InputError("Expected an AvgPool2d that takes the mean of all places, or their sum, got other options")
    kind = nir.AvgPool2d if module.divisor_override is None else nir.SumPool2d
    return kind(np.array(places), np.array(pair(module.stride)), np.array(padding))


def _array(x: Tensor) -> Array:
    values: Array = x.detach().float().cpu().contiguous().numpy()
    return values
