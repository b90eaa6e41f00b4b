r"""Eligibility traces of the online rule, without one trace per synapse (Roy, Panda & Roy 2019, eq. 10-17).

The paper keeps, for each synapse of each sample, :math:`e[t] = \partial V[t]/\partial W`:

.. math:: e[t] = (1-\alpha)\,e[t-1]\,(1-A[t-1]) + x[t]

For sample b it depends on the neuron m only through r, the last spike of m strictly before t (0 if none):

.. math:: e[t] = Y[t] - (1-\alpha)^{t-r}\, Y[r], \qquad Y[t] = (1-\alpha)\,Y[t-1] + x[t], \quad Y[0] = 0

So the exact gradient of a linear operator is its ordinary gradient at input Y[t], minus a correction at the inputs Y[r]
with one non-zero cotangent per (b, m). Memory is O(T B N), not O(B M N).
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call


class Trace:
    r"""The leaky sums of a layer's input and the last spikes of its neurons: all that the traces need.

    Args:
        decay: :math:`1-\alpha` of the layer's neurons.
        num_steps: T, the number of time steps that will be shown.

    Source:
        Roy, Panda & Roy 2019, eq. 10 and 16.

    Example:
        >>> trace = Trace(decay=0.5, num_steps=3)
        >>> for x in (1.0, 0.0, 1.0):
        ...     trace.integrate(torch.tensor([[x]]))
        >>> trace.sums.flatten().tolist()  # Y[0] = 0 first
        [0.0, 1.0, 0.5, 1.25]
    """

    def __init__(self, decay: float, num_steps: int) -> None:
        """Start before the first time step."""
        self.decay = decay
        self.num_steps = num_steps
        self.step = 0
        self.sums = torch.empty(0)
        self.last_spike: Tensor | None = None
        self.fired: Tensor | None = None

    def integrate(self, presynaptic: Tensor) -> None:
        """Move on to step t and add its presynaptic spikes x[t], shape [B, ...]."""
        if self.fired is not None:  # the spikes of step t - 1, which reset the traces from now on
            last = torch.zeros_like(self.fired, dtype=torch.int64) if self.last_spike is None else self.last_spike
            self.last_spike = torch.where(self.fired, self.step, last)
        if self.step == 0:
            dtype = torch.promote_types(presynaptic.dtype, torch.float32)
            self.sums = presynaptic.new_zeros((self.num_steps + 1, *presynaptic.shape), dtype=dtype)
        self.step += 1
        before, now = self.sums[self.step - 1], self.sums[self.step]
        torch.add(presynaptic.detach(), before, alpha=self.decay, out=now)  # eq. 10, eq. 16

    def reset(self, spikes: Tensor) -> None:
        """Note the spikes of step t, shape [B, ...]: the gradient at t still has the traces from before."""
        self.fired = spikes.detach() > 0

    def cotangents(self, delta: Tensor) -> Tensor:
        r"""Spread the local error over the steps whose leaky sums make up the trace.

        .. math:: c_t = \delta, \qquad c_r = -(1-\alpha)^{t-r}\,\delta, \qquad
            \delta\, e[t] = \sum_{s=1}^{t} c_s\, Y[s]

        Args:
            delta: the local error :math:`\partial L/\partial Z[t]`.

        Shape:
            ``delta``: ``[B, ...]``; the result ``[t, B, ...]``, its first entry for Y[1].
        """
        spread = delta.new_zeros((self.step + 1, *delta.shape))
        if self.last_spike is not None:
            age = (self.step - self.last_spike).to(delta.dtype)
            spread.scatter_(0, self.last_spike[None], -(delta * self.decay**age)[None])
        spread[self.step] = delta
        return spread[1:]  # a neuron that has not fired has r = 0, and Y[0] = 0

    def weight_gradients(self, operator: nn.Module, delta: Tensor) -> tuple[Tensor, ...]:
        r"""Gradient of every parameter of a linear operator for the local error ``delta``.

        .. math:: \frac{\partial L}{\partial W} = \sum_b \delta_b \, e_b[t]
        """
        inputs = self.sums[1 : self.step + 1].flatten(0, 1)
        cotangents = self.cotangents(delta.to(inputs.dtype)).flatten(0, 1)
        parameters = {name: p.detach().to(inputs.dtype).requires_grad_() for name, p in operator.named_parameters()}
        if type(operator) is nn.Linear and list(parameters) == ["weight"]:  # not pruned, say
            return (cotangents.T @ inputs,)  # eq. 11, eq. 17
        with torch.enable_grad():
            outputs = functional_call(operator, parameters, (inputs,))
        return torch.autograd.grad(outputs, list(parameters.values()), cotangents)


class _TraceGradient(torch.autograd.Function):
    """Identity on the current; in the backward pass, the parameters get the gradient by the traces."""

    @staticmethod
    def forward(ctx: Any, current: Tensor, operator: nn.Module, trace: Trace, *parameters: Tensor) -> Tensor:
        ctx.operator, ctx.trace, ctx.dtypes = operator, trace, [p.dtype for p in parameters]
        return current.view_as(current)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Any, ...]:
        (delta,) = grad_outputs
        gradients = ctx.trace.weight_gradients(ctx.operator, delta)
        return delta, None, None, *(g.to(dtype) for g, dtype in zip(gradients, ctx.dtypes, strict=True))


def traced_current(operator: nn.Module, presynaptic: Tensor, trace: Trace) -> Tensor:
    r"""Input current of a layer, whose gradient is the paper's: the trace for the weights, W for the layer below.

    .. math:: Z[t] = W x[t], \qquad \frac{\partial L}{\partial W} = \delta\, e[t], \qquad
        \frac{\partial L}{\partial x[t]} = W^T \delta

    Args:
        operator: a linear operator without bias (``nn.Linear``, ``nn.Conv2d``, ...).
        presynaptic: spikes x[t] of the layer below.
        trace: the layer's :class:`Trace`; it takes in x[t] here.

    Shape:
        ``presynaptic``: ``[B, ...]``; the result: the operator's output.

    Returns:
        Z[t]. An ordinary ``backward()`` fills the gradients, so hooks (DDP), AMP and optimizers see nothing special.

    Source:
        Roy, Panda & Roy 2019, eq. 10-17.

    Example:
        >>> W = nn.Linear(1, 1, bias=False)
        >>> trace = Trace(decay=0.5, num_steps=2)
        >>> _ = traced_current(W, torch.ones(1, 1), trace)
        >>> traced_current(W, torch.ones(1, 1), trace).sum().backward()
        >>> W.weight.grad  # e[2] = 0.5 * 1 + 1
        tensor([[1.5000]])
    """
    trace.integrate(presynaptic)
    parameters = dict(operator.named_parameters())
    frozen = {name: p.detach() for name, p in parameters.items()}
    current = functional_call(operator, frozen, (presynaptic,))  # eq. 12, eq. 14: what passes to the layer below
    result: Tensor = _TraceGradient.apply(current, operator, trace, *parameters.values())  # type: ignore[no-untyped-call]
    return result
