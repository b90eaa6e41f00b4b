"""The loop that one writes by hand in PyTorch, and the same through ``torch.compile``."""

import torch
from torch import Tensor
from torch.nn import functional as F

from snn_synth.experiments.bench.case import Case
from snn_synth.experiments.bench.implementations.common import Network, Run, library_run
from snn_synth.experiments.bench.workloads import DECAY, THRESHOLD
from snn_synth.functional import spike


def run(weights: list[Tensor], inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Spikes and membrane of the last layer, all time steps."""
    membranes = [inputs.new_zeros(inputs.shape[1], len(weight)) for weight in weights]
    fired = [torch.zeros_like(membrane) for membrane in membranes]
    spikes, record = [], []
    for below in inputs:
        for layer, weight in enumerate(weights):
            left = DECAY * membranes[layer] * (1 - fired[layer].detach())
            membranes[layer] = left + F.linear(below, weight)
            below = fired[layer] = spike(membranes[layer] - THRESHOLD)
        spikes.append(below)
        record.append(membranes[-1])
    return torch.stack(spikes), torch.stack(record)


class Loop(Network):
    """The function above, plain or compiled."""

    def __init__(self, case: Case, compiled: bool) -> None:
        super().__init__(case)
        self.run = torch.compile(run, dynamic=False) if compiled else run

    def forward(self, spikes: Tensor) -> Tensor:
        """Output spikes."""
        return self.run([linear.weight for linear in self.linears], spikes)[0]  # type: ignore[misc]

    def membrane(self, spikes: Tensor) -> Tensor:
        """Membrane before reset."""
        return self.run([linear.weight for linear in self.linears], spikes)[1]  # type: ignore[misc]


def build(case: Case) -> Run:
    """Make the plain loop."""
    return library_run(Loop(case, compiled=False), case)


def build_compiled(case: Case) -> Run:
    """Make the compiled loop."""
    return library_run(Loop(case, compiled=True), case)
