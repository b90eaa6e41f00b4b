"""The online rule as the paper prints it: one eligibility trace per synapse and sample, in PyTorch and float32."""

from collections.abc import Callable

import torch
from torch import Tensor

from snn_synth.experiments.bench.case import Case
from snn_synth.experiments.bench.implementations.common import LEARNING_RATE, Run
from snn_synth.experiments.bench.workloads import DECAY, THRESHOLD
from snn_synth.functional import membrane_error, sigmoid_derivative

Update = Callable[[list[Tensor]], None]


@torch.no_grad()
def online(weights: list[Tensor], spikes: Tensor, targets: Tensor, update: Update) -> float:
    """Run eq. 5-17 on one batch.

    Args:
        weights: of each layer, ``[neurons, inputs]``; ``update`` may change them in place.
        spikes: input spikes ``[T, B, in]``.
        targets: target spikes ``[T, B, out]``.
        update: called with the gradients of each time step.

    Returns:
        The mean of the T losses.
    """
    steps, batch, _ = spikes.shape
    traces = [weight.new_zeros(batch, *weight.shape) for weight in weights]
    membranes = [weight.new_zeros(batch, len(weight)) for weight in weights]
    kept = [torch.ones_like(membrane) for membrane in membranes]
    total = 0.0
    for presynaptic, target in zip(spikes, targets, strict=True):
        for layer, weight in enumerate(weights):
            membranes[layer] = DECAY * membranes[layer] * kept[layer] + presynaptic @ weight.T  # eq. 1
            traces[layer].mul_(DECAY * kept[layer][:, :, None]).add_(presynaptic[:, None, :])  # eq. 10, eq. 16
            presynaptic = (membranes[layer] >= THRESHOLD).to(weight.dtype)  # eq. 2
            kept[layer] = 1 - presynaptic
        error = membrane_error(membranes[-1], target, THRESHOLD)  # eq. 5-7
        total += 0.5 * error.square().sum().item() / batch  # eq. 8
        delta = -error / batch  # eq. 9
        gradients: list[Tensor] = []
        for layer in reversed(range(len(weights))):
            gradients.insert(0, torch.einsum("bm,bmn->mn", delta, traces[layer]))  # eq. 11, eq. 17
            if layer:
                delta = (delta @ weights[layer]) * sigmoid_derivative(membranes[layer - 1] - THRESHOLD)
        update(gradients)
    return total / steps


def build(case: Case) -> Run:
    """Make the implementation; it runs the first ``naive_steps`` only where all of them would take minutes."""
    weights = [weight.clone().requires_grad_() for weight in case.weights]
    optimizer = torch.optim.Adam(weights, lr=LEARNING_RATE)
    steps = case.workload.checked_steps
    spikes, targets = case.spikes[:steps], case.targets[:steps]

    def adam(gradients: list[Tensor]) -> None:
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = gradient
        optimizer.step()

    def step() -> float:
        optimizer.state.clear()
        return online(weights, spikes, targets, adam)

    def check() -> tuple[float, ...]:
        sums = [torch.zeros_like(weight) for weight in case.weights]
        loss = online(case.weights, spikes, targets, lambda g: torch._foreach_add_(sums, g))
        return (loss, *(total.norm().item() / steps for total in sums))

    return Run(check, step, scale=case.workload.num_steps / steps)
