"""A graph of ONNX nodes in the making."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

import snn_synth
from snn_synth.errors import InputError

_OPSET, _IR = 18, 8  # of 2022: what runs ONNX today runs them


def package() -> Any:
    """The package onnx.

    Raises:
        InputError: without it.
    """
    try:
        import onnx
    except ImportError as error:
        raise InputError(
            "Expected the package onnx, and it is not installed: pip install 'snn_synth[export]'"
        ) from error
    return onnx


class Value(NamedTuple):
    """An input or output, float32."""

    name: str
    shape: tuple[int | str, ...]
    """A length, or the name of one that is known when the graph runs."""


class Graph:
    """Nodes in the order in which they are added, and the constants that they read.

    Args:
        prefix: begins the name of everything in it.

    Example:
        >>> graph = Graph()
        >>> graph.inputs = [graph.value("x", "B", 3)]
        >>> graph.node("y", "Add", "x", graph.constant("one", torch.tensor(1.0)))
        'y'
        >>> graph.outputs = [graph.value("y", "B", 3)]
        >>> [node.op_type for node in graph.model("sum").graph.node]
        ['Add']
    """

    def __init__(self, prefix: str = "") -> None:
        """Start without nodes."""
        self.onnx, self.prefix = package(), prefix
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: list[Value] = []
        self.outputs: list[Value] = []

    def named(self, name: str) -> str:
        """The whole name."""
        return self.prefix + name

    def value(self, name: str, *shape: int | str) -> Value:
        """An input or output."""
        return Value(self.named(name), shape)

    def node(self, name: str, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator with one output, and return the output's whole name; its inputs are given by theirs."""
        output = self.named(name)
        self.nodes.append(self.onnx.helper.make_node(operator, inputs, [output], output, **attributes))
        return output

    def constant(self, name: str, values: Tensor) -> str:
        """Add a constant."""
        values = values.detach().cpu().contiguous()
        self.constants.append(self.onnx.numpy_helper.from_array(values.numpy(), self.named(name)))
        return self.named(name)

    def weights(self, name: str, values: Tensor) -> str:
        """Add float32 weights, stored in float16 where that holds each exactly, as it does those of shipped models."""
        half = values.detach().half()
        if not torch.equal(half.float(), values):
            return self.constant(name, values)
        return self.cast(name, self.constant(f"{name}_half", half))

    def cast(self, name: str, values: str) -> str:
        """To float32."""
        return self.node(name, "Cast", values, to=self.onnx.TensorProto.FLOAT)

    def reshape(self, name: str, values: str, *shape: int) -> str:
        """Of each sample."""
        return self.node(name, "Reshape", values, self.constant(f"{name}_shape", torch.tensor([-1, *shape])))

    def reduce(self, name: str, operator: str, values: str, axis: int, keepdims: int = 1) -> str:
        """Along one axis."""
        axes = self.constant(f"{name}_axes", torch.tensor([axis]))
        return self.node(name, operator, values, axes, keepdims=keepdims)

    def scan(self, body: "Graph", state: Sequence[str], over: str, last: Sequence[str], stacked: Sequence[str]) -> None:
        """Run another graph along the first axis of ``over``.

        Args:
            body: takes the state, then one step of ``over``; returns the next state, then what is stacked.
            state: at first.
            over: input.
            last: names of the state at last.
            stacked: names of the body's other outputs, of all steps.
        """
        graph = body.proto("step")
        self.nodes.append(
            self.onnx.helper.make_node("Scan", [*state, over], [*last, *stacked], "scan", body=graph, num_scan_inputs=1)
        )

    def proto(self, name: str) -> Any:
        """The ``onnx.GraphProto``."""
        inputs, outputs = (
            [self.onnx.helper.make_tensor_value_info(x.name, self.onnx.TensorProto.FLOAT, x.shape) for x in values]
            for values in (self.inputs, self.outputs)
        )
        return self.onnx.helper.make_graph(self.nodes, name, inputs, outputs, self.constants)

    def model(self, name: str) -> Any:
        """The ``onnx.ModelProto``."""
        return self.onnx.helper.make_model(
            self.proto(name),
            opset_imports=[self.onnx.helper.make_opsetid("", _OPSET)],
            ir_version=_IR,
            producer_name="snn_synth",
            producer_version=snn_synth.__version__,
        )
