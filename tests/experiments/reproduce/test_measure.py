import numpy as np
import pytest
import torch

from snn_synth.data import MNISTSubset
from snn_synth.experiments.reproduce.measure import image_errors, means
from snn_synth.models import AEANN
from snn_synth.training import LitAutoencoder, LitAutoencoderANN
from snn_synth.training.base import HELD_OUT
from snn_synth.training.images import image_batch
from tests.training.tiny import firing_autoencoder

IMAGES = MNISTSubset(train=False)


def z(x, axis):
    mean, std = x.mean(axis, keepdims=True), x.std(axis, keepdims=True)
    return (x - mean) / np.where(std > 0, std, np.inf)


def parts(module, samples):
    """In batches of different sizes."""
    return (image_errors(module, image_batch(IMAGES, places)) for places in torch.arange(samples).split(250))


def spiking(mask=True):
    return LitAutoencoder(firing_autoencoder(784, 20, gain=3.0), num_steps=6, mask=mask)


@pytest.mark.parametrize("mask", [True, False])
def test_errors_of_a_spiking_network_are_those_of_its_spikes(mask):
    module, batch = spiking(mask), image_batch(IMAGES, torch.arange(0, 500, 60))
    drawn, aims, found = image_errors(module, batch)
    spikes = module.encode(batch.images, batch.index, HELD_OUT).numpy()
    first, second = (weight.detach().double().numpy() for weight in module.network.parameters())
    hidden = out = fired = 0.0
    wrong, count = [], np.zeros((len(drawn), 784))
    for shown in spikes:  # equations 1 and 2
        hidden = 0.9 * hidden * (hidden < 1) + shown @ first.T
        out = 0.9 * out * (out < 1) + (hidden >= 1) @ second.T
        fired = out >= 1
        count += fired
        wrong.append(((fired != shown) if mask else (out != shown)).mean(1))
    images = batch.images.flatten(1).numpy()
    np.testing.assert_array_equal(aims, images)
    assert count.any()
    np.testing.assert_allclose(drawn, count / 6, atol=1e-6)
    np.testing.assert_allclose(found["standardized_mse"], ((z(count, 1) - z(images, 1)) ** 2).mean(1), atol=1e-4)
    np.testing.assert_allclose(found["spike_mse"], ((z(count, 1) - z(spikes.sum(0), 1)) ** 2).mean(1), atol=1e-4)
    np.testing.assert_allclose(found["error_share"], np.mean(wrong, 0), atol=1e-6)


def test_over_a_set_by_each_images_own_statistics_and_by_those_of_the_set():
    torch.manual_seed(0)
    module = LitAutoencoderANN(AEANN(784, 20, output="sigmoid"))
    found = means(parts(module, 330))
    pixels = IMAGES.images[:330].double().numpy().reshape(330, -1) / 255
    (w1, b1), (w2, b2) = (
        (p.double().detach().numpy() for p in half.parameters())
        for half in (module.network.encode, module.network.decode)
    )
    drawn = 1 / (1 + np.exp(-(np.maximum(pixels @ w1.T + b1, 0) @ w2.T + b2)))
    assert found["standardized_mse"] == pytest.approx(((z(drawn, 1) - z(pixels, 1)) ** 2).mean(), abs=1e-5)
    assert found["standardized_mse_whole_set"] == pytest.approx(
        ((z(drawn, None) - z(pixels, None)) ** 2).mean(), abs=1e-5
    )


def test_a_silent_network_scores_one_and_two():
    module = LitAutoencoder(firing_autoencoder(784, 5, gain=0.0), num_steps=2)
    found = means(parts(module, 20))
    assert found["standardized_mse"] == pytest.approx(1, abs=0.01)
    assert found["standardized_mse_whole_set"] == 2
