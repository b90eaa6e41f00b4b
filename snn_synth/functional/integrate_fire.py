r"""Neurons that integrate without a leak and fire at most once, with approximate gradients (Kheradpisheh et al. 2020).

Times are whole steps from 0 to T; T means never, and such a spike counts for nothing.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from snn_synth.errors import InputError

LEAST_SLOPE = 0.3  # of a smoothed potential, in thresholds within the smoothing


def if_spike_times(
    times: Tensor, weight: Tensor, threshold: float = 1.0, num_steps: int = 256, smoothing: float | None = None
) -> Tensor:
    r"""When neurons first exceed their threshold, one step later.

    .. math:: V_j(t) = \sum_{i:\, t_i \le t} w_{ji}, \qquad
        t_j = \min\bigl(\min\{t : V_j(t) > \theta\} + 1,\; T\bigr)

    The gradient is not that of this function, which is a staircase, but

    .. math:: \frac{\partial t_j}{\partial w_{ji}} \approx -[t_i < t_j], \qquad
        \frac{\partial t_j}{\partial t_i} \approx w_{ji}\,[t_i < t_j]

    or, with ``smoothing`` :math:`\tau`, that of a potential which each input raises gradually, with the slope s:

    .. math:: \frac{\partial t_j}{\partial w_{ji}} \approx -\frac{[t_i < t_j]}{s_j}, \qquad
        \frac{\partial t_j}{\partial t_i} \approx \frac{w_{ji}\,k_{ji}}{s_j}, \qquad
        k_{ji} = \frac{[t_i < t_j]}{\tau} e^{-(t_j - 1 - t_i) / \tau}, \qquad
        s_j = \max\Bigl(\sum_i w_{ji} k_{ji},\; 0.3\,\frac{\theta}{\tau}\Bigr)

    in which a later input counts more. Where s is not at its least, the derivatives by the times sum to 1: if all
    inputs come later together, so does the spike.

    Args:
        times: of the inputs' spikes, whole numbers from 0 to T.
        weight: w.
        threshold: :math:`\theta`.
        num_steps: T.
        smoothing: :math:`\tau`, in steps; the gradient of S4NN if not given.

    Shape:
        ``times``: ``[B, in]``; ``weight``: ``[out, in]``; the result ``[B, out]``.

    Returns:
        Whole numbers from 1 to T, in the dtype of ``weight``.

    Raises:
        InputError: for shapes that do not fit, times outside [0, T] or NaN, a threshold that is not positive, or a
            smoothing below T / 64.

    Source:
        Kheradpisheh & Masquelier 2020 (S4NN), on which Kotariya & Ganguly 2021 stands; the smoothed gradient is ours.

    Example:
        >>> times = torch.tensor([[0.0, 3.0, 5.0]])
        >>> if_spike_times(times, torch.tensor([[0.6, 0.6, 0.6], [0.1, 0.1, 0.1]]), num_steps=8)
        tensor([[4., 8.]])
    """
    check_if_spike_times(times, weight, threshold, num_steps, smoothing)
    out: Tensor = _IFSpikeTimes.apply(times, weight, threshold, num_steps, smoothing)  # type: ignore[no-untyped-call]
    return out


def check_if_spike_times(
    times: Tensor, weight: Tensor, threshold: float, num_steps: int, smoothing: float | None
) -> None:
    """Raise what :func:`if_spike_times` raises."""
    if times.dim() != 2 or weight.dim() != 2 or times.shape[1] != weight.shape[1]:
        raise InputError(
            f"Expected times [B, in] and weights [out, in], got {list(times.shape)} and {list(weight.shape)}"
        )
    if times.dtype != weight.dtype:
        raise InputError(f"Expected times and weights of one dtype, got {times.dtype} and {weight.dtype}")
    if not bool(((times >= 0) & (times <= num_steps) & (times == times.floor())).all()):  # NaN fails too
        raise InputError(f"Expected whole spike times in [0, {num_steps}], got {times.min()} to {times.max()}")
    if not threshold > 0:
        raise InputError(f"Expected `threshold` to be positive, got {threshold}")
    if smoothing is not None and not smoothing >= num_steps / 64:  # exponentials would overflow
        raise InputError(f"Expected `smoothing` to be at least {num_steps / 64:g}, T / 64, got {smoothing}")


class _IFSpikeTimes(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, times: Tensor, weight: Tensor, threshold: float, num_steps: int, smoothing: float | None
    ) -> Tensor:
        ordered, order = times.sort(1)
        fired = ordered < num_steps
        count = int(fired.sum(1).max()) if times.numel() else 0
        ordered, order, fired = ordered[:, :count], order[:, :count], fired[:, :count]
        membrane = weight.T[order].cumsum(1)
        # Inputs of one step arrive together: only the last of them shows the membrane at that step.
        last = torch.cat([ordered[:, 1:] > ordered[:, :-1], torch.ones_like(fired[:, :1])], 1)
        crosses = (membrane > threshold) & (last & fired)[..., None]
        out = times.new_full((len(times), len(weight)), num_steps, dtype=weight.dtype)
        if count:
            first = ordered.gather(1, crosses.to(torch.uint8).argmax(1)) + 1
            out = torch.where(crosses.any(1), first.to(out.dtype), out)
        ctx.save_for_backward(times, weight, out)
        ctx.threshold, ctx.smoothing = threshold, smoothing
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        times, weight, out = ctx.saved_tensors
        causal = (times[:, None, :] < out[..., None]).to(grad.dtype)  # [B, out, in]
        kernel = causal
        if ctx.smoothing is not None:
            delay = (out[..., None] - 1 - times[:, None, :]).clamp(min=0)
            kernel = causal * (-delay / ctx.smoothing).exp() / ctx.smoothing
            slope = torch.einsum("oi,boi->bo", weight, kernel)
            grad = grad / slope.clamp(min=LEAST_SLOPE * ctx.threshold / ctx.smoothing)
        by_weight = -torch.einsum("bo,boi->oi", grad, causal)
        by_times = torch.einsum("bo,oi,boi->bi", grad, weight, kernel)
        return by_times, by_weight, None, None, None
