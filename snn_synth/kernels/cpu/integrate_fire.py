"""First spikes of neurons without a leak, which stop reading their inputs once all have fired: numba, float32."""

from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from snn_synth.kernels.cpu.threads import jit


@jit
def _forward(order: Any, times: Any, counts: Any, weight: Any, threshold: float, num_steps: int, out: Any) -> None:
    batch, neurons = out.shape
    for sample in numba.prange(batch):
        membrane = np.zeros(neurons, np.float32)
        count, left = counts[sample], neurons
        for i in range(count):
            now, row = times[sample, i], weight[order[sample, i]]
            for n in range(neurons):
                membrane[n] += row[n]
            if i + 1 < count and times[sample, i + 1] == now:
                continue  # inputs of one step arrive together
            for n in range(neurons):
                if membrane[n] > threshold and out[sample, n] == num_steps:
                    out[sample, n] = now + 1
                    left -= 1
            if left == 0:
                break


@jit
def _backward(times: Any, weight: Any, num_steps: int, out: Any, grad: Any, by_weight: Any, by_times: Any) -> None:
    batch, neurons = out.shape
    for i in numba.prange(len(weight)):
        row, to = weight[i], by_weight[i]
        for sample in range(batch):
            now = times[sample, i]
            if now >= num_steps:
                continue
            total = np.float32(0)
            for n in range(neurons):
                causal = grad[sample, n] if now < out[sample, n] else np.float32(0)
                to[n] -= causal
                total += causal * row[n]
            by_times[sample, i] = total


def forward(order: Tensor, times: Tensor, counts: Tensor, weight: Tensor, threshold: float, num_steps: int) -> Tensor:
    """Spike times of neurons whose inputs come in order, ``counts`` of them before ``num_steps``."""
    out = torch.full((len(times), weight.shape[1]), float(num_steps))
    arrays = (x.numpy() for x in (order, times, counts, weight))
    _forward(*arrays, threshold, num_steps, out.numpy())
    return out


def backward(times: Tensor, weight: Tensor, num_steps: int, out: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of the times, in the inputs' own order, and of the weights."""
    by_times, by_weight = torch.zeros_like(times), torch.zeros_like(weight)
    arrays = (x.numpy() for x in (out, grad, by_weight, by_times))
    _backward(times.numpy(), weight.numpy(), num_steps, *arrays)
    return by_times, by_weight
