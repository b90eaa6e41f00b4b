"""What a generator is asked for: how many images, and of which classes."""

from collections.abc import Sequence
from numbers import Integral

import torch
from torch import Tensor

from snn_synth.errors import InputError
from snn_synth.functional.inputs import shown


def check_count(count: int) -> None:
    """Refuse anything but a number of images.

    Raises:
        InputError: for less than 0, and what is no integer.

    Example:
        >>> check_count(-1)
        Traceback (most recent call last):
        snn_synth.errors.InputError: Expected a count of at least 0, got -1
    """
    if not isinstance(count, Integral) or count < 0:
        raise InputError(f"Expected a count of at least 0, got {shown(count)}")


def class_labels(labels: Tensor | Sequence[int], count: int, classes: int, device: torch.device) -> Tensor:
    """The labels ``[count]`` on the device.

    Raises:
        InputError: for another number of them, or labels that are no classes.

    Example:
        >>> class_labels([3, 7], 2, 10, torch.device("cpu"))
        tensor([3, 7])
    """
    try:
        given = torch.as_tensor(labels, device=device)
    except (TypeError, ValueError, RuntimeError):
        given = torch.empty(())
    whole = not (given.is_floating_point() or given.is_complex() or given.dtype == torch.bool)
    if given.shape != (count,) or (count and not whole) or not ((given >= 0) & (given < classes)).all():
        raise InputError(f"Expected {count} labels from 0 to {classes - 1}, got {shown(labels)}")
    return given.long()
