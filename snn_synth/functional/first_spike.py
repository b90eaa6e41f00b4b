"""Learning when the first spike decides: targets relative to it, and gradients of which the direction counts (S4NN)."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from snn_synth.errors import InputError


def relative_targets(
    times: Tensor, labels: Tensor, margin: float = 3.0, advance: float = 0.0, num_steps: int = 256
) -> Tensor:
    r"""When the outputs of a classifier should fire, whose earliest spike decides.

    With :math:`\tau = \min_j t_j`, the right neuron is due at :math:`\max(\tau - a, 0)`; the others where they are, but
    no earlier than :math:`\min(\tau + \gamma, T)`. If all are silent, the right one is due at :math:`T - \gamma`.

    Args:
        times: of the output neurons, T for one that is silent.
        labels: the right neuron of each sample.
        margin: :math:`\gamma`.
        advance: a, in time steps. 0 is S4NN: a neuron that wins is left alone. Above 0 the right neuron is always
            pulled to fire earlier, which is our reconstruction of Spiking-GAN's *aggressive* loss: its formula is not
            in the text that we have.
        num_steps: T.

    Shape:
        ``times``: ``[B, C]``; ``labels``: ``[B]``; the result ``[B, C]``.

    Raises:
        InputError: for other shapes, labels that are no outputs, a margin outside (0, T], or a negative ``advance``.

    Source:
        Kheradpisheh & Masquelier 2020 (S4NN); Kotariya & Ganguly 2021 (the idea of ``advance``).

    Example:
        >>> relative_targets(torch.tensor([[10.0, 11.0, 40.0]]), torch.tensor([1]))
        tensor([[13., 10., 40.]])
    """
    if not 0 < margin <= num_steps or advance < 0:
        raise InputError(
            f"Expected a `margin` above 0 and up to T = {num_steps} and an `advance` of at least 0, "
            f"got {margin} and {advance}"
        )
    if times.dim() != 2 or labels.shape != times.shape[:1] or bool(((labels < 0) | (labels >= times.shape[1])).any()):
        raise InputError(
            f"Expected times [B, C] and a label below C of each sample, got {list(times.shape)} "
            f"and labels {list(labels.shape)} up to {int(labels.max()) if labels.numel() else None}"
        )
    earliest = times.min(1, keepdim=True).values
    silent = earliest >= num_steps
    others = times.maximum((earliest + margin).clamp(max=num_steps))
    right = torch.where(silent, num_steps - margin, (earliest - advance).clamp(min=0))
    return others.scatter(1, labels[:, None], right)


def normalized_timing_loss(times: Tensor, targets: Tensor, num_steps: int = 256, least: float = 0.0) -> Tensor:
    r"""A scalar whose gradient by the times of each sample is the direction of their error, of length 1 / B.

    .. math:: \frac{\partial L}{\partial t_b} =
        \frac{1}{B} \frac{t_b - \hat t_b}{\max(\lVert t_b - \hat t_b \rVert, \epsilon)}

    Its value is the mean error, :math:`\lVert t_b - \hat t_b \rVert / T`; samples without an error have no gradient.

    Args:
        times: t.
        targets: :math:`\hat t`.
        num_steps: T.
        least: :math:`\epsilon`, in steps: smaller errors pull less. S4NN has 0; with a small ``advance`` of
            :func:`relative_targets` it says how strongly a sample pulls that is right already.

    Shape:
        both ``[B, C]``; the result is a scalar.

    Source:
        Kheradpisheh & Masquelier 2020.

    Example:
        >>> times = torch.tensor([[6.0, 8.0]], requires_grad=True)
        >>> normalized_timing_loss(times, torch.zeros(1, 2)).backward()
        >>> times.grad
        tensor([[0.6000, 0.8000]])
    """
    error = times.detach() - targets
    size = error.norm(dim=1, keepdim=True)
    direction = error / size.clamp(min=max(least, torch.finfo(error.dtype).tiny))
    pulled = (times * direction).sum(1).mean()
    loss: Tensor = pulled - pulled.detach() + size.mean() / num_steps
    return loss


def softmax_timing_loss(times: Tensor, labels: Tensor, temperature: float = 8.0) -> Tensor:
    r"""Cross-entropy of a softmax that prefers early neurons, mean over the batch.

    .. math:: L = -\log \frac{e^{-t_y / \tau}}{\sum_j e^{-t_j / \tau}}

    Args:
        times: of the output neurons.
        labels: y, the right neuron of each sample.
        temperature: :math:`\tau`, in steps.

    Shape:
        ``times``: ``[B, C]``; ``labels``: ``[B]``; the result is a scalar.

    Raises:
        InputError: for a temperature that is not positive, or times that are not finite.

    Source:
        Mostafa 2017.

    Example:
        >>> softmax_timing_loss(torch.tensor([[4.0, 4.0]]), torch.tensor([0]))  # log 2
        tensor(0.6931)
    """
    if not temperature > 0:
        raise InputError(f"Expected `temperature` to be positive, got {temperature}")
    if not bool(times.isfinite().all()):
        raise InputError("Expected finite times, got inf or NaN: give a neuron that stays silent a late time")
    loss: Tensor = F.cross_entropy(-times / temperature, labels)
    return loss


def homeostatic_loss(times: Tensor, weight: Tensor, goal: float, num_steps: int = 256) -> Tensor:
    r"""What keeps neurons firing around a step: a neuron that is late on average, or silent, gains weight.

    .. math:: L = -\sum_{j,i} w_{ji} \Bigl(\frac{\bar t_j}{T} - g\Bigr)

    with the mean time of the batch, which is not differentiated.

    Args:
        times: of a layer's neurons, T for one that is silent.
        weight: of that layer.
        goal: g, as a share of T.
        num_steps: T.

    Shape:
        ``times``: ``[B, out]``; ``weight``: ``[out, in]``; the result is a scalar.

    Raises:
        InputError: for a goal outside [0, 1].

    Example:
        >>> weight = torch.ones(2, 3, requires_grad=True)
        >>> homeostatic_loss(torch.tensor([[8.0, 2.0], [8.0, 4.0]]), weight, 0.5, 8).backward()
        >>> weight.grad[:, 0]
        tensor([-0.5000,  0.1250])
    """
    if not 0 <= goal <= 1:
        raise InputError(f"Expected `goal` in [0, 1], got {goal}")
    late = times.detach().mean(0) / num_steps - goal
    loss: Tensor = -(late @ weight.sum(1))
    return loss


class _NormalizedGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        (gradient,) = grad_outputs
        size = gradient.norm(dim=1, keepdim=True) * len(gradient)  # the mean over the batch stays in it
        return torch.where(size > 0, gradient / size.clamp(min=torch.finfo(gradient.dtype).tiny), 0)


def normalize_gradient(x: Tensor) -> Tensor:
    r"""The same values; in the backward pass, each sample's gradient gets the length 1 / B.

    Without it the approximate gradients of spike times grow or vanish from layer to layer.

    Shape:
        ``[B, N]``; the result has it too.

    Source:
        Kheradpisheh & Masquelier 2020.

    Example:
        >>> x = torch.ones(1, 2, requires_grad=True)
        >>> (normalize_gradient(x) * torch.tensor([30.0, 40.0])).sum().backward()
        >>> x.grad
        tensor([[0.6000, 0.8000]])
    """
    result: Tensor = _NormalizedGradient.apply(x)  # type: ignore[no-untyped-call]
    return result
