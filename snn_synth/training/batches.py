"""Batches as the modules take them, from the batches that any DataLoader gives."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from snn_synth.errors import InputError
from snn_synth.training.loaders import ImageBatch

UNLABELLED = -1
_PLACES = 2**32  # of a batch: more than it has samples


def as_batch(kind: Any, batch: Any, number: int, labelled: bool = False) -> Any:
    """A batch as it is if it has the fields of its kind, else made of images: ``x``, ``(x, y)`` or a dict of them.

    Samples without an ``index`` are numbered by their place: the batch's number, and their place in it.

    Args:
        kind: of batch that the module takes, a NamedTuple.
        batch: what the loader gave.
        number: of the batch in its epoch, another on each process.
        labelled: whether the module needs labels.

    Returns:
        The batch; labels that are missing are -1.

    Raises:
        InputError: for anything else, or without labels that are needed.

    Example:
        >>> as_batch(ImageBatch, (torch.zeros(2, 28, 28), torch.tensor([3, 4])), number=0).index
        tensor([0, 1])
    """
    if all(hasattr(batch, field) for field in kind._fields):
        return batch
    given = _named(batch) if kind is ImageBatch else None
    if given is None:
        forms = ", an image tensor x, (x, y), or a dict with `images`" if kind is ImageBatch else ""
        raise InputError(f"Expected batches {kind.__name__}({', '.join(kind._fields)}){forms}, got {_described(batch)}")
    images = _images(given["images"])
    labels, index = given.get("labels"), given.get("index")
    if labels is None and labelled:
        raise InputError("Expected batches (x, y) of images and their labels, got images alone")
    labels = torch.full((len(images),), UNLABELLED) if labels is None else labels
    index = number * _PLACES + torch.arange(len(images)) if index is None else index
    for name, values in (("labels", labels), ("index", index)):
        if not isinstance(values, Tensor) or values.shape != images.shape[:1] or values.is_floating_point():
            raise InputError(f"Expected {name} as {len(images)} integers, one for each image, got {_described(values)}")
    return ImageBatch(images, labels, index)


def _named(batch: Any) -> dict[str, Any] | None:
    """The fields by their names; None for what has no images."""
    if isinstance(batch, Tensor):
        return {"images": batch}
    if isinstance(batch, Mapping):
        return dict(batch) if isinstance(batch.get("images"), Tensor) else None
    if isinstance(batch, list | tuple) and len(batch) in (1, 2) and isinstance(batch[0], Tensor):
        return dict(zip(("images", "labels"), batch, strict=False))
    return None


def _images(images: Tensor) -> Tensor:
    """With the shape ``[B, C, H, W]``, where the data has less dimensions."""
    if not images.is_floating_point():
        raise InputError(f"Expected images of a floating dtype in [0, 1], got {images.dtype}: divide them by 255, say")
    if not 2 <= images.dim() <= 4:
        raise InputError(f"Expected images [B, C, H, W], [B, H, W] or [B, N], got {list(images.shape)}")
    if images.dim() == 2:
        return images[:, None, None]
    return images[:, None] if images.dim() == 3 else images


def _described(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of {value.dtype} {list(value.shape)}"
    if isinstance(value, Mapping):
        return f"a dict of {list(value)}"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__} of {[type(item).__name__ for item in value]}"
    return type(value).__name__
