r"""Backpropagation through time of the masked membrane loss."""

import contextvars
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

from snn_synth.errors import InputError
from snn_synth.kernels import Layer, backend, network_gradients, network_loss
from snn_synth.kernels.cpu.together import together
from snn_synth.learning.adam import fused_step
from snn_synth.learning.finite import check_forward, readable
from snn_synth.learning.layers import Layers, batch_normed, check_steps, layers_of, only_layers, plain_layers
from snn_synth.neurons import SigmoidLeaky
from snn_synth.synapses import SpikeLinear

_WRITTEN = SpikeLinear.forward, SigmoidLeaky.scan, SigmoidLeaky.scan_loss


def bptt_loss(
    model: nn.Module,
    spikes: Tensor,
    targets: Tensor,
    mask: bool = True,
    chunk: int | None = None,
    truncate: bool = False,
) -> Tensor:
    r"""Masked membrane loss over all time steps; its ``backward()`` goes through time.

    .. math:: L = \frac{1}{TB}\sum_{t,b} \tfrac12 \lVert m \odot (V_{th} X - V) \rVert^2

    Args:
        model: a network with ``.layers`` whose output has ``.membrane``, such as a ``SpikingStack``.
        spikes: input spikes.
        targets: spikes that the output layer should fire.
        mask: False keeps the error of every output neuron (the paper's figure 4A).
        chunk: time steps whose activations are kept at once; those of other chunks are computed again in the backward
            pass. All T if not given.
        truncate: True lets no gradient pass from one chunk to the one before (truncated BPTT).

    Shape:
        ``spikes``: ``[T, B, in]``; ``targets``: ``[T, B, out]``; the result is a scalar.

    Returns:
        The loss. Nothing else happens: a LightningModule returns it from ``training_step``. That of no sample is NaN,
        as in ``torch.nn.functional.mse_loss``.

    Raises:
        InputError: if the shapes do not fit the model or each other, if the output neurons do not hold V before its
            reset (``reset_delay=False``) or fire by other rules (``inhibition``), or if a weight, the input, a membrane
            or the loss is NaN or infinite; or for chunks of a network with batch norm.

    Source:
        Roy, Panda & Roy 2019, eq. 5-8; backpropagation through time instead of eq. 9-17.

    Example:
        >>> from snn_synth.models import SpikingStack
        >>> net = SpikingStack([3, 2, 3])
        >>> loss = bptt_loss(net, torch.ones(4, 1, 3), torch.ones(4, 1, 3))
        >>> loss.backward()
        >>> net.layers[0][0].weight.grad.shape
        torch.Size([2, 3])
    """
    layers = layers_of(model)
    spikes, targets = check_steps(layers, spikes, targets)
    if chunk is not None:
        return _chunked_loss(model, layers, spikes, targets, mask, chunk, truncate)
    if truncate:
        raise InputError("Expected a `chunk` to truncate at, got truncate=True without one")
    return _loss(model, layers, _plain_network(model, layers, spikes, targets), spikes, targets, mask)


def _loss(
    model: nn.Module, layers: Layers, plain: list[Layer] | None, spikes: Tensor, targets: Tensor, mask: bool
) -> Tensor:
    if plain is not None and (whole := network_loss(plain, spikes, targets, mask)) is not None:
        loss, membranes, finite = whole
        if not finite and readable(loss):
            check_forward(model, spikes, targets, membranes, loss, [layer.weight for layer in plain])
        return loss
    out, neuron = model(spikes), layers[-1][1]
    currents = getattr(out, "currents", None)
    if currents is None or getattr(out, "ran", None) is not None:
        loss = neuron.membrane_loss(out.membrane, targets, mask)
    else:
        loss = neuron.scan_loss(currents, targets, mask)
    if readable(loss):
        hidden = getattr(out, "hidden_membranes", ())
        check_forward(model, spikes, targets, hidden, loss, list(model.parameters()))
    return loss


def _plain_network(model: nn.Module, layers: Layers, spikes: Tensor, targets: Tensor) -> list[Layer] | None:
    """Its layers, if one kernel after another may take their place; None where more is asked of one of them."""
    if (
        not torch.is_grad_enabled()
        or backend(spikes, targets) != "numba"
        or torch._C._len_torch_dispatch_stack()  # something looks at each operation
        or not only_layers(model)
        or not all(_as_written(operator, neuron) for operator, neuron in layers)
    ):
        return None
    return plain_layers(layers)


def _as_written(operator: nn.Module, neuron: SigmoidLeaky) -> bool:
    """Whether their methods are those of this package, which one node takes the place of."""
    return (
        type(operator) is SpikeLinear
        and type(neuron) is SigmoidLeaky
        and (SpikeLinear.forward, SigmoidLeaky.scan, SigmoidLeaky.scan_loss) == _WRITTEN
        and "scan" not in neuron.__dict__
        and "scan_loss" not in neuron.__dict__
    )


def bptt_step(
    model: nn.Module, spikes: Tensor, targets: Tensor, optimizer: torch.optim.Optimizer, mask: bool = True
) -> Tensor:
    """One update by :func:`bptt_loss`, for bare training loops.

    On the CPU the gradients of a fully connected network come without autograd's graph, unless something waits for
    them: a hook of a module, a weight or the optimizer. Hooks at nodes of the graph need :func:`bptt_loss` itself.

    Args:
        model: as in :func:`bptt_loss`.
        spikes: input spikes ``[T, B, in]``.
        targets: target spikes ``[T, B, out]``.
        optimizer: any of ``torch.optim``.
        mask: as in :func:`bptt_loss`.

    Returns:
        The loss before the update, detached.

    Raises:
        InputError: as :func:`bptt_loss`; the weights are as they were then.

    Example:
        >>> from snn_synth.models import SpikingStack
        >>> net = SpikingStack([3, 2, 3])
        >>> optimizer = torch.optim.Adam(net.parameters())
        >>> bptt_step(net, torch.ones(4, 1, 3), torch.ones(4, 1, 3), optimizer).shape
        torch.Size([])
    """
    layers = layers_of(model)
    given = check_steps(layers, spikes, targets)
    plain = _plain_network(model, layers, *given)
    weights = [layer.weight for layer in plain or ()]
    alone = plain is not None and not torch.is_anomaly_enabled() and _alone(weights)
    step = fused_step(optimizer, weights) if alone else None
    if step is None:
        optimizer.zero_grad()
    else:
        for weight in weights:
            weight.grad = None
    loss = None
    if plain is not None and alone and all(weight.grad is None for weight in weights):  # no other optimizer's is there
        loss = _without_graph(model, plain, *given, mask, step)
    if loss is None:
        loss = _loss(model, layers, plain, *given, mask)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    elif step is None:  # else it was made right after the gradients
        optimizer.step()
    return loss.detach()


@torch.no_grad()
def _without_graph(
    model: nn.Module,
    layers: list[Layer],
    spikes: Tensor,
    targets: Tensor,
    mask: bool,
    step: Callable[[Sequence[Tensor]], None] | None,
) -> Tensor | None:
    """The loss, whose gradients are the weights' ``grad`` then; None where a kernel of each layer is needed."""
    found = network_gradients(layers, spikes, targets, mask)
    if found is None:
        return None
    loss, membranes, finite, compute = found
    if not finite:
        check_forward(model, spikes, targets, membranes, loss, [layer.weight for layer in layers])
    with together():
        gradients = compute()
        if step is not None:
            step(gradients)
    for layer, gradient in zip(layers, gradients, strict=True):
        layer.weight.grad = gradient
    return loss


def _alone(weights: Sequence[Tensor]) -> bool:
    """Whether each is the weight of one layer, and nobody waits for its gradient."""
    return len(set(map(id, weights))) == len(weights) and all(
        weight.is_leaf
        and weight.requires_grad
        and weight.is_contiguous()  # as the gradient is, which autograd would turn
        and not weight._backward_hooks
        and not getattr(weight, "_post_accumulate_grad_hooks", None)
        for weight in weights
    )


def _chunked_loss(
    model: nn.Module,
    layers: Layers,
    spikes: Tensor,
    targets: Tensor,
    mask: bool,
    chunk: int,
    truncate: bool,
) -> Tensor:
    if chunk < 1 or isinstance(model, DistributedDataParallel):
        raise InputError(
            f"Expected a `chunk` of at least 1 and a network that is not inside DistributedDataParallel (Lightning's "
            f"DDP will do), got {chunk} and {type(model).__name__}"
        )
    if any(operator.training and batch_normed(operator) for operator, _ in layers):
        raise InputError(
            "Expected no `chunk` for a network with batch norm, whose statistics are those of all time steps, "
            f"got {chunk}: give norm=False"
        )

    def run(part: Tensor, target: Tensor, *membranes: Tensor | None) -> tuple[Tensor, ...]:
        last = []
        for (operator, neuron), before in zip(layers, membranes, strict=True):
            part, membrane = neuron.scan(operator(part), before)
            last.append(membrane[-1].clone())  # a view would keep the whole chunk
        return neuron.membrane_loss(membrane, target, mask) * len(target), *last

    # On a GPU the backward pass, which computes chunks again, has a thread of its own, that knows no `with` block.
    context = contextvars.copy_context()
    total: Any = 0
    membranes: Sequence[Tensor | None] = [None] * len(layers)
    for part, target in zip(spikes.split(chunk), targets.split(chunk), strict=True):  # type: ignore[no-untyped-call]
        loss, *membranes = checkpoint(context.run, run, part, target, *membranes, use_reentrant=False)
        total = total + loss
        if truncate:
            membranes = [membrane.detach() for membrane in membranes if membrane is not None]
    if readable(total):
        hidden = [membrane for membrane in membranes[:-1] if membrane is not None]  # NaN stays to the end
        check_forward(model, spikes, targets, hidden, total, list(model.parameters()))
    result: Tensor = total / len(spikes)
    return result
