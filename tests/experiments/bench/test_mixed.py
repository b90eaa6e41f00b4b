"""benchmarks/mixed.py: what mixed precision does to the error."""

import pytest
import torch

from snn_synth.kernels import precision, spike_linear, use
from snn_synth.kernels.cpu import products
from tests.committed import BENCHMARKS, read
from tests.experiments.bench.test_report import script

ERRORS = read(BENCHMARKS.format("mixed/errors"))["errors"]


@pytest.mark.parametrize("config", ERRORS)
def test_means_differ_by_less_than_seeds_do(config):
    """As docs/performance.md, docs/numbers.md and the changelog say."""
    exact, mixed = ERRORS[config]["float32"], ERRORS[config]["mixed"]
    assert abs(sum(mixed) / 3 - sum(exact) / 3) < max(exact) - min(exact)


@pytest.mark.parametrize("share", [0.02, 0.5])  # few spikes can be listed
def test_gradients_are_products_of_rounded_operands(share, monkeypatch):
    """benchmarks/rounded.py against float64; going forward nothing is rounded."""
    for name in ("has_bfloat16", "available", "_rounded"):
        monkeypatch.setattr(products, name, getattr(products, name))  # put back after the test
    script("rounded").emulate()
    generator = torch.Generator().manual_seed(0)
    spikes = (torch.rand(300, 64, generator=generator) < share).float().requires_grad_()
    weight = torch.randn(96, 64, generator=generator).requires_grad_()
    errors = torch.randn(300, 96, generator=generator)
    with use("numba", product="listed"), precision("mixed"):
        currents = spike_linear(spikes, weight)
        currents.backward(errors)
    d, w = errors.bfloat16().double(), weight.detach().bfloat16().double()
    torch.testing.assert_close(currents.double(), spikes.double() @ weight.double().T, rtol=0, atol=1e-5)
    torch.testing.assert_close(weight.grad.double(), d.T @ spikes.detach().double(), rtol=0, atol=2e-5)
    torch.testing.assert_close(spikes.grad.double(), d @ w, rtol=0, atol=2e-5)
