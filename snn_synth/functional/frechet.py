"""How far two sets of samples lie apart: the Frechet distance of the Gaussians that fit them."""

import torch
from torch import Tensor

from snn_synth.errors import InputError


def frechet_distance(first: Tensor, second: Tensor) -> Tensor:
    """Squared Frechet distance of two Gaussians with the means and covariances of samples.

    In the space of Inception's features this is the FID; in another it is another number.

    Args:
        first: samples.
        second: samples of the same number of features.

    Shape:
        ``[n, D]`` and ``[m, D]``; the result is a scalar, in float64.

    Raises:
        InputError: for shapes that do not fit, fewer than two samples, or numbers that are not finite.

    Source:
        Heusel et al. 2017; see :func:`gaussian_frechet_distance`.

    Example:
        >>> a = torch.tensor([[-1.0], [1.0]])  # mean 0, variance 2
        >>> frechet_distance(a, a + 3)
        tensor(9., dtype=torch.float64)
    """
    if first.dim() != 2 or second.dim() != 2 or first.shape[1] != second.shape[1] or min(len(first), len(second)) < 2:
        raise InputError(
            f"Expected two sets of at least two samples [n, D] with equal D, got {list(first.shape)} "
            f"and {list(second.shape)}"
        )
    return gaussian_frechet_distance(*mean_and_covariance(first), *mean_and_covariance(second))


def mean_and_covariance(samples: Tensor) -> tuple[Tensor, Tensor]:
    """Mean ``[D]`` and covariance ``[D, D]``, with n - 1 in the denominator, of samples ``[n, D]``; in float64.

    Example:
        >>> mean_and_covariance(torch.tensor([[-1.0], [1.0]]))
        (tensor([0.], dtype=torch.float64), tensor([[2.]], dtype=torch.float64))
    """
    samples = samples.double()
    return samples.mean(0), torch.cov(samples.T).reshape(samples.shape[1], -1)


def gaussian_frechet_distance(mean: Tensor, covariance: Tensor, other_mean: Tensor, other_covariance: Tensor) -> Tensor:
    r"""Squared Frechet (2-Wasserstein) distance of two Gaussians.

    .. math:: d^2 = \lVert \mu_1 - \mu_2 \rVert^2
        + \operatorname{tr}\bigl(C_1 + C_2 - 2 (C_1^{1/2} C_2 C_1^{1/2})^{1/2}\bigr)

    Args:
        mean: of the one.
        covariance: of the one.
        other_mean: of the other.
        other_covariance: of the other.

    Shape:
        ``[D]``, ``[D, D]``, ``[D]``, ``[D, D]``; the result is a scalar, in float64.

    Raises:
        InputError: for shapes that do not fit, or numbers that are not finite.

    Source:
        Dowson & Landau 1982.

    Example:
        >>> gaussian_frechet_distance(torch.zeros(1), torch.eye(1), torch.zeros(1), 4 * torch.eye(1))  # (2 - 1)^2
        tensor(1., dtype=torch.float64)
    """
    shapes = [list(x.shape) for x in (mean, covariance, other_mean, other_covariance)]
    if mean.dim() != 1 or shapes[1:] != [2 * shapes[0], shapes[0], 2 * shapes[0]]:
        raise InputError(f"Expected means [D] and covariances [D, D] of two Gaussians with equal D, got {shapes}")
    mean, one, other_mean, two = (x.double() for x in (mean, covariance, other_mean, other_covariance))
    if not all(bool(x.isfinite().all()) for x in (mean, one, other_mean, two)):
        raise InputError("Expected finite means and covariances, got inf or NaN")
    offset = (mean - other_mean).square().sum()
    root = _root(one)
    shared = torch.linalg.eigvalsh(root @ two @ root).clamp(min=0).sqrt().sum()
    distance: Tensor = offset + one.trace() + two.trace() - 2 * shared
    return distance.clamp(min=0)


def _root(covariance: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return root
