r"""The masked loss of a fully connected network and its gradients through time, in one autograd node (eq. 1-9).

A small network's kernels are short, and empty the caches of what Python needs between them: one node costs less than
one for each product and each scan.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snn_synth.kernels.dispatch import check_once, forced_product, kernel
from snn_synth.kernels.layer import Layer, backend_of
from snn_synth.kernels.products import Precision, current_precision


def network_loss(
    layers: Sequence[Layer], spikes: Tensor, targets: Tensor, mask: bool
) -> tuple[Tensor, list[Tensor]] | None:
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
        The loss, and the membranes of all layers but the last. None where no kernel on the CPU takes these tensors.

    Source:
        Roy, Panda & Roy 2019, eq. 1-9.

    Example:
        >>> W = torch.tensor([[0.5]], requires_grad=True)
        >>> loss, _ = network_loss([Layer(W, 0.5, 1.0, 1.0)], torch.ones(2, 1, 1), torch.zeros(2, 1, 1), mask=False)
        >>> loss  # of V = 0.5 and 0.75
        tensor(0.2031, grad_fn=<_NetworkLossBackward>)
    """
    if not _takes(layers, spikes, targets):
        return None
    membranes: list[Tensor] = []
    weights = [layer.weight for layer in reversed(layers)]  # gradients come in their order: from the output down
    loss: Tensor = _NetworkLoss.apply(  # type: ignore[no-untyped-call]
        layers, spikes, targets, mask, current_precision(), membranes, *weights
    )
    return loss, membranes


def network_gradients(
    layers: Sequence[Layer], spikes: Tensor, targets: Tensor, mask: bool
) -> tuple[Tensor, list[Tensor], Callable[[], Sequence[Tensor | None]]] | None:
    """As :func:`network_loss`, and a function that gives the gradient of each weight; autograd must not look on.

    Example:
        >>> layers = [Layer(torch.tensor([[0.5]]), 0.5, 1.0, 1.0)]
        >>> with torch.no_grad():
        ...     _, _, gradients = network_gradients(layers, torch.ones(2, 1, 1), torch.zeros(2, 1, 1), mask=False)
        ...     gradients()  # half of 0.5 * 1 + 0.75 * (1 + 0.5)
        (tensor([[0.8125]]),)
    """
    if not _takes(layers, spikes, targets):
        return None
    membranes: list[Tensor] = []
    weights = [layer.weight.detach() for layer in reversed(layers)]
    context = _Context()
    context.needs_input_grad = (False,) * 6 + (True,) * len(weights)
    loss = _NetworkLoss.forward(context, layers, spikes, targets, mask, current_precision(), membranes, *weights)
    return loss, membranes, lambda: _NetworkLoss.backward(context, 1)[:5:-1]  # of the weights, from the input up


class _Context:
    """What autograd gives a node that is in a graph."""

    needs_input_grad: tuple[bool, ...]
    saved_tensors: tuple[Tensor, ...]

    def save_for_backward(self, *tensors: Tensor) -> None:
        self.saved_tensors = tensors


def _takes(layers: Sequence[Layer], spikes: Tensor, targets: Tensor) -> bool:
    repeated = spikes.shape[0] > 1 and spikes.stride(0) == 0  # by `expand`: one product is enough
    return not repeated and backend_of(layers, spikes, targets) == "numba"


def _kernel(module: str) -> Any:
    return kernel("numba", module)


class _NetworkLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        layers: Sequence[Layer],
        spikes: Tensor,
        targets: Tensor,
        mask: bool,
        precision: Precision,
        membranes: list[Tensor],
        *weights: Tensor,
    ) -> Tensor:
        products, lif, together, forced = *map(_kernel, ("products", "lif", "together")), forced_product()
        num_steps, batch = spikes.shape[:2]
        fired, kept, ways, scale = spikes.flatten(0, 1), [], [], 1 / (num_steps * batch)
        for i, weight in enumerate(reversed(weights)):
            way = products.way(fired, weight, precision, ctx.needs_input_grad[-1 - i], forced)
            _, decay, threshold, _ = layers[i]
            with together.together():
                flat, needed = products.WAYS[way].forward(fired, weight, precision, i > 0)
                currents = flat.view(num_steps, batch, -1)
                kept.append(needed)
                ways.append(way)
                if i < len(layers) - 1:
                    spikes, membrane = lif.forward(currents, None, decay, threshold, False)
                    membranes.append(membrane)
                    fired = spikes.flatten(0, 1)
                else:
                    given = targets.contiguous(), decay, threshold, False, mask, scale, False
                    total, gradient, _ = lif.loss(currents, *given, currents)
        ctx.save_for_backward(*weights, *membranes, gradient, *(x for needed in kept for x in needed))
        ctx.layers, ctx.precision, ctx.forced, ctx.ways = layers, precision, forced, ways
        ctx.sizes = [len(needed) for needed in kept]
        return torch.from_numpy(np.array(total.item() * scale, np.float32))  # with less around it than a product has

    @staticmethod
    def backward(ctx: Any, grad_loss: Tensor | int) -> tuple[Tensor | None, ...]:
        check_once()
        products, lif, together, layers = *map(_kernel, ("products", "lif", "together")), ctx.layers
        count, wanted, saved = len(layers), ctx.needs_input_grad[6:][::-1], ctx.saved_tensors
        weights, membranes, (delta, *kept) = saved[:count][::-1], saved[count : 2 * count - 1], saved[2 * count - 1 :]
        gradients: list[Tensor | None] = [None] * count  # of the output layer first
        if grad_loss != 1:  # a pass over memory to save
            delta = delta * grad_loss
        with together.together():
            for i in reversed(range(wanted.index(True), count)):
                errors, end = delta.flatten(0, 1), sum(ctx.sizes[: i + 1])
                if wanted[i]:
                    needed, way = tuple(kept[end - ctx.sizes[i] : end]), products.WAYS[ctx.ways[i]]
                    gradients[-1 - i] = way.by_weight(errors, needed, weights[i], ctx.precision, i > 0)
                if any(wanted[:i]):
                    (_, decay, threshold, slope), membrane = layers[i - 1], membranes[i - 1]
                    fading = (delta.shape[1], layers[i].decay) if i == count - 1 else None  # of the others all are new
                    by_spikes = products.by_spikes(errors, weights[i], ctx.precision, ctx.forced, fading)
                    delta, _ = lif.backward(
                        by_spikes.view_as(membrane), None, membrane, None, decay, threshold, False, slope, False
                    )
        return *(None,) * 6, *gradients
