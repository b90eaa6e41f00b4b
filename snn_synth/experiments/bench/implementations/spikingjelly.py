"""SpikingJelly: multi-step ``LIFNode``, one product for all time steps."""

import torch
from torch import Tensor, nn

from snn_synth.experiments.bench.case import Case
from snn_synth.experiments.bench.implementations.common import Network, Run, library_run
from snn_synth.experiments.bench.workloads import DECAY, THRESHOLD


class SpikingJelly(Network):
    """``LIFNode`` with ``tau = 1 / (1 - decay)``; it records the potential after the reset."""

    def __init__(self, case: Case) -> None:
        from spikingjelly.activation_based import functional, neuron, surrogate

        super().__init__(case)
        self.forget = functional.reset_net
        self.neurons = nn.ModuleList(
            neuron.LIFNode(
                tau=1 / (1 - DECAY),
                decay_input=False,
                v_threshold=THRESHOLD,
                v_reset=0.0,
                surrogate_function=surrogate.Sigmoid(alpha=1.0),
                detach_reset=True,
                step_mode="m",
            )
            for _ in self.linears
        ).to(case.spikes.device)

    def _run(self, spikes: Tensor) -> tuple[Tensor, Tensor]:
        for linear, neuron in zip(self.linears, self.neurons, strict=True):
            currents = linear(spikes)
            spikes = neuron(currents)
        return spikes, currents

    def forward(self, spikes: Tensor) -> Tensor:
        """Output spikes; the state is forgotten as its users do after each batch."""
        self.neurons[-1].store_v_seq = False
        output, _ = self._run(spikes)
        self.forget(self)
        return output

    def membrane(self, spikes: Tensor) -> Tensor:
        """Before the reset, the potential is what the last step left of it, and the current."""
        self.neurons[-1].store_v_seq = True
        _, currents = self._run(spikes)
        after: Tensor = self.neurons[-1].v_seq
        self.forget(self)
        return torch.cat([currents[:1], currents[1:] + DECAY * after[:-1]])


def build(case: Case) -> Run:
    """Make the implementation."""
    return library_run(SpikingJelly(case), case)
