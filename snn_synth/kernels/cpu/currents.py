"""Currents of one time step after the other, with weights that learn in between (eq. 1): numba, float32."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from snn_synth.kernels.cpu import choice, products, sparse
from snn_synth.kernels.cpu.memory import empty
from snn_synth.kernels.cpu.share import subroutine
from snn_synth.kernels.cpu.threads import parallel, totals
from snn_synth.kernels.cpu.together import at_once, finish
from snn_synth.kernels.dispatch import forced_product

_WORTH = 2**25  # multiplications from which on the spikes of a step are counted: for fewer, that takes as long
_ZERO, _ONE = np.float32(0), np.float32(1)
_FLOAT32 = products.WAYS["float32"].forward
_TILES = products.WAYS["tiles"].forward


def currents(spikes: Tensor, weight: Tensor) -> Tensor:
    """``spikes @ weight.T`` of a hidden layer, in the fastest way; of a large one, for as many spikes as it has now."""
    if forced_product() is None and spikes.shape[0] * weight.numel() < _WORTH:
        tiled = _way(spikes.shape[0], weight, 1.0) == "tiles"
        return (_TILES if tiled else _FLOAT32)(spikes, weight, "float32", True)[0]
    finish()
    way = products.way(spikes, weight, "float32", False, forced_product())
    return products.WAYS[way].forward(spikes, weight, "float32")[0]


def input_currents(inputs: Tensor, weight: Tensor) -> Callable[[int, Tensor], Tensor]:
    """A function of the number t of a time step and its spikes, given those of all, which are listed once.

    ``inputs``: ``[T, B, in]``. The weights are those at the time of the call.
    """
    if forced_product() is not None:
        return lambda step, spikes: currents(spikes, weight)
    (num_steps, batch, _), flat = inputs.shape, inputs.flatten(0, 1).contiguous()
    way = _way(batch, weight, sparse.share(flat))
    if way == "listed":
        outputs, (first, last, columns, values) = weight.shape[0], sparse.arrays(sparse.sparse(flat))
        rows = list(zip(first.reshape(num_steps, batch), last.reshape(num_steps, batch), strict=True))
        return lambda step, spikes: sparse.product_of_arrays(
            (*rows[step - 1], columns, values), weight.T, empty(batch, outputs)
        )
    if way == "tiles":
        known = _binary(flat)
        return lambda step, spikes: _TILES(spikes, weight, "float32", known)[0]
    return lambda step, spikes: _FLOAT32(spikes, weight, "float32")[0]


def _way(rows: int, weight: Tensor, share: float) -> str:
    """The fastest one, where lists are there already; with a ``share`` of 1 there is none."""
    names = products.candidates(weight, share, "float32")
    if rows * weight.numel() < products.WORTH or len(names) == 1:
        return "float32"

    def ways(sizes: tuple[int, ...], share: float) -> Mapping[str, Callable[[], Any]]:
        x, w = products.example(sizes, share)
        listed = sparse.arrays(sparse.sparse(x))
        found = {
            "float32": lambda: _FLOAT32(x, w, "float32"),
            "listed": lambda: sparse.product_of_arrays(listed, w.T, empty(x.shape[0], w.shape[0])),
            "tiles": lambda: _TILES(x, w, "float32", True),
        }
        return {name: found[name] for name in names}

    return choice.fastest("product of a time step", (rows, *weight.shape), share, names, ways)


@subroutine
def _others(row: Any) -> int:
    """How many numbers are neither 0 nor 1."""
    count = 0
    for n in range(len(row)):
        count += (row[n] != _ZERO) & (row[n] != _ONE)
    return count


@parallel
def _count_others(share: int, start: int, stop: int, x: Any, counts: Any) -> None:
    for i in range(start, stop):
        counts[share] += _others(x[i])


def _binary(x: Tensor) -> bool:
    """Whether all numbers are 0 or 1."""
    counts = totals(np.int64)
    with at_once():
        _count_others(len(x), x.numpy(), counts)
    return not counts.any()
