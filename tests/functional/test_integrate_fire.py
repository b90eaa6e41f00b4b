import math

import numpy as np
import pytest
import torch

from snn_synth import kernels
from snn_synth.errors import InputError
from snn_synth.functional import if_spike_times
from snn_synth.kernels.cpu import integrate_fire
from tests.kernels.guarded import walls

T = 20


def neurons(batch=30, inputs=12, outputs=15):
    noise = torch.Generator().manual_seed(0)
    times = torch.randint(0, T + 1, (batch, inputs), generator=noise).double()
    times[0], times[1] = T, 3
    return times, torch.randn(outputs, inputs, generator=noise, dtype=torch.float64) * 0.6 + 0.2


def loop(times, weight, threshold):
    """Step by step, as the neuron is defined."""
    out = np.full((len(times), len(weight)), T, float)
    for b, sample in enumerate(times):
        for j, w in enumerate(weight):
            for t in range(T):
                if sum(w[i] for i in range(len(sample)) if sample[i] <= t) > threshold:
                    out[b, j] = min(t + 1, T)
                    break
    return out


def test_the_event_form_is_the_scalar_loop():
    times, weight = neurons()
    found = if_spike_times(times, weight, 1.0, T).numpy()
    np.testing.assert_array_equal(found, loop(times.numpy(), weight.numpy(), 1.0))
    assert 0.1 < (found == T).mean() < 0.9
    assert (found >= 1).all()


def test_equal_weights_have_a_closed_form():
    """n inputs of weight w: the neuron fires one step after input floor(theta / w) + 1."""
    times = torch.tensor([[2.0, 5.0, 9.0, 13.0, 17.0]])
    for w in (0.3, 0.4, 0.7, 1.5):
        k = math.floor(1.0 / w) + 1
        assert if_spike_times(times, torch.full((1, 5), w), 1.0, T).item() == times[0, k - 1] + 1
    assert if_spike_times(times, torch.full((1, 5), 0.2), 1.0, T).item() == T, "the threshold itself is not enough"


def test_gradients_are_the_rule_by_a_loop():
    times, weight = neurons()
    t, w = times.clone().requires_grad_(), weight.clone().requires_grad_()
    out = if_spike_times(t, w, 1.0, T)
    delta = torch.randn(out.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    out.backward(delta)
    by_weight, by_times = np.zeros(weight.shape), np.zeros(times.shape)
    for b, j, i in np.ndindex(*out.shape, times.shape[1]):
        if times[b, i] < out[b, j]:
            by_weight[j, i] -= delta[b, j]
            by_times[b, i] += delta[b, j] * weight[j, i]
    np.testing.assert_allclose(w.grad, by_weight, atol=1e-12)
    np.testing.assert_allclose(t.grad, by_times, atol=1e-12)


def test_smoothed_gradients_are_the_rule_by_a_loop():
    times, weight = neurons()
    t, w = times.clone().requires_grad_(), weight.clone().requires_grad_()
    out = if_spike_times(t, w, 1.0, T, smoothing=3.0)
    delta = torch.randn(out.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    out.backward(delta)
    out = out.detach()
    by_weight, by_times, steep = np.zeros(weight.shape), np.zeros(times.shape), 0
    for b, j in np.ndindex(*out.shape):
        k = [math.exp(-(out[b, j] - 1 - s) / 3) / 3 if s < out[b, j] else 0 for s in times[b]]
        slope = max(sum(weight[j, i] * k[i] for i in range(12)), 0.3 / 3)
        steep += slope > 0.3 / 3
        for i in range(12):
            by_weight[j, i] -= delta[b, j] * (k[i] > 0) / slope
            by_times[b, i] += delta[b, j] * weight[j, i] * k[i] / slope
    assert 100 < steep < 400, "slopes at their least and above it"
    np.testing.assert_allclose(w.grad, by_weight, atol=1e-12)
    np.testing.assert_allclose(t.grad, by_times, atol=1e-12)


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def guarded(request, monkeypatch):
    with walls(request.param, monkeypatch, integrate_fire):
        yield


def test_neurons_of_the_kernel_fire_at_their_own_time_however_many_have_fired_before(guarded):
    times, weight = torch.tensor([[2.0, 5.0, T - 1, T]]), 2 * torch.eye(4)[[1, 0, 0, 2, 3]]
    with kernels.use("numba"):
        assert kernels.if_spike_times(times, weight, 1.0, T).tolist() == [[6, 3, 3, T, T]]


def test_inputs_of_one_step_arrive_together_also_if_there_are_no_others(guarded):
    times, weight = torch.full((3, 4), 3.0), torch.full((2, 4), 0.5)
    with kernels.use("numba"):
        assert (kernels.if_spike_times(times, weight, 1.0, T) == 4).all()
        assert (kernels.if_spike_times(times, weight, 2.0, T) == T).all(), "the threshold itself is not enough"


@pytest.mark.parametrize("threshold", [1.0, 0.75, 1.5])
@pytest.mark.parametrize("smoothing", [None, 5.0])
def test_kernels_give_the_reference_path(smoothing, threshold, guarded):
    times, weight = neurons(batch=40, inputs=60, outputs=33)
    weight = ((weight - 0.2) * 64).round() / 64  # sums are exact in any order, so no crossing is moved
    results = []
    for path in ("numba", "reference"):
        t, w = (x.float().requires_grad_() for x in (times, weight))
        with kernels.use(path):
            out = kernels.if_spike_times(t, w, threshold, T, smoothing)
        (out.square() * torch.arange(33)).sum().backward()
        results.append((out.detach(), t.grad, w.grad))
    assert torch.equal(results[0][0], results[1][0])
    assert 0.1 < (results[0][0] == T).float().mean() < 0.9
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=2e-3, atol=1e-3)  # slopes are differences


def test_without_a_length_a_code_has_256_steps():
    times, weight = torch.tensor([[200.0, 255.0, 256.0]]), torch.tensor([[0.6, 0.6, 1.0], [0.6, 0.3, 1.0]])
    assert if_spike_times(times, weight).tolist() == [[256, 256]]
    assert if_spike_times(times[:, :2], 2 * weight[:, :2]).tolist() == [[201, 201]]
    with pytest.raises(InputError, match=r"Expected whole spike times in \[0, 256\], got 257.0 to 257.0"):
        if_spike_times(torch.tensor([[257.0]]), torch.ones(1, 1))


def test_an_input_of_the_last_step_makes_a_neuron_silent_with_a_gradient():
    """It fires at T, which means never; the rule still says which inputs came before."""
    times = torch.tensor([[2.0, T - 1.0, T]], requires_grad=True)
    weight = torch.tensor([[0.6, 0.7, 0.8]], requires_grad=True)
    out = if_spike_times(times, weight, 1.0, T)
    assert out.item() == T
    out.backward()
    assert weight.grad.tolist() == [[-1, -1, 0]]
    torch.testing.assert_close(times.grad, torch.tensor([[0.6, 0.7, 0.0]]))


def test_the_least_smoothing_is_a_share_of_the_steps():
    times, weight = torch.tensor([[3.0]], requires_grad=True), torch.tensor([[2.0]], requires_grad=True)
    if_spike_times(times, weight, 1.0, T, smoothing=T / 64).backward()
    assert weight.grad.item() == pytest.approx(-T / 64 / 2), "one input: the slope is w / tau"
    assert times.grad.item() == pytest.approx(1)
    with pytest.raises(InputError, match=r"at least 0\.3125, T / 64, got 0\.3124"):
        if_spike_times(times, weight, 1.0, T, smoothing=0.3124)
    with pytest.raises(InputError, match=r"at least 0\.3125, T / 64, got nan"):
        if_spike_times(times, weight, 1.0, T, smoothing=math.nan)


@pytest.mark.parametrize("shape", [(0, 3, 2), (2, 0, 3)])
def test_no_samples_and_no_inputs(shape):
    batch, inputs, outputs = shape
    found = if_spike_times(torch.zeros(batch, inputs), torch.ones(outputs, inputs), 1.0, T)
    assert found.shape == (batch, outputs)
    assert (found == T).all()


def test_more_weight_never_delays():
    times, weight = neurons()
    found = if_spike_times(times, weight, 1.0, T)
    assert (if_spike_times(times, weight + 0.1, 1.0, T) <= found).all()


def test_the_order_of_simultaneous_inputs_does_not_matter():
    times, weight = neurons()
    order = torch.randperm(12, generator=torch.Generator().manual_seed(2))
    found = if_spike_times(times[1:2], weight, 1.0, T)
    assert torch.equal(if_spike_times(times[1:2], weight[:, order], 1.0, T), found)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (torch.tensor([[-1.0]]), r"Expected whole spike times in \[0, 20\], got -1.0 to -1.0"),
        (torch.tensor([[21.0]]), r"Expected whole spike times in \[0, 20\], got 21.0"),
        (torch.tensor([[0.5]]), r"Expected whole spike times in \[0, 20\], got 0.5"),
        (torch.tensor([[torch.nan]]), r"Expected whole spike times in \[0, 20\], got nan"),
        (torch.zeros(1, 1).double(), "one dtype, got torch.float64 and torch.float32"),
        (torch.zeros(1, 2), r"got \[1, 2\] and \[1, 1\]"),
    ],
)
def test_bad_input(times, message):
    with pytest.raises(InputError, match=message):
        if_spike_times(times, torch.ones(1, 1), 1.0, T)


def test_a_threshold_of_zero_and_a_smoothing_of_almost_nothing_are_refused():
    with pytest.raises(InputError, match=r"Expected `smoothing` to be at least 0.3125, T / 64, got 0.1"):
        if_spike_times(torch.zeros(1, 1), torch.ones(1, 1), 1.0, T, smoothing=0.1)
    with pytest.raises(InputError, match="Expected `threshold` to be positive, got 0"):
        if_spike_times(torch.zeros(1, 1), torch.ones(1, 1), 0, T)
