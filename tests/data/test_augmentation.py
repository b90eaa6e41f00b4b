import numpy as np
import pytest
import torch

from snn_synth.data import SpectrogramAugmentation, augmentation
from snn_synth.data.augmentation import _level, _mask, _noise
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


def warped(picture, start, end, bend, stretch, shift):
    """A picture at other times and frequencies, point by point between its four neighbours; 0 outside of it."""
    rows, columns = picture.shape
    found = np.zeros((rows, columns))
    for row, frequency in enumerate(np.linspace(0, 1, rows)):
        for column, time in enumerate(np.linspace(0, 1, columns)):
            bent = time + 0.15 * bend * np.sin(np.pi * time)
            x = (0.125 * start + (1 + 0.125 * (end - start)) * bent) * (columns - 1)
            y = ((1 + 0.18 * stretch) * frequency + 0.05 * shift) * (rows - 1)
            for i in (int(np.floor(y)), int(np.floor(y)) + 1):
                for j in (int(np.floor(x)), int(np.floor(x)) + 1):
                    if 0 <= i < rows and 0 <= j < columns:
                        found[row, column] += (1 - abs(y - i)) * (1 - abs(x - j)) * picture[i, j]
    return found


def varied(picture, key, strength, range_db):
    """The five steps for one picture, in NumPy; whether it got noise."""
    rows, columns = picture.shape
    unit = keyed_uniform(key[None], 18)[0].double().numpy()
    both = strength * (2 * unit - 1)
    scale = np.linspace(-1, 1, rows)
    picture = warped(picture, *both[:5])
    filter = 0.12 * np.interp(np.linspace(0, 3, rows), range(4), both[5:9]) + 0.15 * both[9] * scale
    picture = np.where(picture > 0, picture + filter[:, None], picture)
    picture = 1 - (1 + 0.2 * both[10]) * (1 - picture)
    if noisy := unit[11] < 0.7 * strength:
        draws = keyed_uniform(sample_keys(key[None], 1), rows * columns)[0].double().numpy().reshape(rows, columns)
        power = np.maximum(-np.log1p(-draws), 1e-4) ** 0.5  # of the mean of several frequencies
        mean_db = range_db * (picture.max() - (0.33 + 0.57 * unit[12]) + 0.15 * both[13] * scale[:, None])
        picture = 10 * np.log10(10 ** (range_db * picture / 10) + power * 10 ** (mean_db / 10)) / range_db
    picture[np.abs(np.arange(rows) / rows - unit[14]) < strength * 0.2 * unit[15] / 2] = 0
    picture[:, np.abs(np.arange(columns) / columns - unit[16]) < strength * 0.15 * unit[17] / 2] = 0
    return np.clip(picture - picture.max() + 1 if picture.max() > 0 else picture, 0, 1), noisy


@pytest.mark.parametrize(("strength", "range_db"), [(1.0, 60.0), (1.3, 45.0), (0.5, 30.0)])
def test_every_step_as_in_numpy(strength, range_db):
    """Other numbers of channels than of frames, and of both parities; float64, so that little hides behind rounding."""
    for channels, frames in ((13, 18), (8, 11)):
        keys = sample_keys(7, torch.arange(12))
        given = pictures(12, channels, frames, seed=channels).double()
        given[given < 0.2] = 0  # what is nothing is not filtered
        found = SpectrogramAugmentation(strength, range_db)(given, keys).numpy()
        expected = [varied(picture, key, strength, range_db) for picture, key in zip(given.numpy(), keys, strict=True)]
        np.testing.assert_allclose(found, [picture for picture, _ in expected], atol=1e-6)
        assert {noisy for _, noisy in expected} == {True, False}


def test_the_defaults_are_strength_0_7_and_a_range_of_60_db():
    assert torch.equal(
        SpectrogramAugmentation()(pictures(), KEYS), SpectrogramAugmentation(0.7, 60.0)(pictures(), KEYS)
    )


def test_a_number_that_is_as_large_as_the_share_of_noise_brings_none(monkeypatch):
    key = sample_keys(5, torch.arange(1))
    monkeypatch.setattr(augmentation, "NOISY", 0.0)
    quiet = SpectrogramAugmentation(1.0)(pictures(1), key)
    monkeypatch.setattr(augmentation, "NOISY", keyed_uniform(key, 12)[0, 11].item())
    assert torch.equal(SpectrogramAugmentation(1.0)(pictures(1), key), quiet)


def test_a_picture_that_a_mask_hides_wholly_is_silent():
    """One of a single frame lies in the mask or beside it; silence is not raised until its loudest point is 1."""
    found = SpectrogramAugmentation(1.0)(pictures(300, 5, 1), sample_keys(0, torch.arange(300)))
    loudest = found.amax((1, 2))
    assert set(loudest.tolist()) == {0.0, 1.0}
    unit = keyed_uniform(sample_keys(0, torch.arange(300)), 20)
    assert torch.equal(loudest == 0, unit[:, 16] < 0.15 * unit[:, 17] / 2)


def test_a_silent_picture_stays_so_whatever_its_contrast():
    keys = sample_keys(0, torch.arange(200))
    beside = torch.cat([torch.zeros(200, 7, 12), pictures(200)])
    varied = SpectrogramAugmentation(1.0)(beside, keys.repeat(2, *[1] * (keys.dim() - 1)))
    assert not varied[:200].any()
    assert torch.equal(varied[200:].amax((1, 2)), torch.ones(200))


def test_contrast_and_tilt_by_hand():
    amounts = torch.tensor([0.0, 0, 0, 0, 1, 0.5]).view(1, 6, 1)  # a tilt of 0.15, contrast of 1.1
    picture = torch.tensor([[[0.5], [0.0], [1.0]]])
    expected = [1 - 1.1 * (1 - 0.35), 1 - 1.1, 1 - 1.1 * (1 - 1.15)]
    torch.testing.assert_close(_level(picture, amounts).flatten(), torch.tensor(expected))


def test_noise_adds_power():
    """Far below the sound it changes nothing; its power is exponential around the level that it is asked for."""
    picture = torch.full((1, 50, 400), 0.2, dtype=torch.float64)
    picture[0, 0, 0] = 1
    key = sample_keys(0)
    for level, below in ((0.0, 0.33), (1.0, 0.9)):
        noisy = _noise(picture, torch.full((1, 1, 1), level), torch.zeros(1, 1, 1), key, 6.0)
        added = 10 ** (6 * noisy) - 10 ** (6 * picture)
        uniform = keyed_uniform(sample_keys(key, 1), 50 * 400).view(1, 50, 400).double()
        power = 10 ** (6 * (1 - below)) * (-torch.log1p(-uniform)).clamp(min=1e-4) ** 0.5
        assert uniform.min() < 1e-4
        assert (added / power - 1).abs().max() < 1e-6


def test_a_mask_is_a_span_around_its_centre():
    mask = _mask(10, torch.tensor([[0.52]]), torch.tensor([[0.5]]))
    assert mask.tolist() == [[1, 1, 1, 0, 0, 0, 0, 0, 1, 1]]  # from 0.27 to 0.77
    edges = _mask(8, torch.tensor([[0.5]]), torch.tensor([[0.5]]))
    assert edges.tolist() == [[1, 1, 1, 0, 0, 0, 1, 1]]  # 0.25 and 0.75 lie on its edges, not in it


@pytest.mark.parametrize(
    ("strength", "range_db"),
    [(-0.1, 60), (float("nan"), 60), (float("inf"), 60), (0.5, 0), (0.5, float("inf")), (0.5, float("nan"))],
)
def test_settings_that_mean_nothing_are_refused(strength, range_db):
    with pytest.raises(InputError, match="Expected a `strength` of at least 0"):
        SpectrogramAugmentation(strength, range_db)


def test_any_positive_range_is_one():
    assert SpectrogramAugmentation(1e-3, 1e-3).dynamic_range_db == 1e-3


@pytest.mark.parametrize("shape", [(0, 5, 7), (3, 0, 7), (3, 5, 0)])
def test_no_pictures_or_none_of_a_size_stay_as_they_are(shape):
    keys = sample_keys(0, torch.arange(shape[0]))
    assert SpectrogramAugmentation(1.0)(torch.zeros(shape), keys).shape == shape


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
