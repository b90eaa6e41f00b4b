"""Samples that need no network: what a measure of generated images has to tell from good ones."""

import torch
from torch import Tensor

from snn_synth.errors import InputError
from snn_synth.functional.matching import class_sums

TRIVIAL = ("class means", "ten images repeated", "training images", "shuffled pixels")


def trivial_samples(images: Tensor, labels: Tensor, count: int, seed: int = 0) -> dict[str, Tensor]:
    """Samples by rules of which none is a generator, for :func:`sample_quality` to put in their places.

    Args:
        images: of the training, ``[n, 1, H, W]``.
        labels: of them, ``[n]``.
        count: how many samples of each kind.
        seed: of those that are random.

    Returns:
        By name, ``[count, 1, H, W]`` each: ``class means``, the mean image of each class in turn: no variety, blurred;
        ``ten images repeated``, the first image of each class in turn: good, no variety; ``training images``, drawn
        without replacement as long as there are some: good, varied, not new; ``shuffled pixels`` of those: no images.

    Raises:
        InputError: for ``count`` below 1, or other numbers of images and labels.

    Example:
        >>> images = torch.rand(6, 1, 2, 2)
        >>> found = trivial_samples(images, torch.tensor([0, 0, 1, 1, 2, 2]), 4)
        >>> torch.equal(found["ten images repeated"], images[[0, 2, 4, 0]])
        True
    """
    if count < 1 or len(images) != len(labels) or not len(labels):
        raise InputError(
            f"Expected at least one sample and a label for each image, got {count}, {len(images)} and {len(labels)}"
        )
    occurring, place = torch.unique(labels, return_inverse=True)
    sums, numbers = class_sums(images.flatten(1), place, len(occurring))
    means = (sums / numbers[:, None]).view(-1, *images.shape[1:])
    first = torch.stack([(labels == label).nonzero()[0, 0] for label in occurring])
    turn = torch.arange(count) % len(occurring)
    generator = torch.Generator().manual_seed(seed)
    rounds = -(-count // len(images))
    drawn = images[torch.cat([torch.randperm(len(images), generator=generator) for _ in range(rounds)])[:count]]
    samples = means[turn], images[first[turn]], drawn, shuffled_pixels(drawn, seed)
    return dict(zip(TRIVIAL, samples, strict=True))


def shuffled_pixels(images: Tensor, seed: int) -> Tensor:
    """The same pixels of each image in another order: as bright as an image, and none.

    Example:
        >>> shuffled_pixels(torch.arange(4.0).view(1, 1, 2, 2), 0).flatten().sort().values
        tensor([0., 1., 2., 3.])
    """
    flat = images.flatten(1)
    order = torch.rand(flat.shape, generator=torch.Generator(flat.device).manual_seed(seed), device=flat.device)
    return flat.gather(1, order.argsort(1)).reshape(images.shape)
