import math

import numpy as np
import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.functional import (
    bernoulli_information,
    bernoulli_log_prob,
    causal_filter,
    raised_cosines,
    refractory_spikes,
    score_function_loss,
    synaptic_traces,
)


@pytest.mark.parametrize("length", [4, 10, 23])
@pytest.mark.parametrize("count", [1, 2, 8])
def test_the_bumps_by_their_formula(count, length):
    found = raised_cosines(count, length)
    axis = np.log(np.arange(length) + length / 10)
    centres = np.linspace(axis[0], axis[-1], count)
    spacing = centres[1] - centres[0] if count > 1 else axis[-1] - axis[0]
    for k, t in np.ndindex(count, length):
        phase = np.clip((axis[t] - centres[k]) * 0.5 * np.pi / spacing, -np.pi, np.pi)
        assert found[k, t].item() == pytest.approx((1 + np.cos(phase)) / 2, abs=1e-6)
    assert found[0, 0] == 1
    assert count == 1 or found[-1, -1].item() == pytest.approx(1)
    assert raised_cosines(count, 1).isfinite().all()


def test_narrower_bumps_end_where_the_cosine_is_at_its_least():
    """Of 3 bumps over 10 steps the middle one, compressed by 2, ends half a spacing from its centre."""
    axis = np.log(np.arange(10) + 1)
    far = np.abs(axis - axis[-1] / 2) >= axis[-1] / 4
    found = raised_cosines(3, 10, compression=2.0)[1].numpy()
    np.testing.assert_allclose(found[far], 0, atol=1e-7)
    assert (found[~far] > 1e-3).all()


def test_a_spike_leaves_the_double_exponential():
    steps, at, alpha, beta = 40, 3, 0.9, 0.85
    spikes = torch.zeros(steps, 1, dtype=torch.float64)
    spikes[at] = 1
    found = synaptic_traces(spikes, beta, alpha)[:, 0]
    for n in range(1, steps - at):
        expected = (alpha**n - beta**n) / (alpha - beta) / (1 - alpha) / (1 - beta)
        assert found[at + n].item() == pytest.approx(expected, rel=1e-9)
    assert (found[: at + 1] == 0).all()


def test_spikes_and_their_derivatives_by_a_loop():
    noise = torch.Generator().manual_seed(0)
    potentials = torch.randn(20, 3, generator=noise, dtype=torch.float64).requires_grad_()
    weights = torch.randn(20, 3, generator=noise, dtype=torch.float64)
    found = refractory_spikes(potentials, 0.65)
    (gradient,) = torch.autograd.grad((found * weights).sum(), potentials)
    for n in range(3):
        readiness = fired = 0.0
        for t in range(20):
            readiness = 0.65 * readiness - fired
            membrane = potentials[t, n].item() + readiness
            fired = float(membrane >= 0)
            assert found[t, n] == fired
            assert gradient[t, n].item() == pytest.approx(weights[t, n].item() * (-0.5 < membrane <= 0.5))
    assert 0.2 < found.mean() < 0.6


def test_the_derivative_of_a_spike_ends_half_a_unit_from_its_threshold():
    potentials = torch.tensor([[-0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75]], requires_grad=True)
    spikes = refractory_spikes(potentials)
    spikes.sum().backward()
    assert spikes.tolist() == [[0, 0, 0, 1, 1, 1, 1]]
    assert potentials.grad.tolist() == [[0, 0, 1, 1, 1, 1, 0]]


def test_the_filter_by_a_loop():
    noise = torch.Generator().manual_seed(0)
    inputs = torch.randn(12, 3, 2, generator=noise, dtype=torch.float64)
    bases = torch.randn(3, 5, generator=noise)
    found = causal_filter(inputs, bases)
    for t in range(12):
        expected = sum(bases[k, t - s] * inputs[s, k] for k in range(3) for s in range(max(0, t - 4), t + 1))
        torch.testing.assert_close(found[t], torch.as_tensor(expected).double().expand(2))


def test_probabilities_and_the_kullback_leibler_divergence_they_give():
    logits = torch.tensor([-30.0, -1.0, 0.5, 40.0], dtype=torch.float64)
    ones, zeros = (bernoulli_log_prob(logits, torch.full_like(logits, z)) for z in (1.0, 0.0))
    torch.testing.assert_close(ones.exp() + zeros.exp(), torch.ones_like(logits))
    p = 1 / (1 + math.exp(-0.5))
    assert ones[2].item() == pytest.approx(math.log(p))
    assert zeros[0].item() == pytest.approx(0, abs=1e-12)
    assert ones.isfinite().all()


def test_information_is_the_log_ratio_of_the_two_probabilities():
    logits = torch.tensor([-2.0, 0.0, 1.5], dtype=torch.float64)
    p, rate = 1 / (1 + np.exp(-logits.numpy())), 0.3
    for spike, ratio in ((1.0, p / rate), (0.0, (1 - p) / (1 - rate))):
        found = bernoulli_information(logits, torch.full_like(logits, spike), rate)
        np.testing.assert_allclose(found, np.log(ratio), rtol=1e-9)
    for wrong in (0, 1, -0.1, 1.1, math.nan):
        with pytest.raises(InputError, match=rf"Expected `rate` in \(0, 1\), got {wrong}"):
            bernoulli_information(logits, torch.zeros(3), wrong)
    assert bernoulli_information(logits, torch.ones(3), 1e-3).isfinite().all()


def test_the_papers_constants_and_a_single_step():
    spikes = (torch.rand(9, 4, generator=torch.Generator().manual_seed(0)) < 0.5).double()
    assert torch.equal(synaptic_traces(spikes), synaptic_traces(spikes, synapse=0.85, membrane=0.9))
    assert torch.equal(refractory_spikes(spikes - 0.2), refractory_spikes(spikes - 0.2, refractory=0.65))
    assert synaptic_traces(spikes[:1]).tolist() == [[0] * 4]
    assert torch.equal(refractory_spikes(spikes[:1] - 0.5), spikes[:1])


def test_the_baseline_leaves_the_mean_gradient_as_it_is():
    """One neuron with loss c z: the gradient of c p is c p (1 - p)."""
    logit = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    p, c, draws = torch.sigmoid(torch.tensor(0.4)).item(), 1.7, 200_000
    z = (torch.rand(2, draws, generator=torch.Generator().manual_seed(0)) < p).double()
    spikes = z[None, :, :, None]
    logits = logit.expand(spikes.shape)
    (gradient,) = torch.autograd.grad(
        score_function_loss(c * z, torch.zeros_like(spikes), logits, spikes), logit, retain_graph=True
    )
    # Without slopes each pair gives c (z1 - z2)^2 / 2: c / 2 with probability 2 p (1 - p), else 0.
    q = 2 * p * (1 - p)
    error = c / 2 * math.sqrt(q * (1 - q) / draws)
    assert abs(gradient.item() - c * p * (1 - p)) < 3 * error
    # With those of this linear loss the estimate is exact.
    (gradient,) = torch.autograd.grad(score_function_loss(c * z, torch.full_like(spikes, c), logits, spikes), logit)
    assert gradient.item() == pytest.approx(c * p * (1 - p), rel=1e-6)
    # Slopes that have nothing to do with the loss, but not with this draw either, leave the mean as it is.
    noise = torch.randn(spikes.shape, generator=torch.Generator().manual_seed(1), dtype=spikes.dtype)
    single = torch.full((1, 2, draws, 1), 0.4, dtype=torch.float64, requires_grad=True)
    (gradients,) = torch.autograd.grad(score_function_loss(c * z, noise, single, spikes), single)
    each = gradients.sum((0, 1, 3)) * draws
    assert abs(each.mean().item() - c * p * (1 - p)) < 3 * each.std().item() / math.sqrt(draws)


def test_the_gradient_of_drawn_spikes_by_a_loop_over_draws():
    noise = torch.Generator().manual_seed(0)
    steps, draws, batch, neurons = 2, 3, 4, 5
    losses = torch.randn(draws, batch, generator=noise, dtype=torch.float64)
    slopes, logits = torch.randn(2, steps, draws, batch, neurons, generator=noise, dtype=torch.float64)
    spikes = (torch.rand(slopes.shape, generator=noise) < 0.5).double()
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(score_function_loss(losses, slopes, logits, spikes), logits)
    p = 1 / (1 + np.exp(-logits.detach().numpy()))
    z, slope, loss = spikes.numpy(), slopes.numpy(), losses.numpy()
    for k, b in np.ndindex(draws, batch):
        others = [j for j in range(draws) if j != k]
        a = np.mean([slope[:, j, b] for j in others], 0)
        at_mean = [loss[j, b] - (slope[:, j, b] * (z[:, j, b] - p[:, j, b])).sum() for j in others]
        unexplained = loss[k, b] - np.mean(at_mean) - (a * (z[:, k, b] - p[:, k, b])).sum()
        q = p[:, k, b]
        expected = unexplained * (z[:, k, b] - q) + a * q * (1 - q)  # of the log-probability, and of the probability
        np.testing.assert_allclose(gradient[:, k, b].numpy(), expected / (draws * batch), atol=1e-12)


def test_losses_and_slopes_of_a_graph_are_constants():
    losses, slopes = torch.ones(2, 1, requires_grad=True), torch.ones(1, 2, 1, 1, requires_grad=True)
    logits = torch.zeros(1, 2, 1, 1, requires_grad=True)
    score_function_loss(losses * 2, slopes * 3, logits, torch.ones(1, 2, 1, 1)).backward()
    assert losses.grad is None
    assert slopes.grad is None
    assert logits.grad.any()


def test_bad_input():
    for shape in ((0, 3), (3, 0), (-1, 3)):
        with pytest.raises(InputError, match=f"one bump over at least one time step, got {shape[0]} and {shape[1]}"):
            raised_cosines(*shape)
    for losses, logits in (((1, 4), (3, 1, 4, 5)), ((2, 4), (3, 2, 3, 5)), ((2, 4), (2, 4)), ((4,), (3, 4, 1, 5))):
        with pytest.raises(
            InputError, match=r"Expected losses \[K, B\] of at least two draws and logits \[T, K, B, N\]"
        ):
            score_function_loss(torch.zeros(losses), *[torch.zeros(logits)] * 3)
