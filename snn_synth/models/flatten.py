"""Images as the vectors that a fully connected layer reads."""

from torch import Tensor

from snn_synth.errors import InputError
from snn_synth.functional.inputs import as_tensor


def flatten_images(images: Tensor, pixels: int) -> Tensor:
    """Images ``[B, ...]`` with so many pixels each as ``[B, pixels]``.

    Raises:
        InputError: for another number of pixels.

    Example:
        >>> import torch
        >>> flatten_images(torch.zeros(5, 1, 2, 2), 4).shape
        torch.Size([5, 4])
    """
    images = as_tensor(images, "images")
    flat = images.flatten(1) if images.dim() > 1 else images
    if flat.dim() != 2 or flat.shape[1] != pixels:
        raise InputError(f"Expected images of shape [B, ...] with {pixels} pixels each, got {list(images.shape)}")
    return flat
