"""The Frechet autoencoder distance: a network of our own that gives the published numbers."""

import os

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from snn_synth.data import MNIST, FashionMNIST, as_pixels, load_fad
from snn_synth.errors import InputError
from snn_synth.evaluation import FAD, FADNetwork
from snn_synth.functional import frechet_distance

needs_data = pytest.mark.skipif("SNN_SYNTH_DATA" not in os.environ, reason="SNN_SYNTH_DATA is not set")


def published_weights(seed=0):
    """A state dict like the published one, with the keys of a decoder."""
    noise = torch.Generator().manual_seed(seed)
    weights = {"decoder_input.bias": torch.zeros(3)}
    for place, (before, after) in enumerate([(1, 32), (32, 64), (64, 128), (128, 256)]):
        own = {
            "0.weight": 0.1 * torch.randn(after, before, 3, 3, generator=noise),
            "0.bias": torch.randn(after, generator=noise),
            "1.weight": 1 + 0.1 * torch.randn(after, generator=noise),
            "1.bias": torch.randn(after, generator=noise),
            "1.running_mean": torch.randn(after, generator=noise),
            "1.running_var": 1 + torch.rand(after, generator=noise),
            "1.num_batches_tracked": torch.tensor(7),
        }
        weights |= {f"encoder.{place}.{name}": value for name, value in own.items()}
    linear = {
        "weight": 0.1 * torch.randn(64, 1024, generator=noise),
        "bias": torch.randn(64, generator=noise),
    }
    return weights | {f"latent_layer.{name}": value for name, value in linear.items()}


def by_modules(weights, images, training):
    """The features by PyTorch's modules in the mode that is asked for."""
    network = nn.Sequential()
    for place, (before, after) in enumerate([(1, 32), (32, 64), (64, 128), (128, 256)]):
        block = nn.Sequential(nn.Conv2d(before, after, 3, 2, 1), nn.BatchNorm2d(after), nn.LeakyReLU())
        prefix = f"encoder.{place}."
        block.load_state_dict({k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)})
        network.append(block)
    with torch.no_grad():
        hidden = network.train(training)(images).flatten(1)
        return F.linear(hidden, weights["latent_layer.weight"], weights["latent_layer.bias"])


@pytest.mark.parametrize("training", [True, False])
def test_features_are_those_of_the_network_in_either_mode_in_batches_of_128(training):
    weights = published_weights()
    network = FADNetwork(weights)
    images = torch.rand(150, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    fad = FAD(network, torch.zeros(64), torch.eye(64))
    expected = torch.cat([by_modules(weights, 2 * part - 1, training) for part in images.split(128)])
    assert torch.allclose(fad.features(images, training), expected, atol=1e-4)
    assert torch.allclose(fad.features(images, training), expected, atol=1e-4), "the second time as the first"
    assert not network.training
    for name, value in network.state_dict().items():
        assert torch.equal(value, weights[name]), "measuring does not change the network"


def test_the_distance_is_frechets_between_features_of_resized_images():
    network = FADNetwork(published_weights())
    first, second = torch.rand(2, 90, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    second = second**2
    resized = [F.interpolate(x, (32, 32), mode="bilinear", antialias=True) for x in (first, second)]
    for mode in (True, False):
        features = [network(2 * x - 1, mode) for x in resized]
        moments = features[1].double().numpy().mean(0), np.cov(features[1].double().numpy(), rowvar=False)
        fad = FAD(network, *map(torch.from_numpy, moments))
        assert fad(first, mode) == pytest.approx(frechet_distance(*features).item(), rel=1e-4)
        assert fad(second, mode) == pytest.approx(0, abs=1e-3)
        assert fad(first, mode) > 0.01


def test_bad_input():
    weights = published_weights()
    with pytest.raises(InputError, match=r"weights latent_layer.bias of shape \[64\], got none"):
        FADNetwork({name: value for name, value in weights.items() if name != "latent_layer.bias"})
    with pytest.raises(InputError, match=r"latent_layer.bias of shape \[64\], got shape \[3\]"):
        FADNetwork(weights | {"latent_layer.bias": torch.zeros(3)})
    with pytest.raises(InputError, match=r"Expected finite weights latent_layer\.bias"):
        FADNetwork(weights | {"latent_layer.bias": torch.full((64,), torch.nan)})
    with pytest.raises(InputError, match=r"Expected a mean \[64\] and a covariance \[64, 64\], got \[2\] and \[2, 2\]"):
        FAD(FADNetwork(weights), torch.zeros(2), torch.eye(2))
    fad = FAD(FADNetwork(weights), torch.zeros(64), torch.eye(64))
    with pytest.raises(InputError, match=r"at least two images of shape \[n, 1, H, W\], got \[1, 1, 28, 28\]"):
        fad(torch.zeros(1, 1, 28, 28))
    with pytest.raises(InputError, match=r"Expected values in \[0, 1\], got 0 to 2"):
        fad(torch.tensor([0.0, 2.0]).view(2, 1, 1, 1))


@pytest.mark.slow
@needs_data
@pytest.mark.parametrize(
    ("name", "images", "batch_statistics", "test", "train"),
    [
        ("mnist", MNIST, True, 0.03, 4.55),
        ("mnist", MNIST, False, 0.59, 4.73),
        ("fashion_mnist", FashionMNIST, True, 0.006, 0.87),
        ("fashion_mnist", FashionMNIST, False, 0.43, 1.32),
    ],
)
def test_real_images_have_the_distances_that_were_measured_independently(name, images, batch_statistics, test, train):
    fad = load_fad(name)
    assert fad(as_pixels(images(train=False).images), batch_statistics) == pytest.approx(test, abs=0.005)
    first = as_pixels(images(train=True).images[:5_000])
    assert fad(first, batch_statistics) == pytest.approx(train, abs=0.005)
