import pytest
import torch
import torch.nn.functional as F

from snn_synth.errors import InputError
from snn_synth.models import ESVAE
from snn_synth.models.esvae import SpikingLayer


@pytest.fixture
def vae():
    torch.manual_seed(0)
    return ESVAE(side=7, channels=(3, 4), latent=5, num_steps=6).double()


def images(count=4, side=7):
    return torch.rand(count, 1, side, side, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def fire(layer, inputs):
    """[T, B, ...] through operator, batch normalization over time and batch, and neurons, as equations."""
    currents = torch.stack([layer.operator(x) for x in inputs])
    axes = [0, 1, *range(3, currents.dim())]
    mean, variance = currents.mean(axes, keepdim=True), currents.var(axes, unbiased=False, keepdim=True)
    currents = (currents - mean) / (variance + 1e-5).sqrt()
    membrane, fired, spikes = torch.zeros_like(currents[0]), torch.zeros_like(currents[0]), []
    for now in currents:
        membrane = 0.25 * membrane * (1 - fired) + now
        fired = (membrane >= 1).to(now)
        spikes.append(fired)
    return torch.stack(spikes)


def test_rates_are_those_of_the_equations(vae):
    x = images()
    spikes = (2 * x - 1).expand(6, *x.shape)
    for layer in vae.encoder:
        spikes = fire(layer, spikes)
    expected = fire(vae.to_code, spikes.flatten(2)).mean(0)
    assert 0.05 < expected.mean() < 0.8
    torch.testing.assert_close(vae.encode(x), expected)


def test_images_are_those_of_the_equations(vae):
    code = (torch.rand(6, 3, 5, generator=torch.Generator().manual_seed(1)) < 0.5).double()
    spikes = fire(vae.from_code, code).unflatten(2, (4, 2, 2))
    for layer in vae.decoder:
        spikes = fire(layer, spikes)
    membrane = torch.zeros(3, 1, 7, 7, dtype=torch.float64)
    for now in spikes:  # the bias counts once
        membrane = 0.8 * membrane + F.conv2d(now, vae.draw.weight, padding=1)
    expected = ((membrane + vae.draw.bias).tanh() + 1) / 2
    assert expected.std() > 0.01
    torch.testing.assert_close(vae.decode(code), expected)


@pytest.mark.parametrize("side", [7, 8, 14, 28, 30])
def test_any_side_comes_back(side):
    vae = ESVAE(side, (2, 2, 2), 3, 2)
    assert vae(torch.rand(2, 1, side, side)).images.shape == (2, 1, side, side)


def test_every_weight_learns(vae):
    out = vae(images(8), torch.Generator().manual_seed(0))
    (out.images.square().sum() + vae.prior_rates(8, torch.Generator().manual_seed(0)).sum()).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in vae.parameters())


def test_a_saved_model_draws_the_same(tmp_path, vae):
    vae = vae.float()
    for _ in range(3):
        vae(images().float())  # moves what batch normalization remembers
    vae.eval().save_pretrained(tmp_path / "vae")
    again = ESVAE.from_pretrained(tmp_path / "vae").eval()
    first, second = (v.sample(5, torch.Generator().manual_seed(0)) for v in (vae, again))
    assert torch.equal(first, second)
    layer = again.encoder[0]
    assert isinstance(layer, SpikingLayer)
    assert layer.norm.running_mean.abs().sum() > 0


def test_bad_input(vae):
    for count in (-1, 2.5):
        with pytest.raises(InputError, match=f"Expected a count of at least 0, got {count}"):
            vae.sample(count)
    with pytest.raises(InputError, match=r"Expected images of shape \[B, 1, 7, 7\], got \[4, 1, 8, 8\]"):
        vae(images(side=8))
    with pytest.raises(InputError, match=r"Expected spikes of shape \[6, B, 5\], got \[5, 2, 5\]"):
        vae.decode(torch.zeros(5, 2, 5))
    with pytest.raises(InputError, match=r"got 28, \[\], 32 and 8"):
        ESVAE(channels=())
