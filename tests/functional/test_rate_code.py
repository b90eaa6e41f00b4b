import math
import re

import numpy as np
import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.functional import rbf_mmd, sampled_spikes


def test_spikes_come_with_their_rates_and_pass_the_gradient_of_what_could_turn():
    rates = torch.tensor([[0.1, 0.5, 0.9]], dtype=torch.float64, requires_grad=True)
    steps = 4000
    spikes = sampled_spikes(rates, steps, torch.Generator().manual_seed(0))
    assert spikes.shape == (steps, 1, 3)
    error = (rates * (1 - rates) / steps).sqrt()
    assert ((spikes.mean(0) - rates).abs() < 4 * error).all()
    spikes.sum(0).sum().backward()
    uniform = torch.rand(steps, 1, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    near = ((rates - uniform).abs() < 0.5).sum(0).double()
    torch.testing.assert_close(rates.grad, near)
    assert near[0, 0].item() == pytest.approx(0.6 * steps, rel=0.05), "u within half a unit of 0.1"


def loop(x, y, kernels=5):
    every = np.concatenate([x, y])
    n = len(every)
    distance = [[sum((a - b) ** 2) for b in every] for a in every]
    bandwidth = sum(map(sum, distance)) / (n * n - n) / 2 ** (kernels // 2)
    total = 0.0
    for i in range(n):
        for j in range(n):
            k = sum(math.exp(-distance[i][j] / (bandwidth * 2**m)) for m in range(kernels))
            total += k if (i < len(x)) == (j < len(x)) else -k
    return total / len(x) ** 2


def test_the_discrepancy_is_that_of_a_loop():
    x, y = torch.randn(2, 7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert rbf_mmd(x, y).item() == pytest.approx(loop(x.numpy(), y.numpy()), rel=1e-10)
    for kernels in (1, 2, 4):
        assert rbf_mmd(x, y, kernels).item() == pytest.approx(loop(x.numpy(), y.numpy(), kernels), rel=1e-10)
    assert rbf_mmd(x[:2], y[:2]).item() == pytest.approx(loop(x.numpy()[:2], y.numpy()[:2]), rel=1e-10)
    assert rbf_mmd(x, x.flip(0)).item() == pytest.approx(0, abs=1e-12)
    assert rbf_mmd(x, y + 2) > rbf_mmd(x, y)


def test_samples_near_each_other_are_told_apart_and_equal_ones_are_not():
    """The kernels are as wide as the samples lie apart, down to squares of 1e-12."""
    x, y = torch.randn(2, 7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert rbf_mmd(1e-4 * x, 1e-4 * y).item() == pytest.approx(rbf_mmd(x, y).item(), rel=1e-9)
    same = torch.ones(4, 3, requires_grad=True)
    loss = rbf_mmd(same, torch.ones(4, 3))
    loss.backward()
    assert loss.item() == 0
    assert (same.grad == 0).all()


def test_the_width_of_the_kernels_is_not_differentiated():
    x, y = torch.randn(2, 4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    (gradient,) = torch.autograd.grad(rbf_mmd(x.requires_grad_(), y), x)
    every = np.concatenate([x.detach().numpy(), y.numpy()])
    apart = every[:, None] - every
    distance = (apart**2).sum(2)
    bandwidth = distance.sum() / 56 / 4
    slope = sum(-np.exp(-distance / (bandwidth * 2**m)) / (bandwidth * 2**m) for m in range(5))
    for i in range(4):
        sign = np.where(np.arange(8) < 4, 1, -1)
        expected = 2 * 2 * (sign * slope[i]) @ apart[i] / 16  # each pair counts twice
        np.testing.assert_allclose(gradient[i], expected, rtol=1e-9)


def test_the_gradient_of_spikes_ends_half_a_unit_from_their_rates(monkeypatch):
    uniform = torch.tensor([[[0.25, 0.5, 0.75], [0.0, 0.0, 0.0]], [[0.75, 0.0, 0.875], [0.0, 0.0, 0.0]]])
    monkeypatch.setattr(torch, "rand", lambda *args, **options: uniform)
    rates = torch.tensor([[0.25, 0.5, 0.375], [0.25, 0.5, 1.0]], requires_grad=True)
    spikes = sampled_spikes(rates, 2)
    assert spikes.tolist() == [[[0, 0, 0], [1, 1, 1]], [[0, 1, 0], [1, 1, 1]]]
    spikes.sum().backward()
    assert rates.grad.tolist() == [[1, 1, 1], [2, 0, 0]], "at half a unit itself it is 0"


def test_one_step_is_enough():
    assert sampled_spikes(torch.tensor([[0.0, 1.0]]), 1).tolist() == [[[0, 1]]]


@pytest.mark.parametrize("shapes", [((1, 3), (1, 3)), ((4, 3), (5, 3)), ((4, 3, 1), (4, 3, 1)), ((4,), (4,))])
def test_bad_input(shapes):
    with pytest.raises(InputError, match=re.escape(f"at least two, got {list(shapes[0])} and {list(shapes[1])}")):
        rbf_mmd(*(torch.zeros(shape) for shape in shapes))
    with pytest.raises(InputError, match="Expected `num_steps` to be at least 1, got 0"):
        sampled_spikes(torch.zeros(1, 3), 0)
