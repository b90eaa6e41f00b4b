r"""The spike and its derivative (Roy, Panda & Roy 2019, eq. 2-4)."""

from typing import Any

import torch
from torch import Tensor


class _SigmoidSpike(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, slope: float) -> Tensor:
        return (x >= 0).to(x.dtype)  # eq. 2: the threshold itself fires

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float], output: Tensor) -> None:
        x, ctx.slope = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        (x,), (gradient,) = ctx.saved_tensors, grad_outputs
        return gradient * sigmoid_derivative(x, ctx.slope), None


def sigmoid_derivative(x: Tensor, slope: float = 1.0) -> Tensor:
    r"""Derivative of the sigmoid that stands for a spike in the backward pass.

    .. math:: \frac{d}{dx}\sigma(k x) = k\,\sigma(k x)\,\sigma(-k x)

    Written with two sigmoids, it goes to 0 far from the threshold, where the quotient of exponentials in eq. 4
    overflows to NaN.

    Args:
        x: membrane potential minus threshold.
        slope: steepness k; 1 in the paper.

    Shape:
        any; the result has the shape and dtype of ``x``.

    Returns:
        The derivative, at most ``slope / 4``.

    Source:
        Roy, Panda & Roy 2019, eq. 3-4.

    Example:
        >>> sigmoid_derivative(torch.tensor([0.0, -1000.0]))
        tensor([0.2500, 0.0000])
    """
    return slope * torch.sigmoid(slope * x) * torch.sigmoid(-slope * x)  # eq. 3-4, eq. 15


def spike(x: Tensor, slope: float = 1.0) -> Tensor:
    r"""Spike where ``x >= 0``; in the backward pass, a sigmoid centred there.

    .. math:: A = \begin{cases}1 & x \ge 0\\ 0 & x < 0\end{cases}, \qquad
        \frac{dA}{dx} \approx k\,\sigma(k x)\,(1-\sigma(k x))

    Args:
        x: membrane potential minus threshold.
        slope: steepness k of the sigmoid.

    Shape:
        any; the result has the shape and dtype of ``x``.

    Returns:
        0 or 1 for each element.

    Source:
        Roy, Panda & Roy 2019, eq. 2-4.

    Example:
        >>> x = torch.tensor([-0.5, 0.0, 0.5], requires_grad=True)
        >>> spike(x).sum().backward()
        >>> spike(x).tolist(), x.grad
        ([0.0, 1.0, 1.0], tensor([0.2350, 0.2500, 0.2350]))
    """
    return _SigmoidSpike.apply(x, slope)  # type: ignore[no-untyped-call, no-any-return]
