import numpy as np
import pytest
import torch

from snn_synth.encoding import spike_times, times_to_values
from snn_synth.errors import InputError
from snn_synth.functional import silent_penalty, timing_loss


def test_the_loss_and_its_gradient_by_a_loop():
    noise = torch.Generator().manual_seed(0)
    times, targets = torch.rand(2, 5, 7, generator=noise, dtype=torch.float64).unbind()
    times[1, 2] = times[4, :] = torch.inf
    loss = timing_loss(times.requires_grad_(), targets)
    (gradient,) = torch.autograd.grad(loss, times)
    expected, total = np.zeros((5, 7)), 0.0
    for b, k in np.ndindex(5, 7):
        if np.isfinite(times[b, k].item()):
            error = (times[b, k] - targets[b, k]).item()
            total += 0.5 * error**2 / 5
            expected[b, k] = error / 5
    assert loss.item() == pytest.approx(total, rel=1e-12)
    np.testing.assert_allclose(gradient, expected, atol=1e-15)


def test_a_layer_that_is_forced_silent_gets_the_penalty_as_its_gradient():
    weight = torch.full((3, 2), -1.0, requires_grad=True)
    (gradient,) = torch.autograd.grad(0.5 * silent_penalty(torch.full((4, 3), torch.inf), weight), weight)
    assert (gradient == -0.5).all()
    (gradient,) = torch.autograd.grad(silent_penalty(torch.tensor([[1.0, 2.0, torch.inf]] * 4), weight), weight)
    assert gradient.tolist() == [[0, 0], [0, 0], [-1, -1]]


def test_values_come_back_from_their_times():
    values = torch.rand(3, 9, generator=torch.Generator().manual_seed(0)).round(decimals=2)
    values[0, :3] = torch.tensor([0.0, 1.0, 0.5])
    times = spike_times(values)
    assert times[0, :3].tolist() == [torch.inf, 0, 0.5]
    torch.testing.assert_close(times_to_values(times), values)


def test_bad_input():
    with pytest.raises(InputError, match=r"Expected times and targets of one shape, got \[2, 3\] and \[2, 4\]"):
        timing_loss(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(InputError, match=r"Expected values in \[0, 1\], got -1 to 0"):
        spike_times(torch.tensor([-1.0, 0.0]))
