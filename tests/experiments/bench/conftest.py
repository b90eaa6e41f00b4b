import numpy as np
import pytest
import torch

from snn_synth.experiments.bench.case import Case
from snn_synth.experiments.bench.workloads import Workload

SIZES, STEPS, BATCH = (20, 12, 18), 9, 4


@pytest.fixture
def make():
    """A case of random spikes and weights, in which both layers fire."""

    def build(rule: str, sizes=SIZES, **settings) -> Case:
        noise = torch.Generator().manual_seed(0)
        inputs, hidden, outputs = sizes
        workload = Workload(rule, sizes, STEPS, BATCH, (), **settings)
        weights = [0.4 * torch.randn(n, m, generator=noise) for n, m in ((hidden, inputs), (outputs, hidden))]
        values = torch.rand(BATCH, inputs, generator=noise)
        spikes = (torch.rand(STEPS, BATCH, inputs, generator=noise) < 0.4).float()
        targets = (torch.rand(STEPS, BATCH, outputs, generator=noise) < 0.4).float()
        return Case(workload, weights, values, torch.arange(BATCH), spikes, targets)

    return build


def as_numpy(case: Case):
    """Weights, spikes and targets for the NumPy reference."""
    return [w.double().numpy() for w in case.weights], np.asarray(case.spikes), np.asarray(case.targets)
