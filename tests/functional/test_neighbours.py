"""Neighbours by loops over points in NumPy."""

import numpy as np
import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.functional import copies, density_coverage, nearest_neighbours, precision_recall


@pytest.fixture(params=[0, 1])
def points(request):
    noise = torch.Generator().manual_seed(request.param)
    images = torch.randn(60, 4, generator=noise)
    samples = 0.7 * torch.randn(45, 4, generator=noise) + 1.5
    samples[:3] = images[:3]  # copies, whose distance is 0
    return samples, images


def distance(one, other):
    return float(np.sqrt(((one - other) ** 2).sum()))


def radius(points, place, k):
    return sorted(distance(points[place], points[other]) for other in range(len(points)) if other != place)[k - 1]


@pytest.mark.parametrize("k", [1, 3, 5])
def test_precision_and_recall_are_those_of_a_loop(points, k):
    samples, images = (x.double().numpy() for x in points)
    precision = np.mean([any(distance(x, images[j]) <= radius(images, j, k) for j in range(60)) for x in samples])
    recall = np.mean([any(distance(y, samples[i]) <= radius(samples, i, k) for i in range(45)) for y in images])
    assert 0 < precision < 1
    assert 0 < recall < 1
    assert [x.item() for x in precision_recall(*points, k)] == pytest.approx([precision, recall])


@pytest.mark.parametrize("k", [1, 3, 5])
def test_density_and_coverage_are_those_of_a_loop(points, k):
    samples, images = (x.double().numpy() for x in points)
    inside = np.array([[distance(x, images[j]) < radius(images, j, k) for j in range(60)] for x in samples])
    found = density_coverage(*points, k)
    assert [x.item() for x in found] == pytest.approx([inside.sum() / (k * 45), inside.any(0).mean()])
    assert 0 < found[1] < 1


def test_samples_that_are_all_alike_recall_and_cover_little(points):
    images = points[1]
    alike = images[:2].repeat(30, 1)
    assert precision_recall(alike, images, 5)[0] == 1
    assert precision_recall(alike, images, 5)[1] == pytest.approx(2 / 60), "the two images themselves"
    assert density_coverage(alike, images, 5)[1] < 0.5


def test_samples_of_the_images_distribution_have_the_expected_coverage():
    """Naeem et al. 2020, eq. 9: 1 - 2^-k, and density 1."""
    noise = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 2000, 3, generator=noise)
    density, coverage = density_coverage(first, second, 5)
    assert density == pytest.approx(1, abs=0.05)
    assert coverage == pytest.approx(1 - 2**-5, abs=0.02)


def test_nearest_neighbours_are_those_of_a_loop_in_parts(monkeypatch, points):
    samples, images = points
    every = np.array([[distance(x, y) for y in images.numpy()] for x in samples.numpy()])
    places = np.argsort(every, 1)[:, :3]
    monkeypatch.setattr("snn_synth.functional.neighbours.AT_ONCE", 7)
    distances, found = nearest_neighbours(samples.view(-1, 1, 2, 2), images.view(-1, 1, 2, 2), 3)
    assert np.array_equal(found.numpy(), places)
    assert np.allclose(distances.numpy(), np.take_along_axis(every, places, 1), atol=1e-6)


def test_sets_of_no_more_points_than_the_neighbours_need():
    """Points 0, 1, 3 of a line: of 3 points two others are the most."""
    images, samples = torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[0.5], [2.5], [9.0]])
    distances, places = nearest_neighbours(samples, images, 3)
    assert places[1:].tolist() == [[2, 1, 0], [2, 1, 0]]
    assert distances.tolist() == [[0.5, 0.5, 2.5], [0.5, 1.5, 2.5], [6, 8, 9]]
    # Radii of the images with k = 2: 3, 2, 3; of the samples: 8.5, 6.5, 8.5.
    assert [x.item() for x in precision_recall(samples, images, 2)] == pytest.approx([2 / 3, 1])
    assert [x.item() for x in density_coverage(samples, images, 2)] == pytest.approx([(2 + 2 + 2) / 6, 1])
    with pytest.raises(InputError, match=r"at least 4 samples and 4 images of one size, got \[3, 1\] and \[3, 1\]"):
        precision_recall(samples, images, 3)


def test_a_single_sample_has_a_density():
    images = torch.arange(4.0)[:, None]  # radii 2, 1, 1 and 2: the sample lies within the first alone
    assert [x.item() for x in density_coverage(images[:1], images, 2)] == [1 / 2, 1 / 4]
    with pytest.raises(InputError, match=r"at least 1 samples and 3 images of one size, got \[0, 1\] and \[4, 1\]"):
        density_coverage(images[:0], images, 2)


def test_points_on_a_radius_are_within_it_for_precision_and_not_for_density():
    images, samples = torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0], [-1.0]])
    assert [x.item() for x in precision_recall(samples, images, 1)] == [1, 1]
    assert [x.item() for x in density_coverage(samples, images, 1)] == [0, 0]


def test_sets_in_parts_are_measured_as_whole_ones(monkeypatch, points):
    whole = [*precision_recall(*points), *density_coverage(*points)]
    monkeypatch.setattr("snn_synth.functional.neighbours.AT_ONCE", 7)
    assert [*precision_recall(*points), *density_coverage(*points)] == whole


def test_a_copy_has_no_distance_in_many_dimensions():
    images = torch.rand(200, 784, generator=torch.Generator().manual_seed(0))
    distances, places = nearest_neighbours(images, images)
    assert distances.max() == 0
    assert torch.equal(places[:, 0], torch.arange(200))


def test_a_copy_is_three_times_as_near_as_the_second():
    images = torch.tensor([[0.0, 0.0], [4.0, 0.0], [4.0, 0.0]])
    samples = torch.tensor([[0.9, 0.0], [1.1, 0.0], [4.0, 0.0], [-2.0, 0.0]])
    # distances 0.9 and 3.1; 1.1 and 2.9; 0 and 0, a copy of an image that is there twice; 2 and 6
    assert copies(nearest_neighbours(samples, images, 2)[0]).tolist() == [True, False, True, True]


def test_bad_input():
    with pytest.raises(InputError, match=r"Expected at least 6 samples and 6 images of one size, got \[5, 2\]"):
        precision_recall(torch.zeros(5, 2), torch.zeros(9, 2))
    with pytest.raises(InputError, match=r"at least 1 samples and 6 images of one size, got \[9, 2\] and \[9, 3\]"):
        density_coverage(torch.zeros(9, 2), torch.zeros(9, 3))
    with pytest.raises(InputError, match=r"at least 1 samples and 2 images .* and \[1, 2\]"):
        nearest_neighbours(torch.zeros(9, 2), torch.zeros(1, 2), 2)
    for measure in (precision_recall, density_coverage):
        with pytest.raises(InputError, match="Expected `k` of at least 1, got 0"):
            measure(torch.zeros(9, 2), torch.zeros(9, 2), 0)
        with pytest.raises(InputError, match="Expected finite points, got inf or NaN"):
            measure(torch.full((9, 2), torch.nan), torch.zeros(9, 2))
        with pytest.raises(InputError, match="Expected finite points, got inf or NaN"):
            measure(torch.zeros(9, 2), torch.full((9, 2), torch.inf))
    with pytest.raises(InputError, match="Expected `count` of at least 1, got -1"):
        nearest_neighbours(torch.zeros(9, 2), torch.zeros(9, 2), -1)
