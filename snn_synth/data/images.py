"""Images with a class each, held in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from snn_synth.construction import Recorded
from snn_synth.errors import InputError

MAX_CLASSES = 1 << 20  # without names: each number up to the largest label gets one


def as_pixels(images: Tensor) -> Tensor:
    r"""Stored images as networks take them: :math:`x / 255`.

    Args:
        images: uint8, grey ``[N, H, W]`` or colour ``[N, C, H, W]``.

    Returns:
        float32 ``[N, C, H, W]`` in [0, 1]; C is 1 of grey images.

    Example:
        >>> as_pixels(torch.full((2, 28, 28), 255, dtype=torch.uint8)).shape
        torch.Size([2, 1, 28, 28])
    """
    return (images.unsqueeze(1) if images.dim() == 3 else images).float() / 255


class ImageDataset(Recorded, Dataset[tuple[Tensor, int]]):
    """Images of one size with a class each, held in memory: the base of the image sets, and one of tensors of yours.

    Args:
        images: uint8, grey ``[N, H, W]`` or colour ``[N, 3, H, W]``.
        labels: the class of each image, whole numbers ``[N]`` from 0.
        names: of the classes, in the order of their labels; the labels themselves if not given.

    Attributes:
        images: as given.
        labels: int64 ``[N]``.
        names: of the classes.
        files: path of each image, where they come from files.

    Raises:
        InputError: for other shapes or dtypes, labels that have no name, or two classes of one name.

    Example:
        >>> images = torch.zeros(3, 8, 6, dtype=torch.uint8)
        >>> shapes = ImageDataset(images, torch.tensor([0, 1, 0]), ["circle", "square"])
        >>> len(shapes), shapes.image_shape, shapes.names
        (3, (1, 8, 6), ('circle', 'square'))
    """

    images: Tensor
    labels: Tensor
    names: tuple[str, ...]
    files: list[Path] | None = None

    def __init__(self, images: Tensor, labels: Tensor, names: Sequence[str] | None = None) -> None:
        grey_or_colour = images.dim() == 3 or (images.dim() == 4 and images.shape[1] in (1, 3))
        if images.dtype != torch.uint8 or not grey_or_colour or not images.numel():
            raise InputError(
                f"Expected images of uint8, [N, H, W] or [N, 3, H, W], got {images.dtype} {list(images.shape)}"
            )
        if labels.shape != images.shape[:1] or labels.is_floating_point():
            raise InputError(
                f"Expected {len(images)} whole numbers as labels, one for each image, got {labels.dtype} "
                f"{list(labels.shape)}"
            )
        if names is None:
            if labels.max() >= MAX_CLASSES:
                raise InputError(f"Expected labels below {MAX_CLASSES:,}, or `names`, got {int(labels.max())}")
            names = [str(label) for label in range(int(labels.max()) + 1)]
        if labels.min() < 0 or labels.max() >= len(names):
            raise InputError(
                f"Expected labels from 0 to {len(names) - 1}, for there are {len(names)} names, got "
                f"{int(labels.min())} to {int(labels.max())}"
            )
        if len(set(names)) < len(names):
            raise InputError(f"Expected a name for each class, got {list(names)}")
        self.images, self.labels, self.names = images, labels.long(), tuple(names)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """One image, float32 ``[C, H, W]`` in [0, 1], and its label."""
        return as_pixels(self.images[index][None])[0], int(self.labels[index])

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels (1 or 3), height and width of each image."""
        channels, height, width = (1, *self.images.shape[1:])[-3:]
        return channels, height, width

    def official_split(self) -> tuple[Tensor, Tensor] | None:
        """The set's own split: indices of the training and of the test images; None if it has none."""
        return None

    def part(self, index: Tensor) -> ImageDataset:
        """The images at some places, as a set of their own."""
        part = ImageDataset(self.images[index], self.labels[index], self.names)
        if self.files is not None:
            part.files = [self.files[place] for place in index.tolist()]
        return part
