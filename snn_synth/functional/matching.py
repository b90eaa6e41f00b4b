"""How far the class means of two batches lie apart."""

import torch.nn.functional as F
from torch import Tensor


def class_sums(values: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Sums of the samples of each class, and how many there are.

    Args:
        values: of each sample.
        labels: of each sample.
        classes: C.

    Shape:
        ``values``: ``[B, N]``; ``labels``: ``[B]``; the results ``[C, N]`` and ``[C]``.

    Example:
        >>> import torch
        >>> class_sums(torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([1, 0, 1]), 2)
        (tensor([[2.],
                [5.]]), tensor([1., 2.]))
    """
    member = F.one_hot(labels, classes).to(values.dtype)
    return member.T @ values, member.sum(0)


def matching_loss(values: Tensor, labels: Tensor, means: Tensor, known: Tensor) -> Tensor:
    r"""Half the squared distances of a batch's class means from given ones, averaged over the classes.

    .. math:: L = \frac{1}{2C} \sum_{c} \lVert \bar x_c - m_c \rVert^2

    over the classes that are in the batch and known.

    Args:
        values: x, of each sample.
        labels: of each sample.
        means: m.
        known: which of the classes have a mean.

    Shape:
        ``values``: ``[B, N]``; ``labels``: ``[B]``; ``means``: ``[C, N]``; ``known``: ``[C]``; the result is a scalar.

    Source:
        Salimans et al. 2016 (feature matching).

    Example:
        >>> import torch
        >>> means = torch.tensor([[0.0], [1.0]])
        >>> matching_loss(torch.tensor([[1.0], [3.0]]), torch.tensor([0, 0]), means, torch.ones(2))
        tensor(1.)
    """
    sums, counts = class_sums(values, labels, len(means))
    apart = sums / counts.clamp(min=1)[:, None] - means
    counted = ((counts > 0) & (known > 0)).to(values.dtype)
    loss: Tensor = 0.5 * (apart.square().sum(1) * counted).sum() / len(means)
    return loss
