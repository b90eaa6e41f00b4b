"""Variety by loops over classes in NumPy."""

import numpy as np
import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.functional import class_imbalance, variance_ratio, within_class_variance


def made(number, spread, seed):
    noise = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (number,), generator=noise)
    return spread * torch.randn(number, 1, 2, 3, generator=noise) + 5 * labels[:, None, None, None], labels


def by_loops(values, labels, classes):
    found = []
    for label in range(classes):
        mine = values.flatten(1).double().numpy()[labels.numpy() == label]
        found.append(np.var(mine, axis=0).sum() if len(mine) else 0.0)
    return np.array(found)


def test_variance_within_classes_is_that_of_a_loop():
    values, labels = made(50, 1.0, 0)
    assert within_class_variance(values, labels, 4).tolist() == pytest.approx(by_loops(values, labels, 4), rel=1e-4)


def test_the_ratio_is_the_mean_over_the_real_classes():
    values, labels = made(50, 0.5, 0)
    real, real_labels = made(70, 1.0, 1)
    expected = np.mean(by_loops(values, labels, 3) / by_loops(real, real_labels, 3))
    assert variance_ratio(values, labels, real, real_labels, 3).item() == pytest.approx(expected, rel=1e-4)
    assert variance_ratio(values, labels, real, real_labels, 5).item() == pytest.approx(expected, rel=1e-4)
    assert variance_ratio(real, real_labels, real, real_labels, 3).item() == pytest.approx(1)


def test_one_image_for_each_class_does_not_vary_and_a_missing_class_counts_as_nothing():
    real, real_labels = made(70, 1.0, 1)
    first = [int((real_labels == label).nonzero()[0, 0]) for label in range(3)]
    repeated, labels = real[first].repeat(9, 1, 1, 1), torch.arange(3).repeat(9)
    assert variance_ratio(repeated, labels, real, real_labels, 3).item() == pytest.approx(0, abs=1e-6)
    two = real_labels < 2
    found = variance_ratio(real[two], real_labels[two], real, real_labels, 3)
    assert found.item() == pytest.approx(2 / 3)


def test_imbalance_is_the_share_that_would_have_to_move():
    labels, real = torch.tensor([0] * 7 + [1] * 2 + [2]), torch.tensor([0, 1, 2, 3] * 5)
    # 0.7 of class 0 instead of 0.25: 0.45 would have to be others
    assert class_imbalance(labels, real, 4).item() == pytest.approx(0.45)
    assert class_imbalance(real, real, 4) == 0
    assert class_imbalance(torch.zeros(5).long(), torch.arange(10), 10).item() == pytest.approx(0.9)


@pytest.mark.parametrize("number", [3, 7, 60])
def test_equal_real_images_do_not_vary_though_their_mean_is_rounded(number):
    real, real_labels = made(70, 1.0, 1)
    equal = torch.rand(1, 1, 2, 3, generator=torch.Generator().manual_seed(0)).expand(number, -1, -1, -1)
    values, labels = torch.cat([real, real[:number]]), torch.cat([real_labels, torch.full((number,), 3)])
    found = variance_ratio(
        values, labels, torch.cat([real, equal]), torch.cat([real_labels, torch.full((number,), 3)]), 4
    )
    assert found.item() == pytest.approx(1)
    with pytest.raises(InputError, match=f"that vary within a class, got {number} that do not"):
        variance_ratio(values, labels, equal, torch.zeros(number).long(), 4)


def test_images_that_differ_by_little_vary_however_many_they_are():
    """Half of 200 images brighter by 2^-11: a variance of 2^-24, of a mean square near 1."""
    labels = torch.zeros(200).long()
    real = 1 + (torch.arange(200) % 2)[:, None] * 2.0**-11
    samples = 1 + (torch.arange(200) % 2)[:, None] * 2.0**-12
    assert variance_ratio(samples, labels, real, labels, 2).item() == pytest.approx(1 / 4, rel=1e-3)


def test_one_sample_has_no_variance_and_a_balance():
    values, labels = torch.tensor([[3.0], [1.0], [2.0]]), torch.tensor([1, 2, 2])
    assert within_class_variance(values, labels, 3).tolist() == [0, 0, 0.25]
    assert class_imbalance(labels[:1], labels[1:], 3) == 1
    assert class_imbalance(labels[:1], labels[:1], 3) == 0


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32])
def test_labels_of_other_integers(dtype):
    values, labels = made(50, 1.0, 0)
    expected = within_class_variance(values, labels, 3)
    assert torch.equal(within_class_variance(values, labels.to(dtype), 3), expected)


def test_bad_input():
    values, labels = made(50, 1.0, 0)
    with pytest.raises(InputError, match=r"Expected 50 labels, whole numbers below 2, got torch.int64 \[50\], 0 to 2"):
        within_class_variance(values, labels, 2)
    with pytest.raises(InputError, match=r"Expected 50 labels, whole numbers below 3, got torch.float32 \[50\]"):
        within_class_variance(values, labels.float(), 3)
    with pytest.raises(InputError, match=r"got torch.int64 \[0\], none"):
        class_imbalance(labels[:0], labels, 3)
    with pytest.raises(InputError, match="Expected real images that vary within a class, got 0 that do not"):
        variance_ratio(values, labels, values[:0], labels[:0], 3)
    with pytest.raises(InputError, match="Expected real images that vary within a class, got 2 that do not"):
        variance_ratio(values, labels, values[:1].repeat(2, 1, 1, 1), labels[:1].repeat(2), 3)
    with pytest.raises(InputError, match="Expected real images that vary within a class, got 50 that do not"):
        variance_ratio(values, labels, torch.zeros_like(values), labels, 3)
