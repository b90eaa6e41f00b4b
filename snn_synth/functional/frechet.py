"""How far two sets of samples lie apart: the Frechet distance of the Gaussians that fit them."""

import torch
from torch import Tensor

from snn_synth.errors import InputError


def frechet_distance(first: Tensor, second: Tensor) -> Tensor:
    r"""Squared Frechet (2-Wasserstein) distance of two Gaussians with the means and covariances of the samples.

    .. math:: d^2 = \lVert \mu_1 - \mu_2 \rVert^2
        + \operatorname{tr}\bigl(C_1 + C_2 - 2 (C_1^{1/2} C_2 C_1^{1/2})^{1/2}\bigr)

    In the space of Inception's features this is the FID; in another it is another number.

    Args:
        first: samples.
        second: samples of the same number of features.

    Shape:
        ``[n, D]`` and ``[m, D]``; the result is a scalar, in float64.

    Raises:
        InputError: for shapes that do not fit, or fewer than two samples.

    Source:
        Dowson & Landau 1982; Heusel et al. 2017.

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
    first, second = first.double(), second.double()
    offset = (first.mean(0) - second.mean(0)).square().sum()
    one, two = (torch.cov(x.T).reshape(x.shape[1], -1) for x in (first, second))
    root = _root(one)
    shared = torch.linalg.eigvalsh(root @ two @ root).clamp(min=0).sqrt().sum()
    distance: Tensor = offset + one.trace() + two.trace() - 2 * shared
    return distance.clamp(min=0)


def _root(covariance: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return root
