"""Whether samples differ as real images do: variance within classes, and how often each class occurs."""

import torch
from torch import Tensor

from snn_synth.errors import InputError
from snn_synth.functional.matching import class_sums

_ROUNDING = 1e-10  # variance by rounding, relative to the mean sum of squares


def within_class_variance(values: Tensor, labels: Tensor, classes: int) -> Tensor:
    r"""The variance of each class's samples around their mean, summed over pixels or features.

    .. math:: v_c = \frac1{n_c} \sum_{i: y_i = c} \lVert x_i - \bar x_c \rVert^2

    Args:
        values: x, pixels or features.
        labels: y.
        classes: C.

    Shape:
        ``values``: ``[n, ...]``; ``labels``: ``[n]``; the result ``[C]``, 0 for a class without samples.

    Raises:
        InputError: for other numbers of values and labels, or labels that are no classes.

    Example:
        >>> within_class_variance(torch.tensor([[0.0], [2.0], [5.0]]), torch.tensor([0, 0, 1]), 2)
        tensor([1., 0.])
    """
    _check_labels(labels, classes, len(values))
    labels, values = labels.long(), values.flatten(1).float()
    sums, counts = class_sums(values, labels, classes)
    apart = values - (sums / counts[:, None])[labels]
    total = class_sums(apart.square().sum(1), labels, classes)[0]
    return total / counts.clamp(min=1)


def variance_ratio(values: Tensor, labels: Tensor, real: Tensor, real_labels: Tensor, classes: int) -> Tensor:
    r"""How much samples of a class vary, relative to real images of that class; the mean over the classes.

    .. math:: \frac1{|K|} \sum_{c \in K} \frac{v_c(\text{samples})}{v_c(\text{real})}

    over the classes K of the real images that vary. 1 is as much as real images, 0 is one image for each class. A class
    that is never drawn counts as 0. Noise can have more than 1.

    Args:
        values: pixels or features of samples.
        labels: of them.
        real: pixels or features of real images.
        real_labels: of them.
        classes: C.

    Shape:
        ``values``: ``[n, ...]``; ``labels``: ``[n]``; ``real``: ``[m, ...]``; ``real_labels``: ``[m]``; the result is a
        scalar.

    Raises:
        InputError: as :func:`within_class_variance`, or if no class of the real images varies.

    Example:
        >>> labels = torch.tensor([0, 0])
        >>> variance_ratio(torch.tensor([[0.0], [1.0]]), labels, torch.tensor([[0.0], [2.0]]), labels, 2)
        tensor(0.2500)
    """
    found, wanted = within_class_variance(values, labels, classes), within_class_variance(real, real_labels, classes)
    # Of equal images the mean is rounded: they seem to vary.
    vary = wanted > _ROUNDING * real.float().square().sum() / len(real)
    if not bool(vary.any()):
        raise InputError(f"Expected real images that vary within a class, got {len(real)} that do not")
    return (found[vary] / wanted[vary]).mean()


def class_imbalance(labels: Tensor, real_labels: Tensor, classes: int) -> Tensor:
    r"""The share of the samples that would have to be of another class to be balanced as the real images are.

    .. math:: \frac12 \sum_c \lvert p_c - q_c \rvert

    the total variation distance of the two frequencies of classes; 0 is the same balance, and of ten equally frequent
    classes one alone has 0.9.

    Args:
        labels: of samples, by a classifier if they were not asked for.
        real_labels: of real images.
        classes: C.

    Shape:
        ``[n]`` and ``[m]``; the result is a scalar.

    Raises:
        InputError: for no labels, or some that are no classes.

    Example:
        >>> class_imbalance(torch.tensor([0, 0, 0, 1]), torch.tensor([0, 1]), 2)
        tensor(0.2500)
    """
    for some in (labels, real_labels):
        _check_labels(some, classes, max(1, len(some)))
    found, wanted = (torch.bincount(some, minlength=classes) / len(some) for some in (labels, real_labels))
    return (found - wanted).abs().sum() / 2


def _check_labels(labels: Tensor, classes: int, number: int) -> None:
    if labels.shape != (number,) or labels.is_floating_point() or not bool(((labels >= 0) & (labels < classes)).all()):
        span = f"{labels.min()} to {labels.max()}" if labels.numel() else "none"
        raise InputError(
            f"Expected {number} labels, whole numbers below {classes}, got {labels.dtype} {list(labels.shape)}, {span}"
        )
