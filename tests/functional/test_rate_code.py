import math

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
    bandwidth = sum(map(sum, distance)) / (n * n - n) / 4
    total = 0.0
    for i in range(n):
        for j in range(n):
            k = sum(math.exp(-distance[i][j] / (bandwidth * 2**m)) for m in range(kernels))
            total += k if (i < len(x)) == (j < len(x)) else -k
    return total / len(x) ** 2


def test_the_discrepancy_is_that_of_a_loop():
    x, y = torch.randn(2, 7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert rbf_mmd(x, y).item() == pytest.approx(loop(x.numpy(), y.numpy()), rel=1e-10)
    assert rbf_mmd(x, x.flip(0)).item() == pytest.approx(0, abs=1e-12)
    assert rbf_mmd(x, y + 2) > rbf_mmd(x, y)


def test_one_step_is_enough():
    assert sampled_spikes(torch.tensor([[0.0, 1.0]]), 1).tolist() == [[[0, 1]]]


def test_bad_input():
    with pytest.raises(InputError, match=r"at least two, got \[1, 3\] and \[1, 3\]"):
        rbf_mmd(torch.zeros(1, 3), torch.zeros(1, 3))
    with pytest.raises(InputError, match="Expected `num_steps` to be at least 1, got 0"):
        sampled_spikes(torch.zeros(1, 3), 0)
