"""sinabs: its ``LIF`` layer, which takes the batch first and a whole sequence."""

import math

import torch
from torch import Tensor, nn

from snn_synth.experiments.bench.case import Case
from snn_synth.experiments.bench.implementations.common import Network, Run, library_run
from snn_synth.experiments.bench.workloads import DECAY, THRESHOLD


class Sinabs(Network):
    """``LIF`` with ``exp(-1 / tau) = decay``, one spike a step and reset to zero; its own surrogate."""

    def __init__(self, case: Case) -> None:
        from sinabs.activation import MembraneReset, SingleSpike
        from sinabs.layers import LIF

        super().__init__(case)
        self.neurons = nn.ModuleList(
            LIF(
                tau_mem=-1 / math.log(DECAY),
                spike_threshold=torch.tensor(THRESHOLD),
                spike_fn=SingleSpike,
                reset_fn=MembraneReset(),
                norm_input=False,
            )
            for _ in self.linears
        ).to(case.spikes.device)
        self.neurons.requires_grad_(False)  # it would learn its leak too

    def _run(self, spikes: Tensor) -> tuple[Tensor, Tensor]:
        for linear, neuron in zip(self.linears, self.neurons, strict=True):
            neuron.reset_states()
            currents = linear(spikes)
            spikes = neuron(currents)
        return spikes, currents

    def forward(self, spikes: Tensor) -> Tensor:
        """Output spikes ``[B, T, N]``."""
        self.neurons[-1].record_states = False
        output, _ = self._run(spikes)
        return output

    def membrane(self, spikes: Tensor) -> Tensor:
        """Before the reset, the potential is what the last step left of it, and the current."""
        self.neurons[-1].record_states = True
        _, currents = self._run(spikes)
        after: Tensor = self.neurons[-1].recordings["v_mem"]
        return torch.cat([currents[:, :1], currents[:, 1:] + DECAY * after[:, :-1]], dim=1)


def build(case: Case) -> Run:
    """Make the implementation."""
    return library_run(Sinabs(case), case, time_first=False)
