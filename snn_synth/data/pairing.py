"""Which image a spoken word is to become: the paper's datasets A and B (section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor

from snn_synth.errors import InputError


def one_image_per_class(labels: Tensor) -> Tensor:
    """Dataset A: the first image of each of the ten labels.

    Args:
        labels: labels of the images, int64 `[N]`.

    Returns:
        int64 `[10]`: the image index for labels 0 to 9.

    Raises:
        InputError: a label has no image.

    Example:
        >>> one_image_per_class(torch.tensor([9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0]))
        tensor([9, 8, 7, 6, 5, 4, 3, 2, 1, 0])
    """
    return torch.stack([_images_of(labels, digit)[0] for digit in range(10)])


def class_mean_images(images: Tensor, labels: Tensor) -> Tensor:
    """A second fixed set for dataset A: of each label, the image nearest to its class mean (Euclidean).

    Args:
        images: `[N, ...]`, any dtype.
        labels: int64 `[N]`.

    Returns:
        int64 `[10]`: the image index for labels 0 to 9.

    Raises:
        InputError: a label has no image.
    """
    chosen = []
    for digit in range(10):
        index = _images_of(labels, digit)
        pixels = images[index].flatten(1).double()
        distance = (pixels - pixels.mean(0)).square().sum(1)
        chosen.append(index[distance.argmin()])
    return torch.stack(chosen)


def one_image_per_utterance(utterance_labels: Tensor, image_labels: Tensor, seed: int) -> Tensor:
    """Dataset B: for each utterance a random image of the same label, none used twice.

    Args:
        utterance_labels: int64 `[N]`.
        image_labels: int64 `[M]`.
        seed: draws the pairing.

    Returns:
        int64 `[N]`: the image index of each utterance.

    Raises:
        InputError: a label has fewer images than utterances.

    Example:
        >>> images = torch.tensor([1, 0, 1, 0])
        >>> chosen = one_image_per_utterance(torch.tensor([1, 1, 0]), images, seed=0)
        >>> images[chosen]
        tensor([1, 1, 0])
    """
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.empty_like(utterance_labels, dtype=torch.long)
    for label in sorted(set(utterance_labels.tolist())):
        utterances = torch.nonzero(utterance_labels == label).flatten()
        images = torch.nonzero(image_labels == label).flatten()
        if len(images) < len(utterances):
            raise InputError(
                f"Expected at least {len(utterances)} images of label {label}, one per utterance, got {len(images)}"
            )
        order = torch.randperm(len(images), generator=generator)[: len(utterances)]
        chosen[utterances] = images[order]
    return chosen


def _images_of(labels: Tensor, digit: int) -> Tensor:
    index = torch.nonzero(labels == digit).flatten()
    if not len(index):
        raise InputError(f"Expected at least one image of each label from 0 to 9, got none of label {digit}")
    return index
