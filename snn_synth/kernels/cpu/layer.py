"""A fully connected layer of a network: products of its weights, and the scan of its neurons right after them.

On AMX both are one pass (:mod:`~snn_synth.kernels.cpu.tile_scans`), if a core's cache holds what it needs.
"""

from typing import Any

from torch import Tensor

from snn_synth.kernels.cpu import lif, products, tile_scans
from snn_synth.kernels.cpu.products import WAYS, Kept, tile_parts
from snn_synth.kernels.cpu.sparse import Fading
from snn_synth.kernels.dispatch import forced_product


def forward(
    spikes: Tensor, weight: Tensor, way: str, precision: str, known: bool, decay: float, threshold: float, totals: Any
) -> tuple[Tensor, Tensor, Kept, bool]:
    """Spikes and membranes from rest, and what the gradient by the weights is told (:class:`products.Way`).

    ``totals`` as of :func:`lif.forward`.
    """
    if way == "tiles" and tile_scans.fit(spikes, len(weight)):
        given = _for_tiles(spikes, weight, precision, known)
        fired, membranes, known = tile_scans.forward(*given, decay, threshold, totals)
        return fired, membranes, (given[0].flatten(0, 1),), known
    currents, kept = WAYS[way].forward(spikes.flatten(0, 1), weight, precision, known)
    return *lif.forward(currents.view(*spikes.shape[:2], -1), None, decay, threshold, False, totals), kept, known


def loss(
    spikes: Tensor,
    weight: Tensor,
    way: str,
    precision: str,
    known: bool,
    targets: Tensor,
    decay: float,
    threshold: float,
    mask: bool,
    scale: float,
) -> tuple[Tensor, Tensor, Kept, bool]:
    """Half the sum of the squared errors, ``scale`` times its gradient by the currents; and as :func:`forward`."""
    targets = targets.contiguous()
    if way == "tiles" and tile_scans.fit(spikes, len(weight)):
        given = _for_tiles(spikes, weight, precision, known)
        total, delta, known = tile_scans.loss(*given, targets, decay, threshold, mask, scale)
        return total, delta, (given[0].flatten(0, 1),), known
    currents, kept = WAYS[way].forward(spikes.flatten(0, 1), weight, precision, known)
    currents = currents.view(targets.shape)
    total, delta, _ = lif.loss(currents, targets, decay, threshold, False, mask, scale, False, currents)
    return total, delta, kept, known


def _for_tiles(spikes: Tensor, weight: Tensor, precision: str, known: bool) -> tuple[Tensor, Tensor, int, bool]:
    """As tiles take them: contiguous, in how many parts, and whether nobody need look if the inputs are spikes."""
    exact = precision != "bfloat16"
    return spikes.contiguous(), weight.contiguous(), tile_parts(exact), known or not exact


def backward(
    delta: Tensor,
    weight: Tensor,
    precision: str,
    forced: str | None,
    fading: Fading | None,
    membranes: Tensor,
    decay: float,
    threshold: float,
    slope: float,
) -> Tensor:
    """The gradient by the currents of the layer below, whose membranes and numbers are given."""
    errors = delta.flatten(0, 1)
    way = products.way_by_spikes(errors, weight, precision, forced, fading)
    if way == "tiles" and tile_scans.fit(delta, weight.shape[1]):
        parts = tile_parts(precision == "float32")
        return tile_scans.backward(delta.contiguous(), weight.contiguous(), parts, membranes, decay, threshold, slope)
    by_spikes = products.BY_SPIKES[way](errors, weight, precision, fading).view_as(membranes)
    return lif.backward(by_spikes, None, membranes, None, decay, threshold, False, slope, False)[0]


def spikes(inputs: Tensor, weight: Tensor, precision: str, decay: float, threshold: float) -> Tensor | None:
    """Spikes of neurons from rest whose currents are nowhere written; None where that is not done here."""
    if precision == "bfloat16" or not tile_scans.fit(inputs, len(weight)):
        return None
    flat = inputs.flatten(0, 1)
    if products.way(flat, weight, precision, False, forced_product()) != "tiles":
        return None
    return tile_scans.spikes(flat.contiguous().view(*inputs.shape), weight.contiguous(), decay, threshold)
