"""First spikes of neurons without a leak, by the backend for their tensors."""

import functools
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from snn_synth import functional
from snn_synth.functional.integrate_fire import LEAST_SLOPE, check_if_spike_times
from snn_synth.kernels.dispatch import backend, kernel


class _IFSpikeTimes(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, times: Tensor, weight: Tensor, threshold: float, num_steps: int, smoothing: float | None
    ) -> Tensor:
        kernels = kernel("numba", "integrate_fire")
        times, rows = times.detach().contiguous(), weight.detach().T.contiguous()
        ordered, order = times.sort(1)
        counts = (ordered < num_steps).sum(1)
        out: Tensor = kernels.forward(order, ordered, counts, rows, threshold, num_steps)
        ctx.save_for_backward(times, rows, out)
        ctx.kernels, ctx.threshold, ctx.num_steps, ctx.smoothing = kernels, threshold, num_steps, smoothing
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        times, rows, out = ctx.saved_tensors
        grad, by_delay, share = grad.contiguous(), grad, torch.ones_like(times)
        if ctx.smoothing is not None:  # the kernel of a delay is a product of shares: of the input, and of the output
            share = ((times - ctx.num_steps) / ctx.smoothing).exp()
            fade = ((ctx.num_steps + 1 - out) / ctx.smoothing).exp() / ctx.smoothing
            slope = fade * ctx.kernels.driven(times, share, rows, ctx.num_steps, out)
            grad = grad / slope.clamp(min=LEAST_SLOPE * ctx.threshold / ctx.smoothing)
            by_delay = grad * fade
        by_times, by_weight = ctx.kernels.backward(times, rows, ctx.num_steps, out, grad, by_delay.contiguous())
        return by_times * share, by_weight.T, None, None, None


@functools.wraps(functional.if_spike_times)  # its docstring too
def if_spike_times(  # noqa: D103
    times: Tensor, weight: Tensor, threshold: float = 1.0, num_steps: int = 256, smoothing: float | None = None
) -> Tensor:
    if backend(times, weight) != "numba" or 0 in (*times.shape, *weight.shape):
        return functional.if_spike_times(times, weight, threshold, num_steps, smoothing)
    check_if_spike_times(times, weight, threshold, num_steps, smoothing)
    out: Tensor = _IFSpikeTimes.apply(times, weight, threshold, num_steps, smoothing)  # type: ignore[no-untyped-call]
    return out
