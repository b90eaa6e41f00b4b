import numpy as np
import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.functional import membrane_error, membrane_loss, membrane_losses, rate_loss
from snn_synth.learning import bptt_loss
from snn_synth.losses import masked_membrane_loss
from snn_synth.models import SpikingStack


def _case(threshold):
    generator = torch.Generator().manual_seed(0)
    membrane = 2 * threshold * torch.rand(6, 5, 40, generator=generator, dtype=torch.float64)
    membrane[0, 0, :4] = threshold  # ties: they count as spikes
    target = (torch.rand(6, 5, 40, generator=generator) < 0.4).double()
    return membrane.requires_grad_(), target


@pytest.mark.parametrize("threshold", [1.0, 0.7])
@pytest.mark.parametrize("mask", [True, False])
def test_loss_and_gradient_are_equations_5_to_9(threshold, mask):
    membrane, target = _case(threshold)
    loss = masked_membrane_loss(threshold, mask)(membrane, target)
    (gradient,) = torch.autograd.grad(loss, membrane)

    v, x = membrane.detach().numpy(), target.numpy().astype(bool)
    desired = threshold * x  # eq. 5
    xor = (x ^ (v >= threshold)) if mask else np.ones_like(x)  # eq. 6
    error = xor * (desired - v)  # eq. 7
    steps, batch, _ = v.shape
    np.testing.assert_allclose(loss.item(), 0.5 * (error**2).sum() / (steps * batch), rtol=1e-12)  # eq. 8
    np.testing.assert_allclose(gradient.numpy(), -error / (steps * batch), atol=1e-15)  # eq. 9


def test_gradient_of_one_sample_at_one_step_is_minus_the_error():
    membrane, target = _case(1.0)
    one, goal = membrane[:1, :1], target[:1, :1]
    (gradient,) = torch.autograd.grad(membrane_loss(one, goal), one)
    assert torch.equal(gradient, -membrane_error(one.detach(), goal))


def test_images_and_vectors_give_the_same_loss():
    membrane, target = _case(1.0)
    flat = membrane_loss(membrane, target)
    torch.testing.assert_close(membrane_loss(membrane.reshape(6, 5, 1, 5, 8), target.reshape(6, 5, 1, 5, 8)), flat)


@pytest.mark.parametrize("mask", [True, False])
def test_the_loss_of_each_step_and_sample_with_weights_of_neurons(mask):
    membrane, target = _case(0.7)
    weight = torch.rand(5, 8, generator=torch.Generator().manual_seed(1))
    shape = (6, 5, 5, 8)
    found = membrane_losses(membrane.view(shape), target.view(shape), 0.7, mask, weight)
    error = membrane_error(membrane, target, 0.7, mask).detach().numpy()
    expected = 0.5 * (weight.flatten().double().numpy() * error**2).sum(2)
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-12)
    with pytest.raises(InputError, match=r"a weight for each neuron, of shape \[5, 8\], got \[40\]"):
        membrane_losses(membrane.view(shape), target.view(shape), weight=weight.flatten())


def test_without_settings_errors_are_masked_at_a_threshold_of_one():
    membrane, target = torch.tensor([[[0.75, 1.25, 0.75, 1.25]]]), torch.tensor([[[1.0, 1.0, 0.0, 0.0]]])
    assert membrane_error(membrane, target).tolist() == [[[0.25, 0, 0, -1.25]]]
    assert membrane_losses(membrane, target).item() == membrane_loss(membrane, target).item() == (0.0625 + 1.5625) / 2


def test_squares_of_half_precision_do_not_overflow():
    membrane, target = torch.full((1, 1, 2), 300.0, dtype=torch.float16), torch.zeros(1, 1, 2)
    loss = membrane_loss(membrane, target)
    assert (loss.dtype, loss.item()) == (torch.float32, 300.0**2)


def test_a_learned_threshold_gets_its_gradient_through_the_target():
    membrane, target = _case(0.7)
    threshold = torch.full((40,), 0.7, dtype=torch.float64, requires_grad=True)
    membrane_loss(membrane.detach(), target, threshold).backward()
    error = membrane_error(membrane.detach(), target, 0.7)
    torch.testing.assert_close(threshold.grad, (error * target).sum((0, 1)) / 30)


def test_wrong_shapes_are_named():
    with pytest.raises(InputError, match=r"\[2, 3, 4\] and \[2, 3, 5\]"):
        membrane_loss(torch.zeros(2, 3, 4), torch.zeros(2, 3, 5))
    for shape in ((3, 4), (0, 3, 4)):
        with pytest.raises(InputError, match=rf"\[T, B, neurons...\], got \[{str(shape)[1:-1]}\] \(T >= 1\)"):
            membrane_loss(torch.zeros(shape), torch.zeros(shape))


def test_the_rate_loss_and_its_gradient_by_hand():
    generator = torch.Generator().manual_seed(0)
    spikes, target = ((torch.rand(6, 5, 8, generator=generator) < p).double() for p in (0.3, 0.6))
    loss = rate_loss(spikes.requires_grad_(), target)
    (gradient,) = torch.autograd.grad(loss, spikes)
    error = spikes.detach().numpy().mean(0) - target.numpy().mean(0)
    np.testing.assert_allclose(loss.item(), 6 / 2 * (error**2).sum() / 5, rtol=1e-12)
    np.testing.assert_allclose(gradient.numpy(), np.broadcast_to(error / 5, gradient.shape), atol=1e-15)


def test_rates_of_targets_that_cannot_be_foreseen_are_learned_by_the_rate_loss_alone():
    """Targets are spikes with a probability of 0.3, whatever the input; the paper's loss leaves such neurons silent."""
    fired = {}
    for name in ("membrane", "rate"):
        torch.manual_seed(0)
        net = SpikingStack([20, 30])
        optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
        for _ in range(400):
            spikes, targets = (torch.rand(10, 20, 20) < 0.5).float(), (torch.rand(10, 20, 30) < 0.3).float()
            optimizer.zero_grad()
            loss = rate_loss(net(spikes).spikes, targets) if name == "rate" else bptt_loss(net, spikes, targets)
            loss.backward()
            optimizer.step()
        fired[name] = net((torch.rand(10, 500, 20) < 0.5).float()).spikes.mean().item()
    assert fired["rate"] == pytest.approx(0.3, abs=0.02)
    assert fired["membrane"] < 0.15


@pytest.mark.parametrize("shapes", [((4, 2, 3), (4, 2, 4)), ((4, 2), (4, 2)), ((0, 2, 3), (0, 2, 3))])
def test_the_rate_loss_wants_equal_shapes_over_time(shapes):
    with pytest.raises(InputError, match=r"Expected spikes and target spikes of one shape \[T, B, neurons...\], got"):
        rate_loss(*(torch.zeros(shape) for shape in shapes))
