"""What an implementation is, and what those in other libraries share: loss, optimizer, training step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from snn_synth.experiments.bench.case import Case
from snn_synth.experiments.bench.workloads import THRESHOLD
from snn_synth.functional import membrane_loss

LEARNING_RATE = 1e-5  # of the timed steps: small, so that every repeat runs the same network


class Run(NamedTuple):
    """An implementation that has its network, weights and data.

    Attributes:
        check: numbers that every implementation of the workload must agree on at the same weights; changes nothing.
        step: what is timed.
        scale: what the time of a step is multiplied with, if a part stands for the whole.
    """

    check: Callable[[], tuple[float, ...]]
    step: Callable[[], object]
    scale: float = 1.0


class Network(nn.Module):
    """A network in another library: its linear layers have the weights of the case; a subclass adds the neurons."""

    linears: nn.ModuleList
    neurons: Any

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.linears = nn.ModuleList()
        for weight in case.weights:
            linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device=weight.device)
            linear.weight = nn.Parameter(weight.clone())
            self.linears.append(linear)

    def forward(self, spikes: Tensor) -> Tensor:
        """Output spikes of all time steps."""
        raise NotImplementedError

    def membrane(self, spikes: Tensor) -> Tensor:
        """Membrane potential of the output neurons before reset, of all time steps."""
        raise NotImplementedError


def library_run(network: Network, case: Case, time_first: bool = True) -> Run:
    """Training as a user of the library writes it, with PyTorch's Adam as it comes; or inference."""
    spikes, targets = case.spikes, case.targets
    if not time_first:
        spikes, targets = spikes.transpose(0, 1).contiguous(), targets.transpose(0, 1).contiguous()
    weights = list(network.linears.parameters())
    optimizer = torch.optim.Adam(weights, lr=LEARNING_RATE)

    def train() -> None:
        optimizer.zero_grad()
        membrane_loss(network.membrane(spikes), targets, THRESHOLD).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    @torch.no_grad()
    def infer() -> Tensor:
        output: Tensor = network(spikes)
        return output

    @torch.no_grad()
    def loss() -> tuple[float, ...]:
        return (membrane_loss(network.membrane(spikes), targets, THRESHOLD).item(),)

    if case.workload.rule == "inference":
        return Run(lambda: (spike_error(infer(), targets),), infer)
    return Run(loss, train)


def spike_error(spikes: Tensor, targets: Tensor) -> float:
    """What inference is checked by: wrong output spikes, summed over neurons, mean over batch and time."""
    return (spikes != targets).float().sum(-1).mean().item()
