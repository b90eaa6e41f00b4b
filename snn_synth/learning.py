r"""The two learning rules, for any network that has ``.layers``: (linear operator without bias, SigmoidLeaky) pairs."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from snn_synth.errors import InputError
from snn_synth.functional import Trace, membrane_loss, traced_current
from snn_synth.neurons import SigmoidLeaky

Backward = Callable[[Tensor], Any]


def bptt_loss(model: nn.Module, spikes: Tensor, targets: Tensor, mask: bool = True) -> Tensor:
    r"""Masked membrane loss over all time steps; its ``backward()`` goes through time.

    .. math:: L = \frac{1}{TB}\sum_{t,b} \tfrac12 \lVert m \odot (V_{th} X - V) \rVert^2

    Args:
        model: a network with ``.layers`` whose output has ``.membrane``, such as a ``SpikingStack``.
        spikes: input spikes.
        targets: spikes that the output layer should fire.
        mask: False keeps the error of every output neuron (the paper's figure 4A).

    Shape:
        ``spikes``: ``[T, B, in]``; ``targets``: ``[T, B, out]``; the result is a scalar.

    Returns:
        The loss. Nothing else happens: a LightningModule returns it from ``training_step``.

    Raises:
        InputError: if the shapes do not fit the model or each other.

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
    threshold = _threshold(_layers(model))
    return membrane_loss(model(spikes).membrane, targets, threshold, mask)


def bptt_step(
    model: nn.Module, spikes: Tensor, targets: Tensor, optimizer: torch.optim.Optimizer, mask: bool = True
) -> Tensor:
    """One update by :func:`bptt_loss`, for bare training loops.

    Args:
        model: as in :func:`bptt_loss`.
        spikes: input spikes ``[T, B, in]``.
        targets: target spikes ``[T, B, out]``.
        optimizer: any of ``torch.optim``.
        mask: as in :func:`bptt_loss`.

    Returns:
        The loss before the update, detached.

    Example:
        >>> from snn_synth.models import SpikingStack
        >>> net = SpikingStack([3, 2, 3])
        >>> optimizer = torch.optim.Adam(net.parameters())
        >>> bptt_step(net, torch.ones(4, 1, 3), torch.ones(4, 1, 3), optimizer).shape
        torch.Size([])
    """
    optimizer.zero_grad()
    loss = bptt_loss(model, spikes, targets, mask)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss.detach()


def online_step(
    model: nn.Module,
    spikes: Tensor,
    targets: Tensor,
    optimizer: Any,
    fresh_moments: bool = True,
    mask: bool = True,
    backward: Backward = torch.Tensor.backward,
) -> Tensor:
    r"""The paper's rule on one batch: at every time step a loss, its gradient by eligibility traces, an update.

    .. math::
        \frac{\partial L}{\partial W_l} = \delta_l\, e_l[t], \quad
        e_l[t] = (1-\alpha) e_l[t-1] (1-A_l[t-1]) + A_{l-1}[t], \quad
        \delta_l = W_{l+1}^T \delta_{l+1} \odot A'_l[t]

    All gradients of a step use the weights before the update of that step. The traces are never stored
    (:mod:`snn_synth.functional.eligibility`), for a stack of any depth.

    Args:
        model: a network with ``.layers``, such as a ``SpikingStack``, bare or inside DistributedDataParallel.
        spikes: input spikes.
        targets: spikes that the output layer should fire.
        optimizer: any of ``torch.optim``, or Lightning's wrapper of one. Decay weights by AdamW: the L2 term of a
            freshly started Adam moves every weight without error by a full learning rate.
        fresh_moments: forget the optimizer's state first, as the paper does for each batch.
        mask: False keeps the error of every output neuron (the paper's figure 4A).
        backward: called with each step's loss; under Lightning, the module's ``manual_backward``.

    Shape:
        ``spikes``: ``[T, B, in]``; ``targets``: ``[T, B, out]``; the result is a scalar.

    Returns:
        The mean of the T losses, detached.

    Raises:
        InputError: if the shapes do not fit, or a neuron's leak or threshold is learned (the rule is for weights).

    Source:
        Roy, Panda & Roy 2019, eq. 5-17 and the paragraph after them.

    Example:
        >>> from snn_synth.models import SpikingStack
        >>> net = SpikingStack([3, 2, 3])
        >>> optimizer = torch.optim.AdamW(net.parameters(), lr=5e-4, weight_decay=1e-4)
        >>> loss = online_step(net, torch.ones(4, 1, 3), torch.ones(4, 1, 3), optimizer)
        >>> optimizer.state[net.layers[0][0].weight]["step"]  # one update per time step
        tensor(4.)
    """
    layers = _layers(model)
    if any(p.requires_grad for _, neuron in layers for p in neuron.parameters()):
        raise InputError(
            "Expected neurons with a fixed leak and threshold for the online rule, got learned ones: use bptt_loss"
        )
    if spikes.dim() < 3 or spikes.shape[:2] != targets.shape[:2] or len(spikes) == 0:
        raise InputError(
            f"Expected spikes [T, B, in] and targets [T, B, out] of one T and B, got {list(spikes.shape)} "
            f"and {list(targets.shape)}"
        )
    if isinstance(model, DistributedDataParallel):
        backward = _reduced(model, backward)
    if fresh_moments:
        getattr(optimizer, "optimizer", optimizer).state.clear()
    threshold = _threshold(layers)
    traces = [Trace(float(neuron.decay), len(spikes)) for _, neuron in layers]
    membranes: list[Tensor | None] = [None] * len(layers)
    total = spikes.new_zeros((), dtype=torch.float32)
    for step_spikes, target in zip(spikes, targets, strict=True):
        fired = step_spikes
        for index, ((operator, neuron), trace) in enumerate(zip(layers, traces, strict=True)):
            current = traced_current(operator, fired, trace)
            fired, membrane = neuron(current, membranes[index])
            trace.reset(fired)
            membranes[index] = membrane.detach()  # what V[t-1] owes to the weights is in the trace
        loss = membrane_loss(membrane[None], target[None], threshold, mask)
        optimizer.zero_grad()
        backward(loss)
        optimizer.step()
        total += loss.detach()
    return total / len(spikes)


def _layers(model: nn.Module) -> list[tuple[nn.Module, SigmoidLeaky]]:
    network: Any = model.module if isinstance(model, DistributedDataParallel) else model
    if not hasattr(network, "layers"):
        raise InputError(f"Expected a network with `.layers` (a SpikingStack, say), got {type(network).__name__}")
    return [(operator, neuron) for operator, neuron in network.layers]


def _threshold(layers: list[tuple[nn.Module, SigmoidLeaky]]) -> float:
    return float(layers[-1][1].threshold)


def _reduced(model: DistributedDataParallel, backward: Backward) -> Backward:
    """Arm DDP's gradient averaging before each of the T backward passes; DDP itself does so once per forward."""

    def armed(loss: Tensor) -> Any:
        model.reducer._rebuild_buckets()
        model.reducer.prepare_for_backward([])
        return backward(loss)

    return armed
