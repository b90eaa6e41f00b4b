import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.functional import if_spike_times
from snn_synth.models import SpikingGAN

T = 16


@pytest.fixture
def gan():
    torch.manual_seed(0)
    return SpikingGAN(side=4, latent=6, hidden=20, classes=3, num_steps=T, smoothing=8.0)


def with_pulse(times):
    return torch.cat([times, torch.zeros(len(times), 1)], 1)


def test_noise_is_random_steps_and_one_spike_for_the_class(gan):
    labels = torch.arange(3000) % 3
    noise = gan.noise(labels, torch.Generator().manual_seed(0))
    random, named = noise[:, :6], noise[:, 6:]
    assert torch.equal(random, random.floor())
    assert torch.equal(torch.bincount(random.flatten().long(), minlength=T) > 900, torch.ones(T) > 0)
    assert random.max() < T
    assert torch.equal(named == 0, torch.eye(3)[labels] == 1)
    assert set(named.unique().tolist()) == {0, T}


def test_both_networks_are_two_layers_of_first_spikes(gan):
    noise = gan.noise(torch.tensor([0, 1, 2, 0]), torch.Generator().manual_seed(0))
    first, second = (layer.weight for layer in gan.generator)
    hidden = if_spike_times(noise, first, 1.0, T)
    expected = if_spike_times(with_pulse(hidden), second, 1.0, T)
    drawn = gan.generate(noise)
    assert torch.equal(drawn.times, expected)
    assert len(expected.unique()) > 2

    first, second = (layer.weight for layer in gan.discriminator)
    both = with_pulse(torch.cat([expected, T - expected], 1))
    expected = if_spike_times(with_pulse(if_spike_times(both, first, 1.0, T)), second, 1.0, T)
    assert torch.equal(gan.discriminate(drawn.times).times, expected)
    assert expected.shape == (4, 4), "three classes, and drawn images"


def test_images_and_steps_of_pixels(gan):
    images = torch.tensor([[0.0, 1.0], [0.5, 0.25]]).repeat_interleave(4, 0).repeat_interleave(4, 1)[None, None]
    times = gan.encode(images)
    corners = torch.tensor([[T, 0.0], [T / 2, 0.75 * T]])
    assert torch.equal(times.view(4, 4), corners.repeat_interleave(2, 0).repeat_interleave(2, 1))
    small = images[..., ::2, ::2]
    assert torch.equal(gan.images(times), small)


def test_samples_are_of_all_classes_in_turn_and_the_same_by_the_same_seed(gan):
    first = gan.sample(7, torch.Generator().manual_seed(3))
    again = gan.sample(7, torch.Generator().manual_seed(3), torch.tensor([0, 1, 2, 0, 1, 2, 0]))
    assert torch.equal(first, again)
    assert first.shape == (7, 1, 4, 4)
    assert first.min() >= 0
    assert first.max() < 1
    assert not torch.equal(first, gan.sample(7, torch.Generator().manual_seed(4)))


def test_of_the_candidates_the_one_whose_class_leads_most_is_taken(gan):
    labels = torch.tensor([2, 0, 1, 1, 0])
    for layer in gan.discriminator:  # or all candidates would be alike to it
        torch.nn.init.normal_(layer.weight, 0.1, 0.3)
    chosen = gan.sample(5, torch.Generator().manual_seed(3), labels, candidates=4)
    noise = gan.noise(labels.repeat(4), torch.Generator().manual_seed(3))
    candidates = gan.generate(noise).times.view(4, 5, 16)
    places = set()
    for place, label in enumerate(labels):
        seen = [gan.discriminate(candidates[k, place][None]).times[0] for k in range(4)]
        best = min(range(4), key=lambda k: (seen[k][label] - seen[k][-1]).item())
        assert torch.equal(chosen[place], gan.images(candidates[best, place][None])[0])
        places.add(best)
    assert len(places) > 1, "it makes a difference"
    assert torch.equal(chosen, gan.sample(5, torch.Generator().manual_seed(3), labels.tolist(), candidates=4))
    alone = gan.sample(5, torch.Generator().manual_seed(3), labels, candidates=1)
    assert torch.equal(alone, gan.images(candidates[0]))
    with pytest.raises(InputError, match="Expected `candidates` of at least 1, got 0"):
        gan.sample(5, candidates=0)


def test_a_saved_model_draws_the_same(tmp_path, gan):
    gan.save_pretrained(tmp_path / "gan")
    again = SpikingGAN.from_pretrained(tmp_path / "gan")
    one, two = (g.sample(5, torch.Generator().manual_seed(0)) for g in (gan, again))
    assert torch.equal(one, two)


def test_bad_input(gan):
    for labels in (torch.tensor([1, 3]), [1], [0.5, 1.0], "ab"):
        with pytest.raises(InputError, match="Expected 2 labels from 0 to 2, got "):
            gan.sample(2, labels=labels)
    with pytest.raises(InputError, match="Expected a count of at least 0, got -1"):
        gan.sample(-1)
    with pytest.raises(InputError, match="Expected labels from 0 to 2, got 1 to 3"):
        gan.noise(torch.tensor([1, 3]))
    with pytest.raises(InputError, match="of a floating dtype, got torch"):
        SpikingGAN(4, 3, 6, 3, 16).encode(torch.zeros(2, 1, 28, 28, dtype=torch.uint8))
    with pytest.raises(InputError, match=r"Expected images of shape \[B, 1, H, W\], got \[2, 16\]"):
        gan.encode(torch.zeros(2, 16))
    with pytest.raises(InputError, match="Expected sizes of at least 1, got 14, 64, 0, 10 and 64"):
        SpikingGAN(hidden=0)
