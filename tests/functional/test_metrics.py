import numpy as np
import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.functional import firing_rate, pixel_mse, spike_mse, standardize, standardized_mse, synaptic_operations
from snn_synth.metrics import SpikeMSE, StandardizedMSE


def _maps(seed, batch=7):
    return torch.rand(batch, 1, 6, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_mse_is_two_minus_twice_the_correlation():
    outputs, images = _maps(0), _maps(1)
    expected = [2 * (1 - np.corrcoef(o.flatten(), i.flatten())[0, 1]) for o, i in zip(outputs, images, strict=True)]
    np.testing.assert_allclose(standardized_mse(outputs, images).numpy(), expected, rtol=1e-12)


def test_variance_is_the_populations():
    z = standardize(_maps(2)).flatten(1).numpy()
    np.testing.assert_allclose(z.mean(1), 0, atol=1e-12)
    np.testing.assert_allclose(z.std(1, ddof=0), 1, rtol=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, 3.0, 1e8])
def test_a_constant_output_scores_one(value):
    output = torch.full((1, 784), value)
    image = torch.rand(1, 784, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(standardized_mse(output, image), torch.ones(1))


def test_gain_and_offset_do_not_matter():
    image = _maps(3)
    torch.testing.assert_close(standardized_mse(15 * image + 4, image), torch.zeros(7, dtype=torch.float64))
    torch.testing.assert_close(standardized_mse(-image, image), torch.full((7,), 4.0, dtype=torch.float64))


def test_gradient_of_a_constant_map_is_finite():
    output = torch.zeros(1, 5, requires_grad=True)
    standardized_mse(output, torch.arange(5.0)[None]).sum().backward()
    assert torch.isfinite(output.grad).all()


def test_metrics_are_means_over_all_samples_however_they_are_batched():
    outputs, images = _maps(4), _maps(5)
    metric = StandardizedMSE()
    for part in (slice(0, 5), slice(5, 7)):
        metric.update(outputs[part], images[part])
    torch.testing.assert_close(metric.compute().double(), standardized_mse(outputs, images).mean(), atol=1e-6, rtol=0)


def test_spike_mse_sums_over_time():
    spikes = (torch.rand(9, 4, 30, generator=torch.Generator().manual_seed(0)) < 0.4).float()
    shuffled = spikes[torch.randperm(9, generator=torch.Generator().manual_seed(1))]
    torch.testing.assert_close(spike_mse(shuffled, spikes), torch.zeros(4))
    metric = SpikeMSE()
    metric.update(spikes.roll(1, -1), spikes)
    torch.testing.assert_close(metric.compute(), standardized_mse(spikes.sum(0).roll(1, -1), spikes.sum(0)).mean())


def test_counts_of_spikes():
    spikes = torch.zeros(4, 2, 3)
    spikes[:, :, 0] = 1
    spikes[0, 0, 1] = 1
    assert firing_rate(spikes).tolist() == [1.0, 0.125, 0.0]
    assert synaptic_operations(spikes, fan_out=10).item() == (8 + 1) * 10 / 2


def test_the_error_of_pixels_is_their_own():
    generator = torch.Generator().manual_seed(0)
    outputs, images = (torch.rand(7, 1, 5, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    expected = ((outputs.numpy() - images.numpy()) ** 2).reshape(7, -1).mean(1)
    np.testing.assert_allclose(pixel_mse(outputs, images).numpy(), expected, rtol=1e-12)
    assert pixel_mse(outputs / 2, outputs).min() > 0, "not of standardized images, which would be equal"


@pytest.mark.parametrize("measure", [standardized_mse, pixel_mse])
def test_shapes_must_agree(measure):
    with pytest.raises(InputError, match=r"\[1, 3\] and \[1, 4\]"):
        measure(torch.zeros(1, 3), torch.zeros(1, 4))
