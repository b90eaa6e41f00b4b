"""norse: ``LIFBoxCell``, its neuron without synaptic currents, in its loop over time."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from snn_synth.experiments.bench.case import Case
from snn_synth.experiments.bench.implementations.common import Network, Run, library_run
from snn_synth.experiments.bench.workloads import DECAY, THRESHOLD

GAIN = 1 - DECAY  # it scales the input by this, so its potential and threshold are ours times this


class Norse(Network):
    """``v + dt / tau (i - v)`` with ``dt / tau = 1 - decay``; its own surrogate, SuperSpike."""

    def __init__(self, case: Case) -> None:
        from norse.torch import LIFBoxCell, LIFBoxParameters

        super().__init__(case)
        parameters = LIFBoxParameters(tau_mem_inv=torch.tensor(1.0), v_th=torch.tensor(GAIN * THRESHOLD))
        self.neurons = nn.ModuleList(LIFBoxCell(parameters, dt=GAIN) for _ in self.linears).to(case.spikes.device)

    def steps(self, spikes: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Spikes, current and potential after the reset of the last layer, step by step."""
        states: list[Any] = [None for _ in self.neurons]
        for fired in spikes:
            for layer, (linear, neuron) in enumerate(zip(self.linears, self.neurons, strict=True)):
                current = linear(fired)
                fired, states[layer] = neuron(current, states[layer])
            yield fired, current, states[-1].v

    def forward(self, spikes: Tensor) -> Tensor:
        """Record the spikes."""
        return torch.stack([fired for fired, _, _ in self.steps(spikes)])

    def membrane(self, spikes: Tensor) -> Tensor:
        """Before the reset, the potential is what the last step left of it, and the current."""
        record = [(current, after) for _, current, after in self.steps(spikes)]
        currents, after = (torch.stack(column) for column in zip(*record, strict=True))
        return torch.cat([currents[:1], currents[1:] + DECAY / GAIN * after[:-1]])


def build(case: Case) -> Run:
    """Make the implementation."""
    return library_run(Norse(case), case)
