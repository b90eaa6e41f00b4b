"""First spikes of alpha-kernel neurons, by the backend for their tensors."""

import functools
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from snn_synth import functional
from snn_synth.functional.alpha import check_spike_times
from snn_synth.kernels.dispatch import backend, kernel


class _AlphaSpikeTimes(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, times: Tensor, weight: Tensor, decay_rate: float, threshold: float, clip: float | None
    ) -> Tensor:
        kernels = kernel("numba", "alpha")
        ordered, order = times.detach().double().sort(1)
        counts = ordered.isfinite().sum(1)
        size = max(int(counts.max()), 1)
        ordered, order = ordered[:, :size].contiguous(), order[:, :size].contiguous()
        origin = ordered.gather(1, (counts - 1).clamp(min=0)[:, None])
        ordered = torch.where(ordered.isfinite(), ordered - origin, 0)  # no exponential overflows
        rows = weight.detach().T.contiguous()
        first, out, slope = kernels.forward(order, ordered, counts, rows, decay_rate, threshold)
        ctx.save_for_backward(order, ordered, rows, first, out, slope)
        ctx.kernels, ctx.rate, ctx.clip, ctx.shape = kernels, decay_rate, clip, times.shape
        return torch.where(first >= 0, (out + origin).float(), torch.inf)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        order, *saved, first, out, slope = ctx.saved_tensors
        grad = torch.where(first >= 0, grad, 0).contiguous()
        clip = torch.inf if ctx.clip is None else ctx.clip
        by_time, by_weight = ctx.kernels.backward(order, *saved, ctx.rate, clip, first, out, slope, grad)
        return grad.new_zeros(ctx.shape).scatter_add_(1, order, by_time.float()), by_weight.T, None, None, None


@functools.wraps(functional.alpha_spike_times)  # its docstring too
def alpha_spike_times(  # noqa: D103
    times: Tensor, weight: Tensor, decay_rate: float = 1.0, threshold: float = 1.0, clip: float | None = None
) -> Tensor:
    if backend(times, weight) != "numba" or 0 in (*times.shape, *weight.shape):
        return functional.alpha_spike_times(times, weight, decay_rate, threshold, clip)
    check_spike_times(times, weight, decay_rate, threshold, clip)
    out: Tensor = _AlphaSpikeTimes.apply(times, weight, decay_rate, threshold, clip)  # type: ignore[no-untyped-call]
    return out
