"""First spikes of alpha-kernel neurons, each of which stops reading its inputs once it fires: numba, float32."""

import math
from typing import Any

import torch
from torch import Tensor

from snn_synth.functional.alpha import STEEP
from snn_synth.kernels.cpu.share import subroutine
from snn_synth.kernels.cpu.threads import parallel, scratch

# Sums are in double: A t - B cancels, and a neuron's loop has few operations beside its memory.


@subroutine
def _lambert_w0(z: Any) -> Any:
    w = math.sqrt(max(0.0, 2 * (1 + math.e * z))) - 1  # near z = -1/e; elsewhere it takes a round more
    for _ in range(8):
        e = math.exp(w)
        residual, above = w * e - z, max(w + 1, 1e-30)
        step = residual / (e * above - (w + 2) * residual / (2 * above))
        w = min(0.0, max(-1.0, w - step))
        if abs(step) < 1e-12:
            break
    return w


@parallel
def _forward(
    share: int,
    start: int,
    stop: int,
    order: Any,
    t: Any,
    counts: Any,
    weight: Any,
    rate: float,
    threshold: float,
    space: Any,
    first: Any,
    out: Any,
    slope: Any,
) -> None:
    neurons, a, b = out.shape[1], space[share, 0], space[share, 1]
    for sample in range(start, stop):
        for n in range(neurons):
            a[n], b[n] = 0.0, 0.0
        count, left = counts[sample], neurons
        for i in range(count):
            now = t[sample, i]
            until = t[sample, i + 1] if i + 1 < count else math.inf
            growth = math.exp(rate * now)
            fade = math.exp(-rate * until)
            row = weight[order[sample, i]]
            for n in range(neurons):
                if first[sample, n] >= 0:
                    continue
                a[n] += growth * row[n]
                b[n] += growth * now * row[n]
                crosses = fade * (a[n] * until - b[n]) >= threshold  # after the last input, NaN is not
                if not crosses and a[n] > 0.0:
                    ratio = b[n] / a[n]
                    if now <= ratio + 1 / rate <= until:
                        crosses = a[n] / rate * math.exp(-rate * ratio - 1) >= threshold
                if crosses:
                    ratio = b[n] / a[n]
                    w = _lambert_w0(-rate * threshold / a[n] * math.exp(rate * ratio))
                    first[sample, n], out[sample, n], slope[sample, n] = i, ratio - w / rate, a[n] * (1 + w)
                    left -= 1
            if left == 0:
                break


@parallel
def _backward(
    share: int,
    start: int,
    stop: int,
    order: Any,
    t: Any,
    weight: Any,
    rate: float,
    clip: float,
    first: Any,
    out: Any,
    slope: Any,
    grad: Any,
    parts: int,
    by_weight: Any,
    by_time: Any,
) -> None:
    batch, neurons = out.shape
    width = -(-neurons // parts)
    for part in range(start, stop):
        begin, end = part * width, min(neurons, (part + 1) * width)
        for sample in range(batch):
            last = -1
            for n in range(begin, end):
                last = max(last, first[sample, n])
            for i in range(last + 1):
                now = t[sample, i]
                growth = math.exp(rate * now)
                row, to = weight[order[sample, i]], by_weight[order[sample, i]]
                total = 0.0
                for n in range(begin, end):
                    if i <= first[sample, n]:
                        delay = now - out[sample, n]
                        fraction = growth / slope[sample, n] if slope[sample, n] > 0.0 else STEEP
                        to[n] += min(clip, max(-clip, fraction * delay)) * grad[sample, n]
                        total += min(clip, max(-clip, fraction * row[n] * (1 + rate * delay))) * grad[sample, n]
                by_time[part, sample, i] = total


def forward(
    order: Tensor, t: Tensor, counts: Tensor, weight: Tensor, rate: float, threshold: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Place of the last input, time and slope A(1 + W) of each neuron; place -1 where it stays silent."""
    shape = len(t), weight.shape[1]
    first = t.new_full(shape, -1, dtype=torch.int32)
    out, slope = t.new_zeros(shape, dtype=torch.float64), t.new_ones(shape, dtype=torch.float64)
    space = scratch("sums", 2, weight.shape[1], dtype=torch.float64)
    arrays = (x.numpy() for x in (first, out, slope))
    _forward(len(out), order.numpy(), t.numpy(), counts.numpy(), weight.numpy(), rate, threshold, space, *arrays)
    return first, out, slope


def backward(
    order: Tensor,
    t: Tensor,
    weight: Tensor,
    rate: float,
    clip: float,
    first: Tensor,
    out: Tensor,
    slope: Tensor,
    grad: Tensor,
) -> tuple[Tensor, Tensor]:
    """Gradients of the ordered input times and of the weights."""
    parts = torch.get_num_threads()
    by_weight = torch.zeros_like(weight)
    by_time = t.new_zeros((parts, *t.shape), dtype=torch.float64)
    arrays = (x.numpy() for x in (first, out, slope, grad))
    _backward(
        parts, order.numpy(), t.numpy(), weight.numpy(), rate, clip, *arrays, parts, by_weight.numpy(), by_time.numpy()
    )
    return by_time.sum(0), by_weight
