"""From NIR's nodes to a network."""

import copy
import json
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import nir
import numpy as np
import torch
from torch import Tensor, nn

from snn_synth.errors import InputError, brief
from snn_synth.interop.nir_chain import Link, Shape, chain_of, matrix, output_shape, pair
from snn_synth.interop.nir_dialects import DIALECTS, Array, neuron_node
from snn_synth.interop.nir_file import read_graph
from snn_synth.models.allocation import Allocating
from snn_synth.models.pretrained import Pretrained
from snn_synth.neurons import SigmoidLeaky
from snn_synth.synapses import SpikeConvTranspose2d, SpikeLinear

DT = 1e-4  # of snnTorch, SpikingJelly and of files that do not say
_CLOSE = 1e-6  # float32's rounding, several times
_ROUNDING = 6e-8  # of a decay in float32


@torch.no_grad()
def from_nir(source: Any, dt: float | None = None) -> Any:
    """A network from a NIR graph or file: a chain of layers, without loops or branches.

    Args:
        source: a ``nir.NIRGraph``, or the path of a file.
        dt: seconds of a time step; what the file says if not given, and 1e-4 if it does not.

    Returns:
        The model that was exported, in evaluation mode, if :func:`to_nir` wrote it of a model with ``.layers``. Any
        other is an ``nn.Sequential`` whose neurons have ``init_hidden=True``: call it once for each time step, with
        ``[B, ...]``, and :func:`~snn_synth.neurons.reset_states` between samples.

    Raises:
        InputError: for a file that is none; and for what has no place in such a network: loops, branches, subgraphs,
            synaptic currents (``CubaLIF``), a leak voltage or reset other than 0, ...

    Example:
        >>> from snn_synth.interop.nir import to_nir
        >>> from snn_synth.models import AESNN
        >>> ae = AESNN(4, 2)
        >>> again = from_nir(to_nir(ae))
        >>> type(again).__name__, torch.equal(again.layers[0][0].weight, ae.layers[0][0].weight)
        ('AESNN', True)
    """
    graph = read_graph(source) if isinstance(source, str | Path) else source
    if not isinstance(graph, nir.NIRGraph):
        raise InputError(f"Expected a nir.NIRGraph or the path of a file, got a {type(graph).__name__}")
    try:
        return _network(graph, dt)
    except InputError:
        raise
    except (TypeError, ValueError, LookupError, AttributeError, RuntimeError, ArithmeticError) as error:
        raise InputError(
            f"Expected nodes with the parameters that NIR gives them, got others ({brief(error)})"
        ) from None


def _network(graph: Any, dt: float | None) -> Any:
    kept = graph.metadata or {}
    dt = float(kept.get("dt", DT)) if dt is None else float(dt)
    if not (np.isfinite(dt) and dt > 0):
        raise InputError(f"Expected `dt` in seconds to be positive and finite, got {dt}")
    first, nodes = _in_order(graph)
    exact = [_exact(node, kept.get("dialect"), dt) for node in nodes]
    known = all(found for node, found in zip(nodes, exact, strict=True) if isinstance(node, nir.LIF | nir.IF))
    if known and isinstance(kept.get("model"), str):
        return _model(kept["model"], nodes)
    shape: Shape = tuple(int(n) for n in np.atleast_1d(first.input_type["input"]))
    modules = []
    for node, numbers in zip(nodes, exact, strict=True):
        modules.append(_module(node, shape, numbers, dt))
        shape = output_shape(modules[-1], shape)
    return nn.Sequential(*modules).eval()


def _in_order(graph: Any) -> tuple[Any, list[Any]]:
    """The input, and the nodes between it and the output, of a graph that is a chain."""
    nodes, edges = graph.nodes, {(str(a), str(b)) for a, b in graph.edges}
    ends = [[name for name, node in nodes.items() if isinstance(node, kind)] for kind in (nir.Input, nir.Output)]
    if any(len(names) != 1 for names in ends):
        raise InputError(f"Expected a graph with one input and one output, got {len(ends[0])} and {len(ends[1])}")
    if not all(name in nodes for edge in edges for name in edge):
        raise InputError("Expected edges between the graph's nodes, got some to nodes that are not there")
    for name, node in nodes.items():
        if type(node) not in _READ:
            raise InputError(f"Expected nodes of {_names()}, got {type(node).__name__}, in {name!r}")
    try:
        TopologicalSorter({name: [a for a, b in edges if b == name] for name in nodes}).prepare()
    except CycleError as error:
        raise InputError(f"Expected a chain of nodes, got a cycle of {sorted(set(error.args[1]))}") from None
    (name,), chain = ends[0], []
    while True:
        after = [b for a, b in edges if a == name]
        before = [a for a, b in edges if a != name and after == [b]]
        if name == ends[1][0] and not after:
            break
        if len(after) != 1 or before:
            raise InputError(f"Expected a chain of nodes, got {len(after)} after {name!r}, and {len(before)} beside it")
        (name,) = after
        chain.append(nodes[name])
    if len(chain) != len(nodes) - 1 or len(chain) < 2:
        raise InputError(f"Expected a chain of all nodes, got one of {len(chain)} of {len(nodes) - 1} after the input")
    return nodes[ends[0][0]], chain[:-1]


_READ = (
    *(nir.Affine, nir.AvgPool2d, nir.Conv2d, nir.Flatten, nir.IF, nir.LIF, nir.Linear, nir.SumPool2d),
    *(nir.Input, nir.Output),
)


def _names() -> list[str]:
    return sorted(kind.__name__ for kind in _READ)


def _exact(node: Any, dialect: Any, dt: float) -> tuple[Array, Array] | None:
    """Decay and threshold from a neuron's metadata, in double precision, if the node's numbers still come from them."""
    kept = node.metadata if isinstance(node, nir.LIF | nir.IF) else {}
    if dialect not in DIALECTS or not {"beta", "threshold"} <= kept.keys():
        return None
    beta, threshold = (np.asarray(kept[name], dtype=np.float64) for name in ("beta", "threshold"))
    try:
        shape = np.shape(node.v_threshold)
        alpha, height = (np.broadcast_to(x, shape) for x in (1 - beta.clip(0, 1), threshold))
        made = neuron_node(DIALECTS[dialect], alpha, height, dt)
    except (InputError, ValueError):
        return None
    same = type(made) is type(node) and all(
        np.array_equal(getattr(made, name), getattr(node, name))
        for name in ("tau", "r", "v_leak", "v_threshold", "v_reset")
        if hasattr(made, name)
    )
    return (beta, threshold) if same else None


def _model(description: str, nodes: list[Any]) -> Any:
    """The model of a description, with the numbers of the nodes."""
    weights = [int(np.size(value)) for node in nodes for value in vars(node).values() if isinstance(value, np.ndarray)]
    try:
        with Allocating(weights):
            network: Any = Pretrained.build(json.loads(description))
        links, shape = chain_of(network)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"Expected the description of a model in the metadata, got another ({error})") from None
    if len(links) != len(nodes):
        raise InputError(f"Expected the {len(links)} layers that the metadata describes, got {len(nodes)} nodes")
    for link, node in zip(links, nodes, strict=True):
        for name, values in _parameters(link, node, shape).items():
            parameter = getattr(link.module, name)
            if values.shape != parameter.shape:
                raise InputError(
                    f"Expected `{name}` of shape {list(parameter.shape)}, which the metadata describes, got "
                    f"{list(values.shape)}"
                )
            parameter.copy_(values)
        shape = output_shape(link.module, shape)
    return network.eval()


def _parameters(link: Link, node: Any, shape: Shape) -> dict[str, Tensor]:
    """What a layer of a model has, in its own order, from its node."""
    if isinstance(link.module, SigmoidLeaky):
        return {
            name: link.from_nir(torch.as_tensor(node.metadata[name], dtype=torch.float64))
            for name in ("beta", "threshold")
        }
    if isinstance(link.module, nn.Flatten):
        return {}
    if isinstance(link.module, SpikeConvTranspose2d):
        return _kernel(link, node)
    weight = _weight(node)
    if link.maps is not None:
        rows, columns, channels = link.maps
        weight = link.from_nir(weight.reshape(len(weight), channels, rows, columns))
    bias = _bias(node)
    return {"weight": weight} if bias is None else {"weight": weight, "bias": bias}


def _kernel(link: Link, node: Any) -> dict[str, Tensor]:
    """Of a transposed convolution, from the metadata of a matrix that still is the kernel's."""
    names = {"weight": "kernel"} | ({} if link.module.bias is None else {"bias": "bias_of_maps"})
    kept = {name: torch.as_tensor(np.asarray(node.metadata[key])).float() for name, key in names.items()}
    made: Any = copy.deepcopy(link.module)
    if np.shape(node.weight) != (size := (made.out_features, made.in_features)):  # which `matrix` would allocate
        raise InputError(f"Expected a matrix of {list(size)}, as the metadata says, got {list(np.shape(node.weight))}")
    made.load_state_dict(kept)
    weight, bias = matrix(made)
    same = torch.equal(link.to_nir(weight).flatten(1), _weight(node))
    if not same or (bias is not None and not torch.equal(bias, torch.as_tensor(node.bias))):
        raise InputError(
            "Expected the matrix of the transposed convolution whose kernel is in the node's metadata, got another: "
            "without the graph's metadata it is read as a matrix"
        )
    return kept


def _weight(node: Any) -> Tensor:
    """Weights of a node; of a convolution without the zeros that made its kernel square."""
    weight = torch.as_tensor(np.asarray(node.weight)).float()
    if (size := node.metadata.get("kernel_size")) is not None:
        (top, left) = ((n - int(k)) // 2 for n, k in zip(weight.shape[2:], size, strict=True))
        if min(top, left) < 0:
            raise InputError(f"Expected a kernel of at least {list(size)}, as the metadata says, got a smaller one")
        weight = weight[:, :, top : weight.shape[2] - top, left : weight.shape[3] - left]
    if not weight.isfinite().all():
        raise InputError(f"Expected finite weights, got others in a {type(node).__name__} node")
    return weight.contiguous()


def _bias(node: Any) -> Tensor | None:
    """Bias currents of a node; none if it has zeros because a reader wants some."""
    if isinstance(node, nir.Linear) or (not node.metadata.get("bias", True) and not np.any(node.bias)):
        return None
    bias = torch.as_tensor(np.asarray(node.bias)).float()
    if not bias.isfinite().all():
        raise InputError(f"Expected finite bias currents, got others in a {type(node).__name__} node")
    return bias


def _module(node: Any, shape: Shape, numbers: tuple[Array, Array] | None, dt: float) -> nn.Module:
    if isinstance(node, nir.LIF | nir.IF):
        leak, threshold = _derived(node, dt) if numbers is None else (1 - numbers[0], numbers[1])
        if node.v_threshold.shape not in (shape, (1,), ()):
            raise InputError(f"Expected neurons of shape {list(shape)}, got {list(node.v_threshold.shape)}")
        slope = 1.0 if numbers is None else float(node.metadata.get("slope", 1.0))
        return SigmoidLeaky(_number(leak), _number(threshold), slope, init_hidden=True)
    if isinstance(node, nir.Flatten):
        if int(node.start_dim) not in (0, -len(shape)) or int(node.end_dim) not in (-1, len(shape) - 1):
            raise InputError(f"Expected a Flatten of whole samples, got axes {node.start_dim} to {node.end_dim}")
        return nn.Flatten()
    if isinstance(node, nir.AvgPool2d | nir.SumPool2d):
        divisor = 1 if isinstance(node, nir.SumPool2d) else None
        sizes = [pair(x) for x in (node.kernel_size, node.stride, node.padding)]
        return nn.AvgPool2d(sizes[0], sizes[1], sizes[2], divisor_override=divisor)
    weight, bias = _weight(node), _bias(node)
    module: nn.Module
    if isinstance(node, nir.Conv2d):
        module = _convolution(node, weight, bias)
    else:
        module = SpikeLinear(weight.shape[1], len(weight), bias is not None)
    for name, values in (("weight", weight), ("bias", bias)):
        if values is not None:
            if values.shape != getattr(module, name).shape:
                raise InputError(f"Expected a bias for each of {len(weight)} outputs, got {list(values.shape)}")
            getattr(module, name).copy_(values)
    return module


def _convolution(node: Any, weight: Tensor, bias: Tensor | None) -> nn.Module:
    if isinstance(node.padding, str | bytes):
        raise InputError(f"Expected the padding of a convolution as numbers, got {node.padding!r}")
    dilation = pair(node.dilation)
    cut = [(np.shape(node.weight)[2 + i] - weight.shape[2 + i]) // 2 * dilation[i] for i in range(2)]
    padding = [p - c for p, c in zip(pair(node.padding), cut, strict=True)]
    groups, size = int(node.groups), (weight.shape[2], weight.shape[3])
    return nn.Conv2d(
        *(weight.shape[1] * groups, weight.shape[0], size, pair(node.stride), (padding[0], padding[1]), dilation),
        groups=groups,
        bias=bias is not None,
    )


def _derived(node: Any, dt: float) -> tuple[Array, Array]:
    """Leak and threshold of a neuron: the smallest potential above that of the node, of a current with weight 1."""
    kind = type(node).__name__
    given = {name: np.asarray(value, np.float64) for name, value in vars(node).items() if isinstance(value, np.ndarray)}
    for name in ("v_leak", "v_reset"):
        if np.any(given.get(name, 0) != 0):
            raise InputError(f"Expected neurons with {name} of 0, got a {kind} node with {given[name].flat[0]:g}")
    r, height = given["r"], given["v_threshold"]
    if kind == "IF":
        leak, share = np.zeros(r.shape), np.where(r == 1, 1.0, r * dt)  # r of 1: what many write for a step's current
    else:
        leak = _decimal(dt / given["tau"])
        share = r * leak
        if not ((leak > 0) & (leak <= 1)).all():
            raise InputError(f"Expected a tau of at least dt = {dt:g} s, got {given['tau'].min():g} in a {kind} node")
    share = np.where(np.abs(share - 1) < _CLOSE, 1.0, share)
    if not ((share > 0) & np.isfinite(share) & np.isfinite(height) & (height >= 0)).all():
        raise InputError(f"Expected r and v_threshold to be positive and finite, got others in a {kind} node")
    return leak, np.nextafter((height / share).astype(np.float32), np.float32(np.inf)).astype(np.float64)


def _decimal(values: Array) -> Array:
    """Leaks of six digits, where they differ from those by no more than float32 rounds a decay."""
    short = np.vectorize(lambda x: float(f"{x:.6g}"), otypes=[np.float64])(values)
    near: Array = np.where(np.abs(short - values) < _ROUNDING, short, values)
    return near


def _number(values: Array) -> float | Tensor:
    """One number where all are the same."""
    first = float(values.flat[0])
    return first if (values == first).all() else torch.as_tensor(values)
