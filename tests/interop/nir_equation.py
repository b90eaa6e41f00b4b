"""NIR's own equations in NumPy and double precision, one step of Euler's rule at a time: the independent reference."""

import nir
import numpy as np


def in_order(graph):
    """The nodes between input and output, by the edges."""
    after, name, nodes = dict(graph.edges), "input", []
    while (name := after[name]) != "output":
        nodes.append(graph.nodes[name])
    return nodes


def run(graph, spikes, dt):
    """Output spikes ``[T, B, ...]`` of input spikes ``[T, B, ...]``, and how often V met the threshold within 1e-6."""
    layers = [Neurons(node, dt) if isinstance(node, nir.LIF | nir.IF) else node for node in in_order(graph)]
    out = []
    for values in np.asarray(spikes, dtype=np.float64):
        for layer in layers:
            values = layer(values) if isinstance(layer, Neurons) else operate(layer, values)
        out.append(values)
    return np.stack(out), sum(layer.close for layer in layers if isinstance(layer, Neurons))


class Neurons:
    """tau dV/dt = v_leak - V + R I, or dV/dt = R I; a spike above the threshold, which sets V to v_reset."""

    def __init__(self, node, dt):
        self.node, self.dt, self.v, self.close = node, dt, 0.0, 0
        self.tau = np.asarray(node.tau, np.float64) if isinstance(node, nir.LIF) else None

    def __call__(self, current):
        push = np.asarray(self.node.r, np.float64) * current
        if self.tau is None:
            v = self.v + self.dt * push
        else:
            v = self.v + self.dt / self.tau * (self.node.v_leak - self.v + push)
        fired = v > self.node.v_threshold
        self.close += int((np.abs(v - self.node.v_threshold) < 1e-6).sum())
        self.v = np.where(fired, self.node.v_reset, v)
        return fired.astype(np.float64)


def operate(node, values):
    """What a node without state makes of ``[B, ...]``."""
    kind = type(node).__name__
    if kind == "Flatten":
        return values.reshape(len(values), -1)
    if kind in ("Linear", "Affine"):
        return values @ node.weight.T.astype(np.float64) + getattr(node, "bias", 0.0)
    padding, stride = tuple(node.padding), tuple(node.stride)
    values = np.pad(values, ((0, 0), (0, 0), *((p, p) for p in padding)))
    weight = dilated(node) if kind == "Conv2d" else None
    size = tuple(node.kernel_size) if weight is None else weight.shape[2:]
    seen = np.lib.stride_tricks.sliding_window_view(values, size, (2, 3))[:, :, :: stride[0], :: stride[1]]
    if weight is not None:
        bias = node.bias[:, None, None]
        return np.einsum("bcijkl,ockl->boij", seen, weight, optimize=True) + bias
    return seen.mean((-2, -1)) if kind == "AvgPool2d" else seen.sum((-2, -1))


def dilated(node):
    """The kernel with its zeros between."""
    rows, columns = node.dilation
    outputs, inputs, high, wide = node.weight.shape
    weight = np.zeros((outputs, inputs, rows * (high - 1) + 1, columns * (wide - 1) + 1))
    weight[:, :, ::rows, ::columns] = node.weight
    return weight
