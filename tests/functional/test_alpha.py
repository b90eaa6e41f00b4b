import math

import numpy as np
import pytest
import torch
from scipy.special import lambertw

from snn_synth import functional, kernels
from snn_synth.errors import InputError
from snn_synth.functional import alpha_spike_times, lambert_w0
from snn_synth.kernels.cpu import alpha
from tests.kernels.guarded import walls

K, THETA = 1.3, 0.8


def neurons(batch=8, inputs=12, outputs=20, seed=0):
    """Random inputs, some of them silent, some at the same time, and weights of which some are inhibitory."""
    noise = torch.Generator().manual_seed(seed)
    times = torch.rand(batch, inputs, generator=noise, dtype=torch.float64)
    times[0, 3], times[2, 4] = torch.inf, times[2, 5]
    times[1] = torch.inf
    return times, torch.randn(outputs, inputs, generator=noise, dtype=torch.float64) * 0.8 + 0.3


def simulate(times, weight, step=5e-6, until=3.0):
    """The first grid point at which V reaches the threshold; inf if there is none."""
    grid = np.arange(0, until, step)
    delay = grid[:, None] - np.where(np.isfinite(times), times, until)
    membrane = np.where(delay > 0, delay * np.exp(-K * delay), 0) @ weight
    hit = membrane >= THETA
    return grid[hit.argmax()] if hit.any() else np.inf


def test_lambert_is_scipys():
    z = torch.linspace(-1 / math.e + 1e-12, 0, 20_001, dtype=torch.float64)
    torch.testing.assert_close(lambert_w0(z), torch.from_numpy(lambertw(z.numpy()).real), rtol=1e-9, atol=1e-12)
    assert lambert_w0(torch.tensor([-1.0])).item() == -1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_lambert_at_its_ends(dtype):
    """Steps of one rounding error around -1/e, where W rises like a root; and down to the least numbers below 0."""
    eps = torch.finfo(dtype).eps
    z = -1 / math.e + eps / 4 * torch.arange(-40, 200, dtype=dtype)
    found = lambert_w0(z)
    assert ((found >= -1) & (found <= 0)).all()
    expected = lambertw(z.double().clamp(min=-1 / math.e).numpy()).real
    torch.testing.assert_close(found.double(), torch.from_numpy(expected).nan_to_num(-1), rtol=0, atol=3 * eps**0.5)
    small = -torch.logspace(-30, -3, 28, dtype=dtype)
    np.testing.assert_allclose(lambert_w0(small).numpy(), lambertw(small.double().numpy()).real, rtol=10 * eps)
    assert lambert_w0(torch.tensor([-2.0, -1e30, 0.0], dtype=dtype)).tolist() == [-1, -1, 0]


def test_lambert_of_the_kernel_is_scipys():
    z = np.concatenate([np.linspace(-1 / math.e + 1e-12, 0, 2001), np.linspace(-0.2501, -0.2499, 21)])
    found = [alpha._lambert_w0.py_func(x) for x in z]
    np.testing.assert_allclose(found, lambertw(z).real, rtol=1e-9, atol=1e-12)
    assert [alpha._lambert_w0.py_func(x) for x in (-1 / math.e, -0.5, -1.0)] == [-1, -1, -1]  # below by rounding


def test_one_input_by_its_closed_form():
    one = torch.tensor([[0.3]], dtype=torch.float64)
    found = alpha_spike_times(one, torch.tensor([[4.0]], dtype=torch.float64), K, THETA)
    assert found.item() == pytest.approx(0.3 - lambertw(-K * THETA / 4).real / K, abs=1e-12)
    least = K * math.e * THETA  # the weight whose potential peaks at the threshold
    found = alpha_spike_times(one, torch.tensor([[0.999 * least], [1.001 * least]], dtype=torch.float64), K, THETA)
    assert found[0, 0] == torch.inf
    assert found[0, 1].item() == pytest.approx(1.0353489621495306, abs=1e-9)


def test_without_settings_rate_and_threshold_are_one_and_derivatives_have_no_limit():
    times, least = torch.tensor([[0.0]], dtype=torch.float64), math.e
    weight = torch.tensor([[2 * least], [0.999 * least], [least * (1 + 1e-9)]], dtype=torch.float64, requires_grad=True)
    found = alpha_spike_times(times, weight)
    assert found[0, 0].item() == pytest.approx(-lambertw(-1 / (2 * least)).real, abs=1e-12)
    assert found[0, 1] == torch.inf
    found[0, 2].backward()
    assert weight.grad[2].item() < -1000, "it only just touches"


def test_a_potential_that_reaches_the_threshold_only_just_is_enough():
    """At its peak; and where an inhibitory input turns it back."""
    one, weight = torch.zeros(1, 1, dtype=torch.float64), torch.full((1, 1), 4.0, dtype=torch.float64)
    peak = (weight / 2.0 * torch.tensor(-1.0, dtype=torch.float64).exp()).item()
    assert alpha_spike_times(one, weight, 2.0, peak).item() == pytest.approx(0.5)
    assert alpha_spike_times(one, weight, 2.0, peak * (1 + 1e-15)).item() == math.inf
    times = torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    weight = torch.tensor([[4.0, -9.0]], dtype=torch.float64)
    turned = (weight[0, 0] * torch.tensor(-0.5, dtype=torch.float64).exp()).item()
    assert alpha_spike_times(times, weight, 0.5, turned).item() == pytest.approx(1)
    assert alpha_spike_times(times, weight, 0.5, turned * (1 + 1e-15)).item() == math.inf


def test_a_peak_between_two_inputs_is_seen():
    """After x e^-x has been above 0.35, around x = 1, and before an inhibitory input at 1.5, where it is below."""
    times, weight = torch.tensor([[0.0, 1.5]], dtype=torch.float64), torch.tensor([[1.0, -9.0]], dtype=torch.float64)
    assert alpha_spike_times(times, weight, 1.0, 0.35).item() == pytest.approx(-lambertw(-0.35).real, abs=1e-12)


def test_weights_that_sum_to_nothing_or_less_never_peak():
    times = torch.tensor([[0.0, 0.0, 0.5]], dtype=torch.float64)
    weight = torch.tensor([[3.0, -3.0, 0.0], [-3.0, 1.0, -1.0], [3.0, -3.0, 9.0]], dtype=torch.float64)
    found = alpha_spike_times(times, weight, K, THETA)[0]
    expected = 0.5 - lambertw(-K * THETA / 9).real / K
    assert found.tolist() == [math.inf, math.inf, pytest.approx(expected, abs=1e-12)]


def test_times_may_lie_as_far_apart_as_their_exponentials_allow():
    rate = 0.9 * math.log(torch.finfo(torch.float32).max)
    for times, rates in (([[0.0, 1.0]], rate), ([[5.0, 6.0], [torch.inf] * 2], rate), ([[3.0, torch.inf]], 1e6)):
        assert alpha_spike_times(torch.tensor(times), torch.full((1, 2), 1e8), rates).isfinite().any()
    with pytest.raises(InputError, match=r"within 1 of each other, .* of 79\.8506, got 1\.25"):
        alpha_spike_times(torch.tensor([[0.0, 1.25]]), torch.ones(1, 2), rate)


@pytest.mark.parametrize("path", ["numba", "reference"])
def test_silent_inputs_and_samples_have_no_part_in_fast_potentials(path):
    """exp(-300) is nothing: times count from the last input that fires."""
    silent = torch.inf
    times = torch.tensor([[0.25, silent], [silent, silent], [silent, 0.0], [0.5, 0.5]], requires_grad=True)
    weight = torch.tensor([[4000.0, 2000.0]], requires_grad=True)
    with kernels.use(path):
        found = kernels.alpha_spike_times(times, weight, 300.0, 0.5)
        found[[0, 2]].sum().backward()
    expected = [0.25 - lambertw(-300 * 0.5 / 4000).real / 300, math.inf, -lambertw(-300 * 0.5 / 2000).real / 300]
    assert found.flatten().tolist()[:3] == pytest.approx(expected, rel=1e-5)
    wanted = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    torch.testing.assert_close(times.grad, wanted, rtol=1e-4, atol=0)
    assert (weight.grad < 0).all()


@pytest.mark.parametrize("shape", [(0, 3, 2), (2, 0, 3)])
def test_no_samples_and_no_inputs(shape):
    batch, inputs, outputs = shape
    times, weight = torch.zeros(batch, inputs, requires_grad=True), torch.ones(outputs, inputs, requires_grad=True)
    found = alpha_spike_times(times, weight)
    assert found.shape == (batch, outputs)
    assert found.isinf().all()
    torch.where(found.isfinite(), found, 0).sum().backward()
    assert times.grad.shape == times.shape
    assert (weight.grad == 0).all()


def test_an_infinite_error_of_a_silent_neuron_moves_nothing():
    times, weight = (x.requires_grad_() for x in neurons())
    found = alpha_spike_times(times, weight, K, THETA, 5.0)
    assert found.isinf().any()
    found.square().sum().backward()
    assert times.grad.isfinite().all()
    assert weight.grad.isfinite().all()


def test_both_derivatives_are_clipped_each_by_itself():
    """Of an input at 0.3: by its weight as the quotient of differences says, by its time 1 at most."""
    times = torch.tensor([[0.3, 0.4]], dtype=torch.float64, requires_grad=True)
    weight = torch.tensor([[1.0, 6.0]], dtype=torch.float64, requires_grad=True)
    free = torch.autograd.grad(alpha_spike_times(times, weight, K, THETA).sum(), (times, weight))
    assert 0.1 < free[0].abs().min() < 0.2 < 0.8 < free[0].abs().max()
    for limit in (0.02, 0.2, 5.0):
        found = torch.autograd.grad(-3 * alpha_spike_times(times, weight, K, THETA, limit).sum(), (times, weight))
        for one, other in zip(found, free, strict=True):
            torch.testing.assert_close(one, -3 * other.clamp(-limit, limit))


def test_times_are_those_of_a_dense_simulation():
    times, weight = neurons(outputs=6)
    found = alpha_spike_times(times, weight, K, THETA)
    silent = 0
    for sample, row in zip(times.numpy(), found.numpy(), strict=True):
        for w, time in zip(weight.numpy(), row, strict=True):
            expected = simulate(sample, w)
            silent += np.isinf(expected)
            assert expected == pytest.approx(time, abs=1e-5)
    assert 10 < silent < 40, "both kinds of neurons are there"


@pytest.fixture(params=[1, 2, 3], ids=["one thread", "two threads", "three threads"])
def guarded(request, monkeypatch):
    with walls(request.param, monkeypatch, alpha):
        yield


@pytest.mark.parametrize("clip", [None, 0.5])
@pytest.mark.parametrize(("outputs", "spread", "gain"), [(30, 1, 1), (31, 6, 4), (2, 6, 4)])
def test_kernels_give_the_reference_path(clip, outputs, spread, gain, guarded):
    """Far apart and with large weights, neurons fire at a first input, and between two."""
    times, weight = (x.float() for x in neurons(outputs=outputs))
    times, weight = spread * times, gain * weight
    results = []
    for path, dtype in (("numba", torch.float32), ("reference", torch.float64)):
        t, w = (x.to(dtype, copy=True).requires_grad_() for x in (times, weight))
        with kernels.use(path):
            out = kernels.alpha_spike_times(t, w, K, THETA, clip)
        fired = out.isfinite()
        torch.where(fired, out, 0).square().sum().backward()
        results.append((out.double(), t.grad.double(), w.grad.double()))
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_neurons_fire_at_their_own_time_however_many_have_fired_before(guarded):
    times, weight = torch.tensor([[0.1, 2.0, 5.0]]), 8 * torch.eye(3)[[1, 0, 0, 2]]
    with kernels.use("numba"):
        found = kernels.alpha_spike_times(times, weight, K, THETA)
    rise = -lambertw(-K * THETA / 8).real / K
    np.testing.assert_allclose(found[0], [2 + rise, 0.1 + rise, 0.1 + rise, 5 + rise], rtol=1e-6)


def test_a_potential_that_just_reaches_the_threshold_fires(guarded):
    """At its peak, or where the next input, which inhibits, arrives."""
    with kernels.use("numba"):
        for threshold, expected in ((2 * math.exp(-1), 0.5), (math.nextafter(2 * math.exp(-1), 1), math.inf)):
            found = kernels.alpha_spike_times(torch.zeros(1, 1), torch.tensor([[4.0]]), 2.0, threshold)
            assert found.item() == pytest.approx(expected, rel=1e-6)
        for threshold, expected in ((math.exp(-0.5), 0.25), (math.nextafter(math.exp(-0.5), 1), math.inf)):
            found = kernels.alpha_spike_times(torch.tensor([[0, 0.25]]), torch.tensor([[4.0, -100]]), 2.0, threshold)
            assert found.item() == pytest.approx(expected, rel=1e-6)


def test_no_more_inputs_are_looked_at_than_there_are(guarded):
    order, t = torch.zeros(3, 1, dtype=torch.int64), torch.zeros(3, 1, dtype=torch.float64)
    weight = torch.tensor([[8.0, -1.0]])
    first, out, slope = alpha.forward(order, t, torch.ones(3, dtype=torch.int64), weight, K, THETA)
    assert first.tolist() == [[0, -1]] * 3
    by_time = np.full(5, np.nan)  # the first and the last of which are nobody's
    arrays = (x.numpy() for x in (first, out, slope, torch.ones(3, 2)))
    places = np.zeros((1, 2), np.float32), by_time[1:-1].reshape(1, 3, 1)
    alpha._backward(1, order.numpy(), t.numpy(), weight.numpy(), K, math.inf, *arrays, 1, *places)
    np.testing.assert_allclose(by_time[1:-1], 1)  # a neuron is as late as its only input
    assert np.isnan(by_time[[0, -1]]).all()


def test_gradients_by_differences():
    noise = torch.Generator().manual_seed(1)
    times = torch.rand(3, 6, generator=noise, dtype=torch.float64).requires_grad_()
    weight = (torch.rand(4, 6, generator=noise, dtype=torch.float64) + 0.5).requires_grad_()
    assert alpha_spike_times(times, weight, K, THETA).isfinite().all()
    assert torch.autograd.gradcheck(
        lambda t, w: alpha_spike_times(t, w, K, THETA), (times, weight), eps=1e-6, atol=1e-5
    )


def test_shifting_all_inputs_shifts_the_outputs_and_their_scale_leaves_them():
    times, weight = neurons(seed=2)
    found = alpha_spike_times(times, weight, K, THETA)
    torch.testing.assert_close(alpha_spike_times(times + 0.7, weight, K, THETA), found + 0.7)
    torch.testing.assert_close(alpha_spike_times(times, 3 * weight, K, 3 * THETA), found)
    torch.testing.assert_close(alpha_spike_times(times / 3, weight, 3 * K, THETA / 3), found / 3)


def test_gradients_of_the_invariances():
    """sum_i dt/dt_i = 1, and sum_i w_i dt/dw_i = -theta dt/dtheta."""
    times, weight = neurons(outputs=40, seed=3)
    times = times[3:4]
    fired = alpha_spike_times(times, weight, K, THETA).isfinite()[0]
    for w in weight[fired][:10]:
        t, w = times.clone().requires_grad_(), w[None].clone().requires_grad_()
        alpha_spike_times(t, w, K, THETA).backward()
        assert t.grad.sum().item() == pytest.approx(1, abs=1e-9)
        step = 1e-6
        up, down = (alpha_spike_times(times, w.detach(), K, THETA + d).item() for d in (step, -step))
        assert (w * w.grad).sum().item() == pytest.approx(-THETA * (up - down) / (2 * step), rel=1e-4)


def test_late_inputs_and_silent_neurons_have_no_gradient():
    times = torch.tensor([[0.1, 5.0]], dtype=torch.float64, requires_grad=True)
    weight = torch.tensor([[8.0, 8.0], [-1.0, -1.0]], dtype=torch.float64, requires_grad=True)
    found = alpha_spike_times(times, weight, K, THETA)
    assert found[0, 0] < 5
    assert found[0, 1] == torch.inf
    (found[0] * torch.tensor([1.0, 1.0])).sum().backward()
    assert times.grad[0, 1] == 0
    assert (weight.grad[:, 1] == 0).all()
    assert (weight.grad[1] == 0).all()
    assert weight.grad[0, 0] < 0, "more weight, earlier spike"


@pytest.mark.parametrize("path", ["numba", "reference"])
def test_gradients_of_a_neuron_that_its_first_input_fires(path):
    """By the closed form of one input; the second comes too late to count, and the other sample has one input alone."""
    times = torch.tensor([[0.9, 0.3], [0.3, torch.inf]], requires_grad=True)
    weight = torch.tensor([[3.0, 4.0]], requires_grad=True)
    with kernels.use(path):
        found = kernels.alpha_spike_times(times, weight, K, THETA)
    found.sum().backward()
    by_weight = []
    for w, time in zip((4, 3), found.flatten().tolist(), strict=True):
        lambert = lambertw(-K * THETA / w).real
        assert time == pytest.approx(0.3 - lambert / K, rel=1e-6)
        by_weight.append(lambert / K / (w * (1 + lambert)))
    torch.testing.assert_close(times.grad, torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    torch.testing.assert_close(weight.grad, torch.tensor([by_weight[::-1]]), check_dtype=False)


@pytest.mark.parametrize("path", ["numba", "reference"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_gradient_of_a_potential_that_only_touches_the_threshold_is_clipped(path, dtype):
    """One input: V touches the threshold where w = K e theta; close to it 1 + W becomes 0 by rounding."""
    touching = K * math.e * THETA
    found = []
    for change in torch.linspace(-3e-7, 3e-7, 601, dtype=torch.float64):
        weight = torch.tensor([[touching * (1 + change.item())], [4.0]], dtype=dtype, requires_grad=True)
        times = torch.tensor([[0.3]], dtype=dtype, requires_grad=True)
        with kernels.use(path):
            out = kernels.alpha_spike_times(times, weight, K, THETA, clip=300.0)
            if out.isinf().any():
                continue
            out.sum().backward()
        found += [weight.grad[0], times.grad[0]]
    assert len(found) > 100
    assert torch.cat(found).isfinite().all()
    assert torch.cat(found).abs().max() <= 600


def test_times_far_apart_do_not_overflow():
    times = torch.tensor([[900.0, 901.0]])
    found = alpha_spike_times(times, torch.tensor([[4.0, 4.0]]), K, THETA)
    early = alpha_spike_times(times - 900, torch.tensor([[4.0, 4.0]]), K, THETA)
    torch.testing.assert_close(found - 900, early, rtol=1e-4, atol=1e-4)


def test_a_batch_in_which_nothing_fires():
    for path in ("numba", "reference"):
        with kernels.use(path):
            found = kernels.alpha_spike_times(torch.full((2, 3), torch.inf), torch.ones(4, 3), K, THETA)
        assert found.shape == (2, 4)
        assert found.isinf().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"times": torch.tensor([[-0.5]])}, "Expected spike times of at least 0 .*got -0.5"),
        ({"times": torch.tensor([[torch.nan]])}, "Expected spike times of at least 0 .*got NaN"),
        ({"times": torch.zeros(1, 2)}, r"got \[1, 2\] and \[1, 1\]"),
        ({"times": torch.zeros(1, 1).double()}, "one dtype, got torch.float64 and torch.float32"),
        (
            {"times": torch.tensor([[0.0, 60.0]]), "weight": torch.ones(1, 2), "decay_rate": 2.0},
            "within 39.93 of each other, .* of 2, got 60",
        ),
        ({"times": torch.zeros(1)}, r"got \[1\] and \[1, 1\]"),
        ({"weight": torch.zeros(1)}, r"got \[1, 1\] and \[1\]"),
        ({"decay_rate": 0.0}, "Expected `decay_rate` to be positive, got 0.0"),
        ({"threshold": -1.0}, "Expected `threshold` to be positive, got -1.0"),
        ({"clip": 0.0}, "Expected `clip` to be positive, got 0.0"),
    ],
)
@pytest.mark.parametrize("function", [functional.alpha_spike_times, kernels.alpha_spike_times])
def test_bad_input(change, message, function):
    with pytest.raises(InputError, match=message):
        function(**({"times": torch.zeros(1, 1), "weight": torch.ones(1, 1)} | change))
