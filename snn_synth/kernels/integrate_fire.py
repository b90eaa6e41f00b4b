"""First spikes of neurons without a leak on the path for their times."""

import functools
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from snn_synth import functional
from snn_synth.functional.integrate_fire import check_if_spike_times
from snn_synth.kernels.dispatch import kernel, path


class _IFSpikeTimes(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, times: Tensor, weight: Tensor, threshold: float, num_steps: int) -> Tensor:
        kernels = kernel("numba", "integrate_fire")
        times, rows = times.detach().contiguous(), weight.detach().T.contiguous()
        ordered, order = times.sort(1)
        counts = (ordered < num_steps).sum(1)
        out: Tensor = kernels.forward(order, ordered, counts, rows, threshold, num_steps)
        ctx.save_for_backward(times, rows, out)
        ctx.kernels, ctx.num_steps = kernels, num_steps
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        times, rows, out = ctx.saved_tensors
        by_times, by_weight = ctx.kernels.backward(times, rows, ctx.num_steps, out, grad.contiguous())
        return by_times, by_weight.T, None, None


@functools.wraps(functional.if_spike_times)  # its docstring too
def if_spike_times(  # noqa: D103
    times: Tensor, weight: Tensor, threshold: float = 1.0, num_steps: int = 256
) -> Tensor:
    if path(times, weight) != "numba" or 0 in (*times.shape, *weight.shape):
        return functional.if_spike_times(times, weight, threshold, num_steps)
    check_if_spike_times(times, weight, threshold, num_steps)
    out: Tensor = _IFSpikeTimes.apply(times, weight, threshold, num_steps)  # type: ignore[no-untyped-call]
    return out
