"""Nearest neighbours: whether samples lie among real images, whether real images lie among samples, and copies."""

import torch
from torch import Tensor

from snn_synth.errors import InputError

AT_ONCE = 500  # samples whose distances are in memory
SPARE = 8  # images that are nearly as near, whose exact distances are computed too
COPY = 1 / 3  # of the distance to the second nearest image


def nearest_neighbours(samples: Tensor, images: Tensor, count: int = 1) -> tuple[Tensor, Tensor]:
    """Euclidean distances and places of each sample's nearest images, the nearest first.

    Args:
        samples: n points.
        images: m points, in which the nearest are looked for.
        count: how many.

    Shape:
        ``samples``: ``[n, ...]``; ``images``: ``[m, ...]``; both results ``[n, count]``.

    Raises:
        InputError: for points of other sizes or that are not finite, fewer than ``count`` images, or none wanted.

    Example:
        >>> nearest_neighbours(torch.tensor([[1.0]]), torch.tensor([[5.0], [0.0], [3.0]]), 2)
        (tensor([[1., 2.]]), tensor([[1, 2]]))
    """
    _check_positive("count", count)
    samples, images = _points(samples, images, count)
    squares = images.square().sum(1)
    places, distances = [], []
    for part in samples.split(AT_ONCE):  # type: ignore[no-untyped-call]
        # |x - y|^2 without |x|^2, which is the same for all images; its rounding errors can hide a copy.
        near = torch.addmm(squares, part, images.T, alpha=-2)
        near = near.topk(min(count + SPARE, len(images)), largest=False).indices
        distance, order = (images[near] - part[:, None]).norm(dim=2).sort(dim=1, stable=True)
        distances.append(distance[:, :count])
        places.append(near.gather(1, order[:, :count]))
    return torch.cat(distances), torch.cat(places)


def precision_recall(samples: Tensor, images: Tensor, k: int = 5) -> tuple[Tensor, Tensor]:
    r"""The share of the samples that lie among real images, and of the real images that lie among samples.

    .. math:: \text{precision} = \frac1n \sum_i \max_j \mathbb 1[\lVert x_i - y_j \rVert \le r_k(y_j)], \qquad
        \text{recall} = \frac1m \sum_j \max_i \mathbb 1[\lVert x_i - y_j \rVert \le r_k(x_i)]

    with :math:`r_k` the distance of a point to the k-th nearest other one of its own set. Samples that are all alike
    have a recall of 0, however good they are.

    Args:
        samples: x, features of n generated images.
        images: y, features of m real ones; as many as samples, to compare recalls.
        k: 3 in the paper; 5 as for :func:`density_coverage`.

    Shape:
        ``[n, D]`` and ``[m, D]``; the results are scalars.

    Raises:
        InputError: for points of other sizes or that are not finite, sets of no more than ``k`` points, or k below 1.

    Source:
        Kynkäänniemi et al. 2019, eq. 1-3.

    Example:
        >>> images = torch.arange(10.0)[:, None]
        >>> [round(share.item(), 6) for share in precision_recall(images[2:5] + 0.25, images, k=2)]
        [1.0, 0.6]
    """
    _check_positive("k", k)
    samples, images = _points(samples, images, k + 1, k + 1)
    among_images, among_samples = _within(samples, images, k), _within(images, samples, k)
    return (among_images > 0).float().mean(), (among_samples > 0).float().mean()


def density_coverage(samples: Tensor, images: Tensor, k: int = 5) -> tuple[Tensor, Tensor]:
    r"""How densely samples lie where real images do, and the share of the real images that have a sample near them.

    .. math:: \text{density} = \frac1{kn} \sum_{i,j} \mathbb 1[\lVert x_i - y_j \rVert < r_k(y_j)], \qquad
        \text{coverage} = \frac1m \sum_j \mathbb 1[\min_i \lVert x_i - y_j \rVert < r_k(y_j)]

    Samples like the real images have a density of 1 and a coverage of 1 - 2^-k for m = n. Unlike precision and
    recall, a few outliers do not change them.

    Args:
        samples: x, features of n generated images.
        images: y, features of m real ones.
        k: neighbours.

    Shape:
        ``[n, D]`` and ``[m, D]``; the results are scalars.

    Raises:
        InputError: for points of other sizes or that are not finite, no samples, no more than ``k`` real images, or k
            below 1.

    Source:
        Naeem et al. 2020, eq. 3-4.

    Example:
        >>> images = torch.arange(10.0)[:, None]
        >>> [round(share.item(), 6) for share in density_coverage(images[:1].expand(20, 1), images, k=2)]
        [0.5, 0.1]
    """
    _check_positive("k", k)
    samples, images = _points(samples, images, k + 1)
    density = _within(samples, images, k, strictly=True).float().mean() / k
    nearest = nearest_neighbours(images, samples)[0].squeeze(1)
    return density, (nearest < _radii(images, k)).float().mean()


def copies(distances: Tensor) -> Tensor:
    r"""Which samples are copies of an image: :math:`d_1 \le d_2 / 3`, the nearest distance and the second.

    Args:
        distances: of each sample to the two nearest images, of :func:`nearest_neighbours`.

    Shape:
        ``[n, 2]``; the result ``[n]``, of booleans.

    Source:
        Yoon et al. 2023 (the factor 1/3).

    Example:
        >>> images = torch.tensor([[0.0], [1.0]])
        >>> copies(nearest_neighbours(torch.tensor([[0.1], [0.5]]), images, 2)[0])
        tensor([ True, False])
    """
    return distances[:, 0] <= COPY * distances[:, 1]


def _within(points: Tensor, others: Tensor, k: int, strictly: bool = False) -> Tensor:
    """Of each point, how many others have it within the distance of their own k-th neighbour."""
    radii, counts = _radii(others, k), []
    for part in points.split(AT_ONCE):  # type: ignore[no-untyped-call]
        distances = torch.cdist(part, others, compute_mode="donot_use_mm_for_euclid_dist")
        counts.append((distances < radii if strictly else distances <= radii).sum(1))
    return torch.cat(counts)


def _radii(points: Tensor, k: int) -> Tensor:
    """Of each point, the distance to its k-th nearest other one."""
    radii = []
    for part in points.split(AT_ONCE):  # type: ignore[no-untyped-call]
        distances = torch.cdist(part, points, compute_mode="donot_use_mm_for_euclid_dist")
        radii.append(distances.kthvalue(k + 1).values)  # the nearest is the point itself
    return torch.cat(radii)


def _points(samples: Tensor, images: Tensor, least: int, least_samples: int = 1) -> tuple[Tensor, Tensor]:
    if samples.shape[1:] != images.shape[1:] or len(images) < least or len(samples) < least_samples:
        raise InputError(
            f"Expected at least {least_samples} samples and {least} images of one size, got {list(samples.shape)} "
            f"and {list(images.shape)}"
        )
    samples, images = samples.flatten(1).float(), images.flatten(1).float()
    if not bool(samples.isfinite().all() & images.isfinite().all()):
        raise InputError("Expected finite points, got inf or NaN")
    return samples, images


def _check_positive(name: str, number: int) -> None:
    if number < 1:
        raise InputError(f"Expected `{name}` of at least 1, got {number}")
