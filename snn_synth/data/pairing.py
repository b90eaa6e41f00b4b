"""Which image a spoken word is to become: the paper's datasets A and B (section 3.3)."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import torch
from torch import Tensor

from snn_synth.errors import InputError

UNSAID = -1
"""The label of an image that no word is paired with."""


def match_names(words: Sequence[str], classes: Sequence[str]) -> list[int]:
    """For each word the class of images that has its name; classes that nobody says are left over.

    Args:
        words: names of the words.
        classes: names of the images' classes.

    Returns:
        The place in `classes` of each word.

    Raises:
        InputError: words have no class of their name; it names them.

    Example:
        >>> match_names(["cat", "dog"], ["dog", "cat", "bird"])
        [1, 0]
    """
    # The same letter may come as one code point or as two, from a folder's name on macOS, say.
    places = {unicodedata.normalize("NFC", name): place for place, name in enumerate(classes)}
    found = [places.get(unicodedata.normalize("NFC", word)) for word in words]
    missing = [word for word, place in zip(words, found, strict=True) if place is None]
    if missing:
        raise InputError(
            f"Expected images of every word, found none of {_listed(missing)} among the images of {_listed(classes)}"
        )
    return [place for place in found if place is not None]


def as_words(image_labels: Tensor, classes: Sequence[int]) -> Tensor:
    """The labels of images, as labels of the words that they are paired with.

    Args:
        image_labels: int64 `[N]`.
        classes: the images' label of each word.

    Returns:
        int64 `[N]`, `UNSAID` for an image of no word.

    Example:
        >>> as_words(torch.tensor([0, 1, 2, 1]), classes=[1, 0])
        tensor([ 1,  0, -1,  0])
    """
    words = torch.full((max([*image_labels.tolist(), *classes]) + 1,), UNSAID)
    words[list(classes)] = torch.arange(len(classes))
    return words[image_labels]


def one_image_per_class(labels: Tensor, classes: int = 10) -> Tensor:
    """Dataset A: the first image of each label.

    Args:
        labels: labels of the images, int64 `[N]`.
        classes: how many labels there are.

    Returns:
        int64 `[classes]`: the image index for labels 0, 1, ...

    Raises:
        InputError: a label has no image.

    Example:
        >>> one_image_per_class(torch.tensor([2, 1, 0, 0]), classes=3)
        tensor([2, 1, 0])
    """
    return torch.stack([_images_of(labels, label)[0] for label in range(classes)])


def class_mean_images(images: Tensor, labels: Tensor, classes: int = 10) -> Tensor:
    """A second fixed set for dataset A: of each label, the image nearest to its class mean (Euclidean).

    Args:
        images: `[N, ...]`, any dtype.
        labels: int64 `[N]`.
        classes: how many labels there are.

    Returns:
        int64 `[classes]`: the image index for labels 0, 1, ...

    Raises:
        InputError: a label has no image.

    Example:
        >>> class_mean_images(torch.tensor([[0], [4], [5], [9]]), torch.tensor([0, 0, 0, 1]), classes=2)
        tensor([1, 3])
    """
    chosen = []
    for label in range(classes):
        index = _images_of(labels, label)
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


def _images_of(labels: Tensor, label: int) -> Tensor:
    index = torch.nonzero(labels == label).flatten()
    if not len(index):
        raise InputError(f"Expected at least one image of each label, got none of label {label}")
    return index


def _listed(names: Sequence[str], most: int = 10) -> str:
    """Names in quotes; of many, the first."""
    shown = ", ".join(repr(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
