"""snn_synth itself: its reference functions, the kernels that it uses by default, and a CUDA graph."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from snn_synth import kernels
from snn_synth.experiments.bench.case import Case
from snn_synth.experiments.bench.implementations.common import LEARNING_RATE, Run, spike_error
from snn_synth.learning import bptt_loss, bptt_step, captured, online_step
from snn_synth.models import SpikingStack

Context = Callable[[], AbstractContextManager[Any]]


class GradientSum:
    """In the place of an optimizer: adds up the gradients of the online rule and leaves the weights as they are."""

    def __init__(self, model: SpikingStack) -> None:
        self.parameters = list(model.parameters())
        self.sums = [torch.zeros_like(weight) for weight in self.parameters]
        self.state: dict[Any, Any] = {}

    def zero_grad(self) -> None:
        """Forget the gradients of the last time step."""
        for weight in self.parameters:
            weight.grad = None

    def step(self) -> None:
        """Add those of this one."""
        for total, weight in zip(self.sums, self.parameters, strict=True):
            if weight.grad is not None:
                total += weight.grad


def gradients(case: Case, dtype: torch.dtype = torch.float32) -> tuple[float, list[Tensor]]:
    """Loss and gradient of each layer at the weights of the case; with the online rule, their means over time."""
    model = case.model(dtype)
    steps = case.workload.checked_steps
    spikes, targets = case.spikes[:steps].to(dtype), case.targets[:steps].to(dtype)
    if case.workload.rule == "online":
        recorder = GradientSum(model)
        loss = online_step(model, spikes, targets, recorder)
        return loss.item(), [total / steps for total in recorder.sums]
    loss = bptt_loss(model, spikes, targets)
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.item(), [weight.grad for weight in model.parameters() if weight.grad is not None]


def build(case: Case, context: Context = nullcontext, fused: bool = True, capturable: bool = False) -> Run:
    """Make the implementation, everything of it inside ``context()``, with Adam in one pass or as it comes."""
    model, spikes, targets = case.model(), case.spikes, case.targets
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=fused or None, capturable=capturable)

    def train() -> Tensor:
        with context():
            return bptt_step(model, spikes, targets, optimizer)

    def online() -> Tensor:
        with context():
            return online_step(model, spikes, targets, optimizer)

    @torch.no_grad()
    def infer() -> Tensor:
        with context():
            output: Tensor = model(spikes).spikes
            return output

    @torch.no_grad()
    def loss() -> tuple[float, ...]:
        with context():
            return (bptt_loss(model, spikes, targets).item(),)

    def loss_and_gradients() -> tuple[float, ...]:
        with context():
            value, layers = gradients(case)
            return (value, *(layer.norm().item() for layer in layers))

    rule = case.workload.rule
    if rule == "inference":
        return Run(lambda: (spike_error(infer(), targets),), infer)
    return Run(loss_and_gradients, online) if rule == "online" else Run(loss, train)


def build_mixed(case: Case) -> Run:
    """Make the implementation whose gradients are products in bfloat16; the spikes stay exact."""
    return build(case, lambda: kernels.precision("mixed"))


def build_reference(case: Case) -> Run:
    """Make the implementation that runs PyTorch operations alone."""
    return build(case, lambda: kernels.use("reference"))


def build_captured(case: Case) -> Run:
    """Make the implementation whose step is one CUDA graph."""
    run = build(case, capturable=True)
    found = run.check()  # before the steps that warm up change the weights
    return run._replace(check=lambda: found, step=captured(run.step))
