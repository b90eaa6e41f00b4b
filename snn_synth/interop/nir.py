"""NIR, the Neuromorphic Intermediate Representation."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import nir
import numpy as np

from snn_synth.errors import InputError


def to_nir(network: Any, dialect: str = "nir", dt: float = 1e-4) -> Any:
    """A network of fully connected layers as a chain of NIR's nodes."""
    nodes: list[Any] = []
    for operator, neuron in network.layers:
        alpha, threshold = 1 - float(neuron.beta), float(neuron.threshold)
        each = np.ones(operator.out_features, dtype=np.float32)
        below = np.nextafter(np.float32(threshold), np.float32(-np.inf))
        nodes.append(nir.Linear(operator.weight.detach().numpy()))
        nodes.append(nir.LIF(dt / alpha * each, each / np.float32(alpha), 0 * each, below * each, 0 * each))
    return nir.NIRGraph.from_list(nodes)


def prepare(network: Any, **options: Any) -> Callable[[Path], None]:
    """Convert a network, and return what writes it."""
    if not hasattr(network, "layers"):
        raise InputError(f"Expected a network that NIR can hold, got a {type(network).__name__}")
    return partial(nir.write, graph=to_nir(network, **options))
