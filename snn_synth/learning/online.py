r"""The paper's learning rule: eligibility traces, and an update at every time step (eq. 5-17)."""

from collections.abc import Callable
from typing import Any, get_args

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from snn_synth import kernels
from snn_synth.errors import InputError
from snn_synth.functional import Trace, traced_current
from snn_synth.functional.inputs import number
from snn_synth.learning.adam import plain_moments
from snn_synth.learning.finite import check_forward, readable
from snn_synth.learning.layers import Layers, batch_normed, check_steps, layers_of, plain_layers
from snn_synth.neurons import SigmoidLeaky

Backward = Callable[[Tensor], Any]


def online_step(
    model: nn.Module,
    spikes: Tensor,
    targets: Tensor,
    optimizer: Any,
    fresh_moments: bool = True,
    mask: bool = True,
    backward: Backward = torch.Tensor.backward,
    traces: kernels.Traces = "reset",
) -> Tensor:
    r"""The paper's rule on one batch: at every time step a loss, its gradient by eligibility traces, an update.

    .. math::
        \frac{\partial L}{\partial W_l} = \delta_l\, e_l[t], \quad
        e_l[t] = (1-\alpha) e_l[t-1] (1-A_l[t-1]) + A_{l-1}[t], \quad
        \delta_l = W_{l+1}^T \delta_{l+1} \odot A'_l[t]

    Reset by subtraction leaves the trace alone, :math:`e_l[t] = (1-\alpha) e_l[t-1] + A_{l-1}[t]`; there is no kernel
    for it. All gradients of a step use the weights before the update of that step. The traces are never stored
    (:class:`snn_synth.functional.Trace`), for a stack of any depth. Under Adam or AdamW as they come, with nothing
    that waits for gradients or steps, no gradient is written either: ``weight.grad`` is None afterwards.

    Args:
        model: a network with ``.layers``, such as a ``SpikingStack``, bare or inside DistributedDataParallel.
        spikes: input spikes.
        targets: spikes that the output layer should fire.
        optimizer: any of ``torch.optim``, or Lightning's wrapper of one. Decay weights by AdamW: the L2 term of a
            freshly started Adam moves every weight without error by a full learning rate.
        fresh_moments: forget the optimizer's state first, as the paper does for each batch.
        mask: False keeps the error of every output neuron (the paper's figure 4A).
        backward: called with each step's loss; under Lightning, the module's ``manual_backward``.
        traces: ``reset``, the rule above: a neuron's trace begins anew when it fires, as its membrane does. ``leaky``
            leaves out the factor :math:`1-A_l[t-1]`, so that :math:`e_l` is the leaky sum of all input so far;
            ``instant`` leaves out the whole term, so that :math:`e_l[t] = A_{l-1}[t]`. Where a spike resets
            to zero, neither is the gradient; what they learn: ``snn-synth reproduce readings``.

    Shape:
        ``spikes``: ``[T, B, in]``; ``targets``: ``[T, B, out]``; the result is a scalar.

    Returns:
        The mean of the T losses, detached.

    Raises:
        InputError: for unknown ``traces``; if the shapes do not fit; for what the rule is not made for: a learned leak
            or threshold, a bias, batch norm, a leak for each neuron, and options of ``snn.Leaky`` that change a step;
            or if a weight, the input, a membrane or the loss is NaN or infinite, before the update that would spread
            it.

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
    if traces not in get_args(kernels.Traces):
        raise InputError(f"Expected `traces` of {list(get_args(kernels.Traces))}, got {traces!r}")
    layers = layers_of(model)
    for operator, neuron in layers:
        _check(operator, neuron)
    spikes, targets = check_steps(layers, spikes, targets)
    inputs = getattr(layers[0][0], "in_features", spikes.shape[-1])
    if spikes.shape[-1] != inputs:
        raise InputError(f"Expected spikes of shape [T, B, {inputs}], got {list(spikes.shape)}")
    if isinstance(model, DistributedDataParallel):
        backward = _reduced(model, backward)
    if fresh_moments:
        _forget(getattr(optimizer, "optimizer", optimizer))
    plain = plain_layers(layers)
    rule = None if plain is None else kernels.online_rule(plain, spikes, targets, mask, traces)
    step = rule or _ReferenceStep(layers, len(spikes), mask, traces)
    moments = None  # where nobody asks for a gradient, the kernel makes the optimizer's step with it
    if rule and backward is torch.Tensor.backward:
        moments = plain_moments(optimizer, rule.weights)
    losses: list[Any] = []  # numbers or tensors, as the kernels give them
    watched = readable(spikes)
    for step_spikes, target in zip(spikes, targets, strict=True):
        weights = () if rule is None or losses else rule.weights  # once a batch
        if rule is not None and moments is not None:
            loss = rule.forward(step_spikes, target)
            if watched and not rule.finite(loss):
                check_forward(model, spikes, targets, rule.membranes[:-1], _as_tensor(loss), weights)
            rule.update(moments)
            losses.append(loss)
            continue
        loss = step(step_spikes, target)
        if watched:
            check_forward(model, spikes, targets, step.membranes[:-1], loss, weights)
        optimizer.zero_grad()
        backward(loss)
        optimizer.step()
        losses.append(loss.detach())
    one = torch.stack(losses) if isinstance(losses[0], Tensor) else _as_tensor(losses)
    return one.float().mean()


def _as_tensor(loss: float | list[float] | Tensor) -> Tensor:
    """Losses that a kernel on the CPU gave as numbers, whatever the default device and dtype are."""
    return loss if isinstance(loss, Tensor) else torch.tensor(loss, dtype=torch.float32, device="cpu")


def _forget(optimizer: torch.optim.Optimizer) -> None:
    """Make the optimizer's state what it was before the first step."""
    optimizer.state.clear()
    if isinstance(optimizer, torch.optim.Adagrad):  # older versions of PyTorch make its state with the optimizer
        optimizer.state.update(torch.optim.Adagrad(optimizer.param_groups, **optimizer.defaults).state)


def _check(operator: nn.Module, neuron: SigmoidLeaky) -> None:
    """The traces stand for a linear operator and the neuron of eq. 1-2."""
    if any(p.requires_grad for p in neuron.parameters()):
        raise InputError(
            "Expected neurons with a fixed leak and threshold for the online rule, got learned ones: use bptt_loss"
        )
    if batch_normed(operator):
        raise InputError(
            "Expected linear operators for the online rule, got batch norm, which looks at all time steps at once: "
            "give norm=False, or use bptt_loss"
        )
    options = "init_hidden", "state_quant", "surrogate_disable"
    wrong = [f"{name}={getattr(neuron, name)}" for name in options if getattr(neuron, name)]
    if not neuron.reset_delay:
        wrong.append("reset_delay=False")
    if getattr(neuron.forward, "__func__", None) is not SigmoidLeaky.forward:
        wrong.append(f"{type(neuron).__name__} with a step of its own")
    if neuron.decay.numel() > 1:
        wrong.append("an alpha for each neuron")
    if any(name.rpartition(".")[2] == "bias" for name, _ in operator.named_parameters()):
        wrong.append(f"{type(operator).__name__} with a bias")
    if wrong:
        raise InputError(
            f"Expected linear operators without bias and plain neurons for the online rule, got {', '.join(wrong)}: "
            "use bptt_loss"
        )


class _ReferenceStep:
    """Any linear operator, any dtype."""

    def __init__(self, layers: Layers, num_steps: int, mask: bool, kind: kernels.Traces) -> None:
        self.layers, self.mask, self.kind = layers, mask, kind
        self.traces = [Trace(number(neuron.decay), num_steps) for _, neuron in layers]
        self.membranes: list[Tensor] = []

    def __call__(self, fired: Tensor, target: Tensor) -> Tensor:
        before, self.membranes = self.membranes, []
        for index, ((operator, neuron), trace) in enumerate(zip(self.layers, self.traces, strict=True)):
            current = traced_current(operator, fired, trace)
            fired, membrane = neuron(current, before[index] if before else None)
            if self.kind == "instant":
                trace.reset(torch.ones_like(membrane))
            elif self.kind == "reset" and neuron.reset_mechanism == "zero":
                trace.reset(neuron.mem_reset(membrane))
            self.membranes.append(membrane.detach())  # what V[t-1] owes to the weights is in the trace
        return self.layers[-1][1].membrane_loss(membrane[None], target[None], self.mask)


def _reduced(model: DistributedDataParallel, backward: Backward) -> Backward:
    """Prepare DDP's gradient averaging before each of the T backward passes; DDP itself does so once per forward."""

    def armed(loss: Tensor) -> Any:
        model.reducer._rebuild_buckets()
        model.reducer.prepare_for_backward([])
        return backward(loss)

    return armed
