r"""The online rule for fully connected layers, one autograd node per time step (eq. 1-17).

It keeps what :mod:`snn_synth.functional.eligibility` keeps: for each layer the leaky sums Y of its input, the
membranes, and the last spike of each neuron.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from snn_synth.kernels.dispatch import Path, check_once, kernel, path


class Layer(NamedTuple):
    """Neurons with one fixed leak and threshold, and the weights of their input."""

    weight: Tensor
    decay: float
    threshold: float
    slope: float


def online_rule(layers: Sequence[Layer], spikes: Tensor, targets: Tensor, mask: bool) -> "OnlineRule | None":
    r"""The online rule on one batch, as a function of each time step's spikes and targets, called in their order.

    .. math:: L[t] = \frac{1}{B} \sum_b \tfrac12 \lVert E[t, b] \rVert^2, \qquad
        \frac{\partial L}{\partial W_l} = \sum_b \delta_l\, e_l[t]

    Args:
        layers: from the input to the output.
        spikes: the input of all time steps.
        targets: spikes that the output layer should fire.
        mask: False keeps the error of every output neuron.

    Shape:
        ``spikes``: ``[T, B, in]``; ``targets``: ``[T, B, out]``; the function takes ``[B, in]`` and ``[B, out]``.

    Returns:
        A function that gives the step's loss, whose ``backward()`` fills the gradients of the weights; it must run
        before the next step does. None where no kernel takes these tensors.

    Source:
        Roy, Panda & Roy 2019, eq. 1-17.

    Example:
        >>> W = torch.tensor([[0.5]], requires_grad=True)
        >>> spikes, targets = torch.ones(2, 1, 1), torch.zeros(2, 1, 1)
        >>> step = online_rule([Layer(W, 0.5, 1.0, 1.0)], spikes, targets, mask=False)
        >>> for x, target in zip(spikes, targets):
        ...     W.grad = None
        ...     step(x, target).backward()
        >>> W.grad  # V[2] e[2] = (0.5 * 0.5 + 0.5) * (0.5 * 1 + 1)
        tensor([[1.1250]])
    """
    weights = [layer.weight for layer in layers]
    sizes = [weights[0].shape[1], *(len(weight) for weight in weights)]
    which = path(spikes, targets, *weights)
    if (
        which == "reference"
        or torch.is_autocast_enabled(spikes.device.type)
        or spikes.requires_grad
        or list(spikes.shape[2:]) != sizes[:1]
        or list(targets.shape) != [*spikes.shape[:2], sizes[-1]]
        or [weight.shape[1] for weight in weights] != sizes[:-1]
        or 0 in (*spikes.shape, *sizes)
    ):
        return None
    return OnlineRule(which, layers, spikes, mask)


class _State:
    """Of a layer: sums of its input Y[0] to Y[T], membranes V[t], and last spikes before step t."""

    def __init__(self, weight: Tensor, num_steps: int, batch: int) -> None:
        neurons, inputs = weight.shape
        self.sums = weight.new_empty((num_steps + 1, batch, inputs))
        self.sums[0] = 0
        self.membranes = weight.new_zeros((batch, neurons))
        self.last_spike = weight.new_zeros((batch, neurons), dtype=torch.int32)


class OnlineRule:
    """One batch: called with each time step's spikes and targets, it gives that step's loss."""

    def __init__(self, which: Path, layers: Sequence[Layer], spikes: Tensor, mask: bool) -> None:
        self.dynamics, self.traces = kernel(which, "step"), kernel(which, "traces")
        self.layers = layers
        self.weights = [layer.weight for layer in layers]
        self.states = [_State(weight.detach(), *spikes.shape[:2]) for weight in self.weights]
        self.mask = mask
        self.step = 0
        self.error = torch.empty(0)

    def __call__(self, spikes: Tensor, targets: Tensor) -> Tensor:
        """The loss of the next time step."""
        loss: Tensor = _Step.apply(self, spikes, targets, *self.weights)  # type: ignore[no-untyped-call]
        return loss

    @property
    def membranes(self) -> list[Tensor]:
        """Of each layer at this time step, before reset."""
        return [state.membranes for state in self.states]

    def forward(self, spikes: Tensor, targets: Tensor) -> Tensor:
        """Move on to step t; its loss."""
        self.step += 1
        t = self.step
        for layer, state in zip(self.layers, self.states, strict=True):
            torch.add(spikes, state.sums[t - 1], alpha=layer.decay, out=state.sums[t])  # eq. 10, eq. 16
            currents = self.dynamics.currents(spikes, layer.weight)
            spikes = self.dynamics.advance(currents, state.membranes, state.last_spike, t, layer.decay, layer.threshold)
        self.error = self.dynamics.output_error(state.membranes, targets.contiguous(), layer.threshold, self.mask)
        errors = self.error.view(-1)
        return torch.dot(errors, errors) * (0.5 / len(targets))  # eq. 8

    def gradients(self, grad_loss: Tensor, weights: Sequence[Tensor], wanted: Sequence[bool]) -> list[Tensor | None]:
        """Gradient of each weight by the loss of step t."""
        delta = self.error * (grad_loss * (-1 / len(self.error)))  # eq. 9, eq. 13
        gradients: list[Tensor | None] = [None] * len(weights)
        for i in reversed(range(wanted.index(True), len(weights))):
            state = self.states[i]
            if wanted[i]:
                decay = self.layers[i].decay
                gradients[i] = self.traces.weight_gradient(delta, state.last_spike, state.sums, self.step, decay)
            if any(wanted[:i]):
                below, membranes = self.layers[i - 1], self.states[i - 1].membranes
                delta = self.dynamics.hidden_error(delta, weights[i], membranes, below.threshold, below.slope)
        return gradients


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rule: OnlineRule, spikes: Tensor, targets: Tensor, *weights: Tensor) -> Tensor:
        loss = rule.forward(spikes, targets)
        ctx.save_for_backward(*weights)
        ctx.rule, ctx.step = rule, rule.step
        return loss

    @staticmethod
    def backward(ctx: Any, grad_loss: Tensor) -> tuple[Any, ...]:
        check_once()
        weights = [weight.detach() for weight in ctx.saved_tensors]
        rule = ctx.rule
        if ctx.step != rule.step:
            raise RuntimeError(
                f"Expected backward() of time step {ctx.step} before the next step, got it at time step {rule.step}"
            )
        return None, None, None, *rule.gradients(grad_loss, weights, ctx.needs_input_grad[3:])
