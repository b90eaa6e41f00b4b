import math

import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.functional import (
    homeostatic_loss,
    normalize_gradient,
    normalized_timing_loss,
    relative_targets,
    softmax_timing_loss,
)


@pytest.mark.parametrize("advance", [0.0, 4.0])
def test_relative_targets_by_their_rules(advance):
    noise = torch.Generator().manual_seed(0)
    times = torch.randint(0, 21, (200, 5), generator=noise).double()
    times[:5], labels = 20, torch.randint(0, 5, (200,), generator=noise)
    found = relative_targets(times, labels, 3.0, advance, 20).numpy()
    for row, label, due in zip(times.tolist(), labels.tolist(), found, strict=True):
        first = min(row)
        for j, t in enumerate(row):
            if first == 20:
                expected = 17 if j == label else 20
            elif j == label:
                expected = max(first - advance, 0)
            else:
                expected = min(first + 3, 20) if t - first < 3 else t
            assert due[j] == expected


def test_a_right_winner_is_left_alone_by_s4nn_and_pulled_by_the_aggressive_loss():
    times, label = torch.tensor([[5.0, 9.0, 20.0]]), torch.tensor([0])
    for advance, pull in ((0.0, 0.0), (2.0, 1.0)):
        t = times.clone().requires_grad_()
        normalized_timing_loss(t, relative_targets(times, label, 3.0, advance, 20), 20).backward()
        assert t.grad.tolist() == [[pull, 0, 0]]


def test_directions_of_errors_have_the_length_of_a_sample_share():
    noise = torch.Generator().manual_seed(0)
    times, targets = torch.rand(2, 6, 4, generator=noise, dtype=torch.float64).unbind()
    targets[2] = times[2]
    t = times.clone().requires_grad_()
    loss = normalized_timing_loss(normalize_gradient(3 * t), 3 * targets, 10)
    loss.backward()
    error = times - targets
    expected = 3 * (error / error.norm(dim=1, keepdim=True)).nan_to_num() / 6
    torch.testing.assert_close(t.grad, expected)
    assert loss.item() == pytest.approx((3 * error).norm(dim=1).mean().item() / 10)


def test_a_gradient_too_small_for_a_length_is_none():
    """Squares of 1e-30 are 0 in float32: it would have no length to be divided by."""
    x = torch.zeros(3, 2, requires_grad=True)
    (normalize_gradient(x) * torch.tensor([[1e-30, 1e-30], [0.0, 0.0], [3e-9, 4e-9]])).sum().backward()
    torch.testing.assert_close(x.grad, torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.2, 0.8 / 3]]))


def test_errors_below_the_least_keep_their_size():
    times = torch.tensor([[3.0, 5.0], [0.1, 0.2]], requires_grad=True)
    normalized_timing_loss(times, torch.zeros(2, 2), 10, least=2.0).backward()
    expected = torch.stack([torch.tensor([3.0, 5.0]) / 34**0.5, torch.tensor([0.1, 0.2]) / 2]) / 2
    torch.testing.assert_close(times.grad, expected)


def test_without_a_least_small_errors_pull_as_much_as_large_ones():
    times = torch.tensor([[0.3, 0.4], [30.0, 40.0]], requires_grad=True)
    normalized_timing_loss(times, torch.zeros(2, 2)).backward()
    torch.testing.assert_close(times.grad, torch.tensor([[0.6, 0.8], [0.6, 0.8]]) / 2)


@pytest.mark.parametrize("temperature", [0.5, 4.0])
def test_the_softmax_prefers_early_neurons(temperature):
    times = torch.tensor([[3.0, 7.0, 20.0], [9.0, 9.0, 9.0]], dtype=torch.float64)
    likely = [math.exp(-7 / temperature) / sum(math.exp(-t / temperature) for t in (3, 7, 20)), 1 / 3]
    expected = -sum(math.log(p) for p in likely) / 2
    assert softmax_timing_loss(times, torch.tensor([1, 2]), temperature).item() == pytest.approx(expected)


def test_without_a_temperature_eight_steps_are_e_times_as_likely():
    times = torch.tensor([[3.0, 11.0]], dtype=torch.float64)
    assert softmax_timing_loss(times, torch.tensor([0])).item() == pytest.approx(math.log(1 + math.exp(-1)))


def test_homeostasis_lifts_the_weights_of_late_neurons_alone():
    times = torch.tensor([[20.0, 2.0, 10.0], [20.0, 4.0, 10.0]])
    weight = torch.randn(3, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss = homeostatic_loss(times, weight, 0.5, 20)
    loss.backward()
    expected = -torch.tensor([1.0, 0.15, 0.5]) + 0.5
    torch.testing.assert_close(weight.grad, expected[:, None].expand(3, 5))
    assert loss.item() == pytest.approx((expected[:, None] * weight).sum().item(), rel=1e-5)


def test_a_margin_may_be_all_the_steps_but_no_more():
    times, label = torch.tensor([[5.0, 9.0, 20.0]]), torch.tensor([0])
    assert relative_targets(times, label, 20, num_steps=20).tolist() == [[5, 20, 20]]
    assert relative_targets(times, label, 0.5, num_steps=20).tolist() == [[5, 9, 20]]
    for margin, advance in ((0, 0), (-0.5, 0), (20.5, 0), (3, -0.5)):
        with pytest.raises(InputError, match=f"T = 20 and an `advance` of at least 0, got {margin} and {advance}"):
            relative_targets(times, label, margin, advance, 20)


@pytest.mark.parametrize("labels", [[0, 3], [-1, 0], [0], [[0], [0]]])
def test_labels_that_are_no_outputs_are_named(labels):
    with pytest.raises(InputError, match=r"a label below C of each sample, got \[2, 3\] and labels \[.*up to [0-3]$"):
        relative_targets(torch.ones(2, 3), torch.tensor(labels))
    with pytest.raises(InputError, match=r"Expected times \[B, C\] .*got \[2\] and labels \[0\] up to None"):
        relative_targets(torch.ones(2), torch.tensor([], dtype=torch.int64))


def test_labels_of_the_first_and_the_last_output():
    times = torch.tensor([[4.0, 9.0, 9.0]]).expand(2, 3)
    assert relative_targets(times, torch.tensor([0, 2])).tolist() == [[4, 9, 9], [7, 9, 4]]


def test_without_a_length_a_code_has_256_steps():
    times, weight = torch.tensor([[256.0, 64.0]]), torch.ones(2, 1, dtype=torch.float64)
    assert relative_targets(times[:, :1], torch.tensor([0])).item() == 256 - 3
    assert normalized_timing_loss(times, torch.zeros(1, 2)).item() == pytest.approx(17**0.5 / 4)
    assert homeostatic_loss(times.double(), weight, 0.5).item() == -0.5 + 0.25


def test_homeostasis_may_wish_for_the_first_and_the_last_step():
    times, weight = torch.tensor([[4.0, 2.0]]), torch.ones(2, 1)
    for goal in (0, 1):
        assert homeostatic_loss(times, weight, goal, 8).item() == 2 * goal - 0.75
    for goal in (-0.01, 1.01, math.nan):
        with pytest.raises(InputError, match=rf"Expected `goal` in \[0, 1\], got {goal}"):
            homeostatic_loss(times, weight, goal)


def test_bad_temperatures_and_times():
    with pytest.raises(InputError, match="Expected `temperature` to be positive, got 0"):
        softmax_timing_loss(torch.zeros(1, 2), torch.zeros(1).long(), 0)
    for late in (math.inf, math.nan):
        with pytest.raises(InputError, match="Expected finite times, got inf or NaN"):
            softmax_timing_loss(torch.tensor([[1.0, late]]), torch.zeros(1).long())
