"""Splits of a data set into two parts, as index tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from snn_synth.errors import InputError

SHOWN = 20  # names in a message: a corpus may have thousands of speakers


def random_split(n: int, fraction: float, seed: int, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Split `range(n)` by a seed.

    Args:
        n: number of samples.
        fraction: share of the part, in (0, 1).
        seed: draws the split; the same seed gives the same split.
        labels: if given, int64 `[n]`, and each label is split by itself (a stratified split).

    Returns:
        Indices of the rest and of the part, both sorted.

    Raises:
        InputError: the fraction is outside (0, 1), a side stays empty, a label has nothing in the rest, or no label has
            two samples.

    Example:
        >>> rest, part = random_split(10, 0.2, seed=0)
        >>> len(rest), len(part)
        (8, 2)
    """
    if not 0 < fraction < 1:
        raise InputError(f"Expected a fraction between 0 and 1, got {fraction}")
    if labels is not None and len(labels) != n:
        raise InputError(f"Expected {n} labels, got {len(labels)}")
    generator = torch.Generator().manual_seed(seed)
    groups = (
        [torch.arange(n)]
        if labels is None
        else [torch.nonzero(labels == v).flatten() for v in sorted(set(labels.tolist()))]
    )
    largest = max(map(len, groups), default=0)
    if largest < 2:
        each = "" if labels is None else " of a label"
        raise InputError(f"Expected at least 2 samples{each}, to hold one out, got {largest}")
    in_part = torch.zeros(n, dtype=torch.bool)
    for group in groups:
        taken = round(fraction * len(group))
        if taken == len(group):
            raise InputError(f"Expected a fraction that leaves samples of each label, got {fraction} of {taken}")
        shuffled = group[torch.randperm(len(group), generator=generator)]
        in_part[shuffled[:taken]] = True
    rest, part = torch.nonzero(~in_part).flatten(), torch.nonzero(in_part).flatten()
    if not len(part):
        enough = math.ceil(500 / largest) / 1000
        raise InputError(f"Expected a fraction above {enough}, so that the part gets a sample, got {fraction}")
    return rest, part


def split_by_speaker(speakers: Sequence[str], held_out: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Hold whole speakers out.

    Args:
        speakers: the speaker of each sample.
        held_out: names of the speakers to hold out.

    Returns:
        Indices of the rest and of the held-out speakers' samples, both sorted.

    Raises:
        InputError: a name is unknown, or a side stays empty.

    Example:
        >>> split_by_speaker(["ann", "bob", "ann"], ["bob"])
        (tensor([0, 2]), tensor([1]))
    """
    unknown = sorted(set(held_out) - set(speakers))
    if unknown:
        known = sorted(set(speakers))
        more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
        raise InputError(f"Expected speakers among {', '.join(known[:SHOWN])}{more}, got {', '.join(unknown)}")
    chosen = torch.tensor([speaker in set(held_out) for speaker in speakers], dtype=torch.bool)
    if chosen.all() or not chosen.any():
        raise InputError(f"Expected to hold out some speakers and not all, got {', '.join(held_out) or 'none'}")
    return torch.nonzero(~chosen).flatten(), torch.nonzero(chosen).flatten()


def leave_one_speaker_out(speakers: Sequence[str], left_out: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Split off all that one speaker says.

    Args:
        speakers: the speaker of each sample; "" where nobody knows.
        left_out: the name of one speaker.

    Returns:
        Indices of the rest and of the one speaker's samples, both sorted.

    Raises:
        InputError: it is not one name, the name is unknown, samples have no speaker, or there are fewer than three.

    Example:
        >>> leave_one_speaker_out(["ann", "bob", "ann", "zoe"], ["ann"])
        (tensor([1, 3]), tensor([0, 2]))
    """
    if len(left_out) != 1:
        raise InputError(f"Expected one speaker to leave out, got {', '.join(left_out) or 'none'}")
    unnamed = sum(not speaker for speaker in speakers)
    if unnamed:
        raise InputError(f"Expected the speaker of each sample, to leave one out, got {unnamed} samples without")
    split = split_by_speaker(speakers, left_out)
    names = sorted(set(speakers))
    if len(names) < 3:  # what one voice alone has taught says little of how an unheard one fares
        raise InputError(f"Expected at least three speakers, to leave one out, got {' and '.join(names)}")
    return split
