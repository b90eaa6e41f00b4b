r"""The online rule for fully connected layers, one autograd node per time step (eq. 1-17).

It keeps what :mod:`snn_synth.functional.eligibility` keeps: for each layer the leaky sums Y of its input, the
membranes, and the last spike of each neuron.
"""

import contextlib
import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from snn_synth.kernels.dispatch import Backend, check_once, kernel
from snn_synth.kernels.layer import Layer, backend_of

Traces = Literal["reset", "leaky", "instant"]
"""What a trace is of: the input since the neuron's last spike, all the input so far, or that of the step alone."""


def online_rule(
    layers: Sequence[Layer], spikes: Tensor, targets: Tensor, mask: bool, traces: Traces = "reset"
) -> "OnlineRule | None":
    r"""The online rule on one batch, as a function of each time step's spikes and targets, called in their order.

    .. math:: L[t] = \frac{1}{B} \sum_b \tfrac12 \lVert E[t, b] \rVert^2, \qquad
        \frac{\partial L}{\partial W_l} = \sum_b \delta_l\, e_l[t]

    Args:
        layers: from the input to the output.
        spikes: the input of all time steps.
        targets: spikes that the output layer should fire.
        mask: False keeps the error of every output neuron.
        traces: ``reset`` are the paper's; see :func:`snn_synth.learning.online_step`.

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
    which = backend_of(layers, spikes, targets)
    if which == "reference":
        return None
    return OnlineRule(which, layers, spikes, mask, traces)


class OnlineRule:
    """One batch: called with each time step's spikes and targets, it gives that step's loss.

    Example:
        >>> layers = [Layer(torch.tensor([[0.5]], requires_grad=True), 0.5, 1.0, 1.0)]
        >>> step = online_rule(layers, torch.ones(2, 1, 1), torch.zeros(2, 1, 1), mask=False)
        >>> [step(torch.ones(1, 1), torch.zeros(1, 1)).item() for _ in range(2)]  # V[t]^2 / 2
        [0.125, 0.28125]
        >>> step.membranes[0].item()
        0.75
    """

    def __init__(self, which: Backend, layers: Sequence[Layer], spikes: Tensor, mask: bool, kind: Traces) -> None:
        self.dynamics, self.traces, currents = (kernel(which, name) for name in ("step", "traces", "currents"))
        self.together = kernel(which, "together").together if which == "numba" else contextlib.nullcontext
        self.layers = layers
        self.weights = [layer.weight for layer in layers]
        self.values = [weight.detach() for weight in self.weights]  # the same memory, without a graph
        self.states = [
            self.dynamics.State(weight, self.traces.leaky_sums(*spikes.shape[:2], weight)) for weight in self.values
        ]
        self.dynamics.integrate(spikes, layers[0].decay, self.states[0].sums)
        self.currents, self.input_currents = currents.currents, currents.input_currents(spikes, self.values[0])
        self.mask, self.kind = mask, kind
        self.step = 0
        self.delta: Any = None  # of the output layer, in the form of the backend

    def __call__(self, spikes: Tensor, targets: Tensor) -> Tensor:
        """The loss of the next time step."""
        loss: Tensor = _Step.apply(self, spikes, targets, *self.weights)  # type: ignore[no-untyped-call]
        return loss

    @property
    def membranes(self) -> list[Tensor]:
        """Of each layer at this time step, before reset."""
        return [state.membranes for state in self.states]

    def finite(self, loss: float | Tensor) -> bool:
        """Whether loss and membranes of this time step are known to be finite, and the weights before the first."""
        return (
            isinstance(loss, float)
            and math.isfinite(loss)
            and all(state.finite() for state in self.states[:-1])
            and (self.step > 1 or all(math.isfinite(weight.sum().item()) for weight in self.values))
        )

    def forward(self, spikes: Tensor, targets: Tensor) -> float | Tensor:
        """Move on to step t; its loss, a tensor where reading it would wait for a GPU."""
        self.step += 1
        *before, last = range(len(self.layers))
        batch = targets.shape[0]
        scale = -1 / batch  # eq. 9, eq. 13
        with self.together():
            for i in before:
                spikes = self.dynamics.hidden(*self._now(i, spikes))
            self.delta = self.dynamics.output(*self._now(last, spikes), targets, self.mask, scale)
        loss: float | Tensor = self.dynamics.loss(self.states[last], self.delta, 0.5 * batch)  # eq. 8
        return loss

    def _now(self, i: int, spikes: Tensor) -> tuple[Any, ...]:
        """What layer i moves on by."""
        currents = self.currents(spikes, self.values[i]) if i else self.input_currents(self.step, spikes)
        inputs = spikes if i else None  # the sums of the network's own input are there
        return self.states[i], inputs, currents, self.step, self.layers[i].decay, self.layers[i].threshold

    def gradients(self, grad_loss: Tensor, weights: Sequence[Tensor], wanted: Sequence[bool]) -> list[Tensor | None]:
        """Gradient of each weight by the loss of step t."""
        gradients: list[Tensor | None] = [None] * len(weights)
        scaled = grad_loss.device.type != "cpu" or grad_loss != 1  # on the CPU, a pass over memory to save
        delta = self.dynamics.scaled(self.delta, grad_loss) if scaled else self.delta
        for i in reversed(range(wanted.index(True), len(weights))):
            state, decay = self.states[i], self.layers[i].decay
            if wanted[i]:
                gradients[i] = self.traces.weight_gradient(delta, self._start(state), state.sums, self.step, decay)
            if any(wanted[:i]):
                delta = self._below(delta, weights[i], i)
        return gradients

    def update(self, moments: Sequence[Any]) -> None:
        """Adam's step of each weight by its gradient, which is nowhere written."""
        delta = self.delta
        for i in reversed(range(len(self.values))):
            state, weight, decay = self.states[i], self.values[i], self.layers[i].decay
            with self.together():
                below = self._below(delta, weight, i) if i else delta  # by the weight before its update
                self.traces.update_weight(delta, self._start(state), state.sums, self.step, decay, moments[i])
            delta = below
        increment_version(self.weights)

    def _start(self, state: Any) -> Tensor:
        """Of each neuron, the step after which its trace begins."""
        last_spike: Tensor = state.last_spike
        if self.kind == "reset":
            return last_spike
        return torch.full_like(last_spike, 0 if self.kind == "leaky" else self.step - 1)

    def _below(self, delta: Any, weight: Tensor, i: int) -> Any:
        """The error of the layer below layer i."""
        below = self.layers[i - 1]
        return self.dynamics.hidden_error(delta, weight, self.states[i - 1], below.threshold, below.slope)


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rule: OnlineRule, spikes: Tensor, targets: Tensor, *weights: Tensor) -> Tensor:
        loss = torch.as_tensor(rule.forward(spikes, targets), dtype=spikes.dtype, device=spikes.device)
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
