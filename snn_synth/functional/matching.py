"""How far the classes of two batches lie apart: their means, and all of their samples."""

import torch
import torch.nn.functional as F
from torch import Tensor

from snn_synth.errors import InputError


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


def class_energy_distance(drawn: Tensor, real: Tensor, labels: Tensor, repulsion: float = 1.0) -> Tensor:
    r"""Energy distance of two batches within their classes: 0 on average if each class is distributed alike in both.

    .. math:: D = \frac{2}{N} \sum_{y_i = y_j} \lVert g_i - x_j \rVert
        - \frac{1}{M} \sum_{i \ne j,\, y_i = y_j}
        \bigl(\kappa \lVert g_i - g_j \rVert + \lVert x_i - x_j \rVert\bigr)

    with N and M the numbers of pairs in either sum. Its mean does not depend on the size of the batch. That of a
    batch's class means, :func:`matching_loss`, does: it has their variance in it, so that few samples become alike.
    With :math:`\kappa < 1` it is no distance any more: least where the drawn samples keep to what is frequent.

    Args:
        drawn: g, of each sample.
        real: x, of a real sample of the same class.
        labels: y.
        repulsion: :math:`\kappa`, how much drawn samples are to lie apart; 0 gives the medians of the classes.

    Shape:
        ``drawn`` and ``real``: ``[B, N]``; ``labels``: ``[B]``; the result is a scalar.

    Raises:
        InputError: for shapes that do not fit.

    Source:
        Székely & Rizzo 2013; Bellemare et al. 2017 (Cramér GAN) train a generator by it, without classes.

    Example:
        >>> drawn, real = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [3.0]])
        >>> class_energy_distance(drawn, real, torch.tensor([0, 0]))  # 2 (0 + 3 + 1 + 2) / 4 - (1 + 3)
        tensor(-1.)
    """
    if drawn.dim() != 2 or drawn.shape != real.shape or labels.shape != drawn.shape[:1]:
        raise InputError(
            f"Expected two batches [B, N] and labels [B], got {list(drawn.shape)}, {list(real.shape)} and "
            f"{list(labels.shape)}"
        )
    same = (labels[:, None] == labels).to(drawn.dtype)
    others = same - torch.eye(len(labels), dtype=drawn.dtype, device=drawn.device)

    def mean(first: Tensor, second: Tensor, pairs: Tensor) -> Tensor:
        return (_distances(first, second) * pairs).sum() / pairs.sum().clamp(min=1)

    return 2 * mean(drawn, real, same) - repulsion * mean(drawn, drawn, others) - mean(real, real, others)


def _distances(first: Tensor, second: Tensor) -> Tensor:
    return torch.cdist(first, second, compute_mode="donot_use_mm_for_euclid_dist")  # products would round
