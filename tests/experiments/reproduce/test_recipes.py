"""The optimizer of a reading of the paper's recipe: one update for the gradients of all time steps."""

import numpy as np
import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.experiments.reproduce.recipes import Recipe, SummingAdamW
from snn_synth.learning import online_step
from snn_synth.models import SpikingStack


def test_an_update_is_adams_by_the_sum_of_the_gradients():
    gradients = np.random.default_rng(0).normal(size=(2, 3, 5))  # of two batches of three steps
    weight = torch.nn.Parameter(torch.zeros(5, dtype=torch.float64))
    settings = Recipe(lr=0.1, weight_decay=0.5, sum_of=3, beta2=0.99).factories()["optimizer"]
    optimizer = settings([weight], fused=False)
    assert isinstance(optimizer, SummingAdamW)
    expected, mean, square = np.zeros(5), np.zeros(5), np.zeros(5)
    for batch, steps in enumerate(gradients, start=1):
        for step in steps:
            assert np.allclose(weight.detach(), expected), "no update before the last step"
            optimizer.zero_grad()
            (weight * torch.tensor(step)).sum().backward()
            optimizer.step()
        total = steps.sum(0)
        mean, square = 0.9 * mean + 0.1 * total, 0.99 * square + 0.01 * total**2
        update = mean / (1 - 0.9**batch) / (np.sqrt(square / (1 - 0.99**batch)) + 1e-8)
        expected = (1 - 0.1 * 0.5) * expected - 0.1 * update
        assert np.allclose(weight.detach(), expected)
        assert weight.grad is None


def test_the_rule_of_every_step_makes_one_update_of_the_batch():
    """Beside the output layer's gradient in NumPy: masked errors times traces that a spike resets, at fixed weights."""
    torch.manual_seed(0)
    network = SpikingStack([6, 4], alpha=0.1, threshold=1.0)
    with torch.no_grad():
        network.layers[0][0].weight.mul_(4)
    weight = network.layers[0][0].weight.detach().double().numpy().copy()
    spikes, targets = (torch.rand(5, 3, 6) < 0.5).float(), (torch.rand(5, 3, 4) < 0.5).float()
    optimizer = SummingAdamW(network.parameters(), sum_of=5, lr=1.0, weight_decay=0.0, eps=1.0)
    online_step(network, spikes, targets, optimizer, fresh_moments=False)
    total = np.zeros_like(weight)
    membrane, trace, fired = np.zeros((3, 4)), np.zeros((3, 4, 6)), np.zeros((3, 4))
    for shown, wanted in zip(spikes.double().numpy(), targets.double().numpy(), strict=True):
        membrane = 0.9 * membrane * (1 - fired) + shown @ weight.T
        trace = 0.9 * trace * (1 - fired)[..., None] + shown[:, None]
        fired = (membrane > 1).astype(float)
        error = np.where(fired == wanted, 0.0, membrane - wanted)
        total += np.einsum("bo,boi->oi", error, trace) / 3
    moved = weight - network.layers[0][0].weight.detach().double().numpy()
    assert np.abs(total).max() > 0.1
    assert np.allclose(moved, total / (np.abs(total) + 1), atol=1e-5)  # Adam's first step


@pytest.mark.parametrize("optimizer", ["sgd", "adam_l2"])
def test_no_other_optimizer_sums_gradients(optimizer):
    with pytest.raises(InputError, match=f"`adam`, .* got {optimizer}"):
        Recipe(lr=0.1, optimizer=optimizer, sum_of=2)
