import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from snn_synth.errors import InputError
from snn_synth.functional import frechet_distance, gaussian_frechet_distance, mean_and_covariance


def test_the_distance_by_scipys_matrix_root():
    noise = torch.Generator().manual_seed(0)
    first = torch.randn(200, 6, generator=noise, dtype=torch.float64) @ torch.randn(6, 6, generator=noise).double()
    second = torch.randn(150, 6, generator=noise, dtype=torch.float64) + 0.5
    one, two = (np.cov(x.numpy(), rowvar=False) for x in (first, second))
    offset = first.mean(0).numpy() - second.mean(0).numpy()
    expected = offset @ offset + np.trace(one + two - 2 * sqrtm(one @ two).real)
    assert frechet_distance(first, second).item() == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(second, first).item() == pytest.approx(expected, rel=1e-9)


def test_gaussians_that_differ_in_scale_have_the_closed_form():
    """Of C and s^2 C: (s - 1)^2 tr C."""
    samples = torch.randn(50, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    samples -= samples.mean(0)
    expected = 4 * torch.cov(samples.T).trace().item()
    assert frechet_distance(samples, 3 * samples).item() == pytest.approx(expected, rel=1e-9)


def test_fewer_samples_than_features_are_no_obstacle():
    samples = torch.randn(5, 20, generator=torch.Generator().manual_seed(0))
    assert frechet_distance(samples, samples).item() == pytest.approx(0, abs=1e-9)
    assert frechet_distance(samples, samples + 2).item() == pytest.approx(20 * 4, rel=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_equal_gaussians_are_never_at_less_than_no_distance(seed):
    """Of rank 3 in 6 dimensions: by rounding, eigenvalues and the distance could lie below 0."""
    samples = torch.randn(4, 6, generator=torch.Generator().manual_seed(seed))
    assert 0 <= frechet_distance(samples, samples).item() < 1e-6


def test_two_samples_and_one_feature_are_enough():
    """Means 1 and 4, variances 2 and 8: 3^2 + (sqrt 8 - sqrt 2)^2."""
    first, second = torch.tensor([[0.0], [2.0]]), torch.tensor([[2.0], [6.0]])
    assert frechet_distance(first, second).item() == pytest.approx(9 + 2)


@pytest.mark.parametrize(
    "shapes",
    [((3, 4), (3, 5)), ((1, 4), (3, 4)), ((3, 4), (1, 4)), ((4,), (4,)), ((3, 4), (3, 4, 1)), ((3, 4, 1), (3, 4))],
)
def test_bad_input(shapes):
    with pytest.raises(InputError, match=r"Expected two sets of at least two samples \[n, D\]"):
        frechet_distance(*(torch.zeros(shape) for shape in shapes))


def test_means_and_covariances_of_numpy_are_as_good_as_the_samples():
    noise = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 80, 5, generator=noise).double()
    moments = [
        (torch.from_numpy(x.numpy().mean(0)), torch.from_numpy(np.cov(x, rowvar=False))) for x in (first, second)
    ]
    expected = frechet_distance(first, second).item()
    assert gaussian_frechet_distance(*moments[0], *moments[1]).item() == pytest.approx(expected, rel=1e-9)
    for found, wanted in zip(mean_and_covariance(first.float()), moments[0], strict=True):
        assert torch.allclose(found, wanted, atol=1e-7)


def test_gaussians_of_other_sizes_are_refused():
    with pytest.raises(InputError, match=r"with equal D, got \[\[3\], \[3, 3\], \[3\], \[3\]\]"):
        gaussian_frechet_distance(torch.zeros(3), torch.eye(3), torch.zeros(3), torch.ones(3))
    square = torch.zeros(3, 3)
    for given in (
        (square, torch.zeros(3, 3, 3, 3), square, torch.zeros(3, 3, 3, 3)),
        (torch.zeros(3), torch.zeros(3), torch.zeros(3), square),
        (torch.zeros(3), square, torch.zeros(2), square),
    ):
        with pytest.raises(InputError, match="with equal D, got"):
            gaussian_frechet_distance(*given)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_is_not_finite_is_refused(value):
    with pytest.raises(InputError, match="Expected finite means and covariances, got inf or NaN"):
        frechet_distance(torch.full((3, 2), value), torch.zeros(3, 2))
    for place in range(4):
        given = [torch.zeros(2), torch.eye(2), torch.zeros(2), torch.eye(2)]
        given[place] = torch.full_like(given[place], value)
        with pytest.raises(InputError, match="Expected finite means and covariances, got inf or NaN"):
            gaussian_frechet_distance(*given)
