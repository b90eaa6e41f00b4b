"""snnTorch: the loop of its tutorials, with our surrogate so that a neuron at the very threshold fires."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from snn_synth.experiments.bench.case import Case
from snn_synth.experiments.bench.implementations.common import Network, Run, library_run
from snn_synth.experiments.bench.workloads import DECAY, THRESHOLD
from snn_synth.surrogate import SigmoidCentered


class SnnTorch(Network):
    """Its ``Leaky`` returns the potential before the reset, which comes with the next step."""

    def __init__(self, case: Case) -> None:
        import snntorch as snn

        super().__init__(case)
        self.neurons = nn.ModuleList(
            snn.Leaky(beta=DECAY, threshold=THRESHOLD, spike_grad=SigmoidCentered(), reset_mechanism="zero")
            for _ in self.linears
        ).to(case.spikes.device)

    def steps(self, spikes: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Spikes and membrane of the last layer, step by step."""
        membranes = [neuron.reset_mem() for neuron in self.neurons]
        for fired in spikes:
            for layer, (linear, neuron) in enumerate(zip(self.linears, self.neurons, strict=True)):
                fired, membranes[layer] = neuron(linear(fired), membranes[layer])
            yield fired, membranes[-1]

    def forward(self, spikes: Tensor) -> Tensor:
        """Record the spikes."""
        return torch.stack([fired for fired, _ in self.steps(spikes)])

    def membrane(self, spikes: Tensor) -> Tensor:
        """Record the membrane."""
        return torch.stack([membrane for _, membrane in self.steps(spikes)])


def build(case: Case) -> Run:
    """Make the implementation."""
    return library_run(SnnTorch(case), case)
