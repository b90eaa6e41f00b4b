"""Image sets made of the pairs (image, label) that other libraries' data sets hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from snn_synth.data.image_files import check_memory, check_size, image_pixels
from snn_synth.data.images import ImageDataset
from snn_synth.errors import InputError, brief

_CHANNELS = (1, 3, 4)


def images_from(
    dataset: Any,
    image: str = "image",
    label: str = "label",
    size: int | Sequence[int] | None = None,
    color: bool = False,
    pad: bool = False,
) -> ImageDataset:
    """Images in memory from a torch Dataset of pairs, or from one of Hugging Face `datasets`.

    Names of classes are the data set's own (`features[label].names` of Hugging Face, `classes` of torchvision), else
    the labels themselves, sorted.

    Args:
        dataset: with `len` and items `(image, label)`, or mappings with these two columns. An image is one of Pillow's,
            a tensor ``[H, W]`` or ``[C, H, W]``, or an array ``[H, W]`` or ``[H, W, C]``; of uint8, or in [0, 1].
        image: name of the images' column.
        label: name of the labels' column; labels are whole numbers or words.
        size: to which all are resized, a side or [height, width]; not needed where all have one size.
        color: three channels instead of one.
        pad: images of another aspect ratio get black borders, instead of being cut at their centre.

    Raises:
        InputError: for other items, labels without a name, no image, images that differ in size without a ``size``, or
            more than 1 GB of them.

    Example:
        >>> pairs = [(torch.rand(3, 20, 30), "cat"), (torch.rand(3, 30, 20), "dog")]
        >>> pets = images_from(pairs, size=16, color=True)
        >>> pets.image_shape, pets.names
        ((3, 16, 16), ('cat', 'dog'))
    """
    height_width = check_size(size)
    try:
        count = len(dataset)
    except TypeError:
        raise InputError(
            f"Expected a data set with a length, got a {type(dataset).__name__}: load it whole, not as a stream"
        ) from None
    images: list[Tensor] = []
    labels: list[int | str] = []
    for place in range(count):
        raw, kind = _pair(dataset[place], image, label)
        try:
            pixels = image_pixels(_as_pillow(raw), height_width, color, pad)
        except (InputError, OSError) as error:
            raise InputError(f"{brief(error)}: image {place}") from error
        if not images:
            check_memory(count, pixels, own_size=height_width is None)
        elif pixels.shape != images[0].shape:
            raise InputError(
                f"Expected images of one size, or `size` to resize them, got {list(images[0].shape[-2:])} of image 0 "
                f"and {list(pixels.shape[-2:])} of image {place}"
            )
        images.append(pixels)
        labels.append(kind)
    if len({type(kind) for kind in labels}) > 1:
        raise InputError("Expected whole numbers or words as labels, got both")
    if not labels:
        raise InputError("Expected images, got a data set of none")
    names = None if isinstance(labels[0], str) else _names(dataset, label)
    if names is not None:
        return ImageDataset(torch.stack(images), torch.tensor(labels), names)
    places = {value: place for place, value in enumerate(sorted(set(labels)))}
    return ImageDataset(torch.stack(images), torch.tensor([places[kind] for kind in labels]), list(map(str, places)))


def _pair(item: Any, image: str, label: str) -> tuple[Any, int | str]:
    """Image and label of an item."""
    if isinstance(item, Mapping):
        if image not in item or label not in item:
            raise InputError(f"Expected columns {image!r} and {label!r}, got {[str(name) for name in item]}")
        raw, kind = item[image], item[label]
    elif isinstance(item, tuple | list) and len(item) == 2:
        raw, kind = item
    else:
        raise InputError(f"Expected items (image, label) or mappings with these columns, got {type(item).__name__}")
    if isinstance(kind, Tensor | np.ndarray | np.generic) and kind.ndim == 0:
        kind = kind.item()
    if not isinstance(kind, int | str):
        raise InputError(f"Expected whole numbers or words as labels, got {type(kind).__name__}")
    return raw, kind


def _names(dataset: Any, label: str) -> list[str] | None:
    """What a data set calls its classes, if it does."""
    features = getattr(dataset, "features", None)
    feature = features.get(label) if isinstance(features, Mapping) else None
    names = getattr(feature, "names", None) or getattr(dataset, "classes", None)
    return [str(name) for name in names] if isinstance(names, list | tuple) else None


def _as_pillow(image: Any) -> Image.Image:
    """An image of any of the kinds, as Pillow's."""
    if isinstance(image, Image.Image):
        return image
    if not isinstance(image, Tensor | np.ndarray):
        raise InputError(f"Expected an image of Pillow's, a tensor or an array, got {type(image).__name__}")
    values = np.asarray(image)
    if values.ndim == 3:  # a tensor's channels come first, an array's last, unless there cannot be so many
        first = values.shape[0] in _CHANNELS and (isinstance(image, Tensor) or values.shape[2] not in _CHANNELS)
        values = np.moveaxis(values, 0, 2) if first else values
        values = values[:, :, 0] if values.shape[2] == 1 else values
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] not in _CHANNELS) or not values.size:
        raise InputError(f"Expected an image [H, W] with 1, 3 or 4 channels, got {list(image.shape)}")
    if values.dtype != np.uint8:
        if values.dtype.kind not in "bf" or not (values.min() >= 0 and values.max() <= 1):  # nor NaN
            raise InputError(f"Expected an image of uint8, or in [0, 1], got {values.dtype}")
        values = (values.astype(np.float64) * 255).round().astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(values))
