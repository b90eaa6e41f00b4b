import numpy as np
import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.functional import (
    best_of_class,
    firing_rate,
    gallery_mse,
    pixel_mse,
    spike_mse,
    standardize,
    standardized_mse,
    synaptic_operations,
)
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


def test_operations_of_neurons_with_different_numbers_of_synapses_by_a_loop():
    spikes = (torch.rand(6, 4, 2, 3, generator=torch.Generator().manual_seed(0)) < 0.4).float()
    fan_out = torch.tensor([[5, 0, 2], [1, 7, 3]])
    expected = sum(float(spikes[t, b, i, j] * fan_out[i, j]) for t, b, i, j in np.ndindex(6, 4, 2, 3)) / 4
    assert synaptic_operations(spikes, fan_out).item() == pytest.approx(expected)


def test_a_single_neuron_without_an_axis_and_a_single_step():
    spikes = torch.tensor([[1.0, 1.0, 0.0, 1.0]])
    assert firing_rate(spikes).item() == 0.75
    assert synaptic_operations(spikes, 2).item() == 1.5
    for wrong in (spikes[0], spikes[:0], torch.tensor(1.0)):
        with pytest.raises(InputError, match=r"Expected spikes of shape \[T, B, ...\], got .* \(T >= 1\)"):
            firing_rate(wrong)


def test_errors_against_a_gallery_are_those_of_each_pair():
    outputs, gallery = _maps(6, 5), _maps(7, 3)
    outputs[2], gallery[1] = 4.0, 0.5  # constant ones
    found = gallery_mse(outputs, gallery)
    for i, j in np.ndindex(5, 3):
        assert found[i, j].item() == pytest.approx(standardized_mse(outputs[i : i + 1], gallery[j : j + 1]).item())
    with pytest.raises(InputError, match=r"Expected maps and images of one shape, got \[2, 3\] and \[3, 2\]"):
        gallery_mse(torch.zeros(4, 2, 3), torch.zeros(4, 3, 2))


def test_mixed_precision_does_not_round_errors_against_a_gallery():
    outputs, gallery = _maps(6, 5).float(), _maps(7, 3).float()
    expected = gallery_mse(outputs.double(), gallery.double()).float()
    for mixed in (True, False):
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            torch.testing.assert_close(gallery_mse(outputs, gallery), expected)


def test_the_best_image_is_of_the_samples_own_class():
    noise = torch.Generator().manual_seed(0)
    errors, labels = torch.rand(8, 6, generator=noise), torch.tensor([0, 1, 2, 0, 1, 2, 0, 0])
    gallery_labels = torch.tensor([2, 0, 1, 0, 1, 0])
    found, places = best_of_class(errors, labels, gallery_labels)
    for row, label, error, place in zip(errors, labels, found, places, strict=True):
        own = [(float(row[j]), j) for j in range(6) if gallery_labels[j] == label]
        assert (error.item(), place.item()) == min(own)


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
