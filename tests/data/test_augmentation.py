import numpy as np
import pytest
import torch

from snn_synth.data import SpectrogramAugmentation
from snn_synth.data.augmentation import _level, _mask, _noise, _warp
from snn_synth.encoding import sample_keys
from snn_synth.errors import InputError
from snn_synth.functional import keyed_uniform


def pictures(count=4, channels=7, frames=12, seed=0):
    return torch.rand(count, channels, frames, generator=torch.Generator().manual_seed(seed))


KEYS = sample_keys(3, torch.arange(4))


def test_a_picture_depends_on_its_key_alone():
    augment = SpectrogramAugmentation(0.7)
    together = augment(pictures(), KEYS)
    for index in (0, 3):
        alone = augment(pictures()[index : index + 1], KEYS[index : index + 1])
        torch.testing.assert_close(alone[0], together[index])
    assert not torch.allclose(augment(pictures(), KEYS + 1), together)


def test_it_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    SpectrogramAugmentation(1.0)(pictures(), KEYS)
    assert torch.equal(torch.get_rng_state(), before)


def test_values_stay_in_the_unit_interval_and_the_loudest_is_1():
    varied = SpectrogramAugmentation(1.0)(pictures(200), sample_keys(0, torch.arange(200)))
    assert varied.min() >= 0
    assert torch.equal(varied.amax((1, 2)), torch.ones(200))


def test_strength_0_changes_nothing_and_a_small_one_little():
    assert torch.equal(SpectrogramAugmentation(0)(pictures(), KEYS), pictures())
    loud = pictures() / pictures().amax((1, 2), keepdim=True)
    assert (SpectrogramAugmentation(1e-4)(loud, KEYS) - loud).abs().max() < 0.01


def test_the_same_on_cpu_as_a_numpy_loop_of_the_warp():
    amounts = torch.rand(1, 5, 1, generator=torch.Generator().manual_seed(5)) * 2 - 1
    picture = pictures(1, 6, 9)
    start, end, bend, stretch, shift = amounts[0, :, 0].tolist()
    expected = np.zeros((6, 9))
    for row in range(6):
        for column in range(9):
            time = column / 8
            time += 0.15 * bend * np.sin(np.pi * time)
            x = (0.125 * start + (1 + 0.125 * (end - start)) * time) * 8
            y = ((1 + 0.18 * stretch) * row / 5 + 0.05 * shift) * 5
            for i in (int(np.floor(y)), int(np.floor(y)) + 1):
                for j in (int(np.floor(x)), int(np.floor(x)) + 1):
                    if 0 <= i < 6 and 0 <= j < 9:
                        expected[row, column] += max(0, 1 - abs(y - i)) * max(0, 1 - abs(x - j)) * picture[0, i, j]
    np.testing.assert_allclose(_warp(picture, amounts)[0].numpy(), expected, atol=1e-5)


def test_contrast_and_tilt_by_hand():
    amounts = torch.tensor([0.0, 0, 0, 0, 1, 0.5]).view(1, 6, 1)  # a tilt of 0.15, contrast of 1.1
    picture = torch.tensor([[[0.5], [0.0], [1.0]]])
    expected = [1 - 1.1 * (1 - 0.35), 1 - 1.1, 1 - 1.1 * (1 - 1.15)]
    torch.testing.assert_close(_level(picture, amounts).flatten(), torch.tensor(expected))


def test_noise_adds_power():
    """Far below the sound it changes nothing; its power is exponential around the level that it is asked for."""
    picture = torch.full((1, 50, 400), 0.2)
    picture[0, 0, 0] = 1
    key = sample_keys(0)
    for level, below in ((0.0, 0.33), (1.0, 0.9)):
        noisy = _noise(picture, torch.full((1, 1, 1), level), torch.zeros(1, 1, 1), key, 6.0)
        added = 10 ** (6 * noisy.double()) - 10 ** (6 * picture.double())
        uniform = keyed_uniform(sample_keys(key, 1), 50 * 400).view(1, 50, 400).double()
        power = 10 ** (6 * (1 - below)) * (-torch.log1p(-uniform)).clamp(min=1e-4) ** 0.5
        assert (added / power - 1).abs().median() < 0.01


def test_a_mask_is_a_span_around_its_centre():
    mask = _mask(10, torch.tensor([[0.52]]), torch.tensor([[0.5]]))
    assert mask.tolist() == [[1, 1, 1, 0, 0, 0, 0, 0, 1, 1]]  # from 0.27 to 0.77


@pytest.mark.parametrize(
    ("strength", "range_db"), [(-0.1, 60), (float("nan"), 60), (float("inf"), 60), (0.5, 0), (0.5, float("nan"))]
)
def test_settings_that_mean_nothing_are_refused(strength, range_db):
    with pytest.raises(InputError, match="Expected a `strength` of at least 0"):
        SpectrogramAugmentation(strength, range_db)


def test_wrong_shapes_are_refused():
    with pytest.raises(InputError, match=r"\[B, C, F\]"):
        SpectrogramAugmentation()(torch.rand(4, 9), KEYS)
    with pytest.raises(InputError, match="one key for each"):
        SpectrogramAugmentation()(pictures(), KEYS[:2])


def test_keyed_uniform_is_uniform_and_each_number_its_own():
    numbers = keyed_uniform(sample_keys(0, torch.arange(500)), 40)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert abs(numbers.mean().item() - 0.5) < 0.01
    assert abs(numbers.var().item() - 1 / 12) < 0.002
    correlation = torch.corrcoef(numbers.T)
    assert (correlation - torch.eye(40)).abs().max() < 0.2
