"""First spikes of neurons without a leak, which stop reading their inputs once all have fired: numba, float32."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from snn_synth.kernels.cpu.threads import parallel, scratch


@parallel
def _forward(
    share: int,
    start: int,
    stop: int,
    order: Any,
    times: Any,
    counts: Any,
    weight: Any,
    threshold: float,
    num_steps: int,
    space: Any,
    out: Any,
) -> None:
    neurons, membrane = out.shape[1], space[share]
    for sample in range(start, stop):
        for n in range(neurons):
            membrane[n] = np.float32(0)
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


@parallel
def _driven(
    _: int, start: int, stop: int, times: Any, share: Any, weight: Any, num_steps: int, out: Any, total: Any
) -> None:
    neurons = out.shape[1]
    for sample in range(start, stop):
        for i in range(len(weight)):
            now, part, row = times[sample, i], share[sample, i], weight[i]
            if now >= num_steps:
                continue
            for n in range(neurons):
                total[sample, n] += part * row[n] if now < out[sample, n] else np.float32(0)


@parallel
def _backward(
    share: int,
    start: int,
    stop: int,
    times: Any,
    weight: Any,
    num_steps: int,
    out: Any,
    grad: Any,
    by_delay: Any,
    by_weight: Any,
    by_times: Any,
) -> None:
    batch, neurons = out.shape
    for i in range(start, stop):
        row, to = weight[i], by_weight[i]
        for sample in range(batch):
            now = times[sample, i]
            if now >= num_steps:
                continue
            total = np.float32(0)
            for n in range(neurons):
                causal = now < out[sample, n]
                to[n] -= grad[sample, n] if causal else np.float32(0)
                total += by_delay[sample, n] * row[n] if causal else np.float32(0)
            by_times[sample, i] = total


def forward(order: Tensor, times: Tensor, counts: Tensor, weight: Tensor, threshold: float, num_steps: int) -> Tensor:
    """Spike times of neurons whose inputs come in order, ``counts`` of them before ``num_steps``."""
    out = weight.new_full((len(times), weight.shape[1]), float(num_steps))
    arrays = (x.numpy() for x in (order, times, counts, weight))
    _forward(len(out), *arrays, threshold, num_steps, scratch("sums", out.shape[1]), out.numpy())
    return out


def driven(times: Tensor, share: Tensor, weight: Tensor, num_steps: int, out: Tensor) -> Tensor:
    """Sum of the weights of the inputs before each neuron's spike, times the inputs' shares."""
    total = torch.zeros_like(out)
    _driven(len(out), times.numpy(), share.numpy(), weight.numpy(), num_steps, out.numpy(), total.numpy())
    return total


def backward(
    times: Tensor, weight: Tensor, num_steps: int, out: Tensor, grad: Tensor, by_delay: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of the times, but for the inputs' shares, and of the weights."""
    by_times, by_weight = torch.zeros_like(times), torch.zeros_like(weight)
    arrays = (x.numpy() for x in (out, grad, by_delay, by_weight, by_times))
    _backward(len(weight), times.numpy(), weight.numpy(), num_steps, *arrays)
    return by_times, by_weight
