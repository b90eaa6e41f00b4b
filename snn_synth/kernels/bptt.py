r"""The masked loss of a fully connected network and its gradients through time, in one autograd node (eq. 1-9).

A small network's kernels are short, and empty the caches of what Python needs between them: one node costs less than
one for each product and each scan.
"""

import math
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from snn_synth.kernels.dispatch import check_once, forced_product, kernel
from snn_synth.kernels.layer import Layer, backend_of
from snn_synth.kernels.products import Precision, current_precision


def network_loss(
    layers: Sequence[Layer], spikes: Tensor, targets: Tensor, mask: bool
) -> tuple[Tensor, list[Tensor], bool] | None:
    r"""Masked membrane loss of a network from rest, whose neurons are reset to zero.

    .. math:: L = \frac{1}{TB} \sum_{t,b} \tfrac12 \lVert m \odot (V_{th} X - V) \rVert^2

    Args:
        layers: from the input to the output.
        spikes: the input of all time steps.
        targets: X, the spikes that the last layer should fire.
        mask: False keeps the error of every output neuron.

    Shape:
        ``spikes``: ``[T, B, in]``; ``targets``: ``[T, B, out]``; the result is a scalar.

    Returns:
        The loss, the membranes of all layers but the last, and whether all of them and the weights are known to be
        finite. None where no kernel on the CPU takes these tensors.

    Source:
        Roy, Panda & Roy 2019, eq. 1-9.

    Example:
        >>> W = torch.tensor([[0.5]], requires_grad=True)
        >>> loss, _, _ = network_loss([Layer(W, 0.5, 1.0, 1.0)], torch.ones(2, 1, 1), torch.zeros(2, 1, 1), mask=False)
        >>> loss  # of V = 0.5 and 0.75
        tensor(0.2031, grad_fn=<_NetworkLossBackward>)
    """
    if not _takes(layers, spikes, targets):
        return None
    found: list[Any] = []
    weights = [layer.weight for layer in reversed(layers)]  # gradients come in their order: from the output down
    loss: Tensor = _NetworkLoss.apply(  # type: ignore[no-untyped-call]
        layers, spikes, targets, mask, current_precision(), found, *weights
    )
    return loss, *found


def network_gradients(
    layers: Sequence[Layer], spikes: Tensor, targets: Tensor, mask: bool
) -> tuple[Tensor, list[Tensor], bool, Callable[[], list[Any]]] | None:
    """As :func:`network_loss`, and a function that gives the gradient of each weight; autograd must not look on.

    Where that function is called inside a block of ``kernels.cpu.together``, gradients are computed when it ends.

    Example:
        >>> layers = [Layer(torch.tensor([[0.5]]), 0.5, 1.0, 1.0)]
        >>> with torch.no_grad():
        ...     *_, gradients = network_gradients(layers, torch.ones(2, 1, 1), torch.zeros(2, 1, 1), mask=False)
        ...     gradients()  # half of 0.5 * 1 + 0.75 * (1 + 0.5)
        [tensor([[0.8125]])]
    """
    if not _takes(layers, spikes, targets):
        return None
    weights, wanted = [layer.weight.detach() for layer in layers], [True] * len(layers)
    precision, forced = current_precision(), forced_product()
    loss, finite, left = _run(layers, weights, spikes, targets, mask, precision, forced, wanted)
    return loss, left.membranes, finite, lambda: _gradients(layers, weights, left, precision, forced, wanted)


def _takes(layers: Sequence[Layer], spikes: Tensor, targets: Tensor) -> bool:
    repeated = spikes.shape[0] > 1 and spikes.stride(0) == 0  # by `expand`: one product is enough
    return not repeated and backend_of(layers, spikes, targets) == "numba"


def _kernel(module: str) -> Any:
    return kernel("numba", module)


class _Left(NamedTuple):
    """What a forward pass leaves for the gradients."""

    membranes: list[Tensor]
    """Of all layers but the last."""
    delta: Tensor
    """The gradient by the currents of the output layer."""
    inputs: list[tuple[Tensor, ...]]
    """Of each layer, its spikes as the gradient of its weights needs them."""
    ways: list[str]
    """How the products were computed."""
    known: list[bool]
    """Whether the layer's inputs are known to be spikes."""


def _run(
    layers: Sequence[Layer],
    weights: Sequence[Tensor],
    spikes: Tensor,
    targets: Tensor,
    mask: bool,
    precision: Precision,
    forced: str | None,
    wanted: Sequence[bool],
) -> tuple[Tensor, bool, _Left]:
    """The loss; whether it, membranes and weights are finite, as far as their sums tell; and what is left."""
    products, dense, together, threads = map(_kernel, ("products", "layer", "together", "threads"))
    num_steps, batch = spikes.shape[:2]
    scale, spikes = 1 / (num_steps * batch), spikes.flatten(0, 1).view(*spikes.shape)  # copied at most once
    sums: list[Any] = []
    membranes: list[Tensor] = []
    inputs, ways, known = [], [], []
    for i, (weight, (_, decay, threshold, _)) in enumerate(zip(weights, layers, strict=True)):
        way = products.way(spikes.flatten(0, 1), weight, precision, wanted[i], forced)
        with together.together():
            if way == "listed":  # which leaves out the weights of inputs that never fire
                sums.append(torch.zeros((), dtype=torch.float32, device="cpu"))
                together.start(torch.sum, weight, (0, 1), out=sums[-1])
            given = spikes, weight, way, precision, i > 0
            if i < len(layers) - 1:
                sums.append(threads.totals())
                spikes, membrane, needed, exact = dense.forward(*given, decay, threshold, sums[-1])
                membranes.append(membrane)
            else:
                total, delta, needed, exact = dense.loss(*given, targets, decay, threshold, mask, scale)
            inputs.append(needed)
            ways.append(way)
            known.append(exact)
    loss = np.array(total.item() * scale, np.float32)
    finite = all(math.isfinite(x) for x in (loss, *(one.sum().item() for one in sums)))
    return torch.from_numpy(loss), finite, _Left(membranes, delta, inputs, ways, known)


def _gradients(
    layers: Sequence[Layer],
    weights: Sequence[Tensor],
    left: _Left,
    precision: Precision,
    forced: str | None,
    wanted: Sequence[bool],
) -> list[Tensor | None]:
    """Of the weights that are wanted; inside a block of ``together``, when it ends."""
    products, dense, delta = _kernel("products"), _kernel("layer"), left.delta
    gradients: list[Tensor | None] = [None] * len(layers)
    for i in reversed(range(wanted.index(True), len(layers))):
        if wanted[i]:
            way = products.WAYS[left.ways[i]]
            gradients[i] = way.by_weight(delta.flatten(0, 1), left.inputs[i], weights[i], precision, left.known[i])
        if any(wanted[:i]):
            (_, decay, threshold, slope), membrane = layers[i - 1], left.membranes[i - 1]
            fading = (delta.shape[1], layers[i].decay) if i == len(layers) - 1 else None  # of the others all are new
            delta = dense.backward(delta, weights[i], precision, forced, fading, membrane, decay, threshold, slope)
    return gradients


class _NetworkLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        layers: Sequence[Layer],
        spikes: Tensor,
        targets: Tensor,
        mask: bool,
        precision: Precision,
        found: list[Any],
        *weights: Tensor,
    ) -> Tensor:
        forced, wanted = forced_product(), ctx.needs_input_grad[:5:-1]
        loss, finite, left = _run(layers, weights[::-1], spikes, targets, mask, precision, forced, wanted)
        found += left.membranes, finite
        ctx.save_for_backward(*weights, *left.membranes, left.delta, *(x for needed in left.inputs for x in needed))
        ctx.layers, ctx.precision, ctx.forced, ctx.ways, ctx.known = layers, precision, forced, left.ways, left.known
        ctx.sizes = [len(needed) for needed in left.inputs]
        return loss

    @staticmethod
    def backward(ctx: Any, grad_loss: Tensor) -> tuple[Tensor | None, ...]:
        check_once()
        count, saved = len(ctx.layers), iter(ctx.saved_tensors)
        weights, membranes, delta = list(islice(saved, count))[::-1], list(islice(saved, count - 1)), next(saved)
        if grad_loss != 1:  # a pass over memory to save
            delta = delta * grad_loss
        left = _Left(membranes, delta, [tuple(islice(saved, size)) for size in ctx.sizes], ctx.ways, ctx.known)
        with _kernel("together").together():
            wanted = ctx.needs_input_grad[:5:-1]
            gradients = _gradients(ctx.layers, weights, left, ctx.precision, ctx.forced, wanted)
        return *(None,) * 6, *gradients[::-1]
