"""What a small code is worth: what a linear classifier reads from it, and what needs no network at all."""

import torch
import torch.nn.functional as F
from torch import Tensor

from snn_synth.errors import InputError


def probe(codes: Tensor, labels: Tensor, held_out: Tensor, held_out_labels: Tensor) -> float:
    """Accuracy of logistic regression on codes: fitted to some, measured on others.

    Args:
        codes: ``[n, D]``, standardized here.
        labels: ``[n]``.
        held_out: ``[m, D]``.
        held_out_labels: ``[m]``.

    Raises:
        InputError: if codes and labels differ in number.

    Example:
        >>> codes = torch.tensor([[0.0], [1.0], [5.0], [6.0]])
        >>> probe(codes, torch.tensor([0, 0, 1, 1]), torch.tensor([[0.5], [7.0]]), torch.tensor([0, 1]))
        1.0
    """
    mean, deviation = codes.mean(0), codes.std(0).clamp(min=1e-6)
    if len(codes) != len(labels) or len(held_out) != len(held_out_labels):
        raise InputError(
            f"Expected a label for each code, got {len(codes)} and {len(held_out)} codes "
            f"with {len(labels)} and {len(held_out_labels)} labels"
        )
    codes, held_out = (codes - mean) / deviation, (held_out - mean) / deviation
    weight = torch.zeros(codes.shape[1] + 1, int(labels.max()) + 1, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.cross_entropy(codes @ weight[:-1] + weight[-1], labels) + 1e-4 * weight[:-1].square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    with torch.enable_grad():
        optimizer.step(loss)  # type: ignore[no-untyped-call]
    right = (held_out @ weight[:-1] + weight[-1]).argmax(1) == held_out_labels
    return float(right.float().mean())


def baselines(train: Tensor, test: Tensor, components: tuple[int, ...] = (8, 16, 32)) -> dict[str, float]:
    """Mean square errors, on test pixels, of an all-black image, the mean training image, and principal components.

    Example:
        >>> train = torch.tensor([[0.0, 0.0], [2.0, 2.0]])
        >>> found = baselines(train, torch.tensor([[1.0, 1.0], [3.0, 1.0]]), (1,))
        >>> [round(found[name], 3) for name in ("black", "mean_image", "pca_1")]
        [3.0, 1.0, 0.5]
    """
    mean = train.mean(0)
    errors = {"black": test.square().mean(), "mean_image": (test - mean).square().mean()}
    vectors = torch.linalg.eigh(torch.cov(train.T))[1]
    for number in components:
        axes = vectors[:, -number:]
        centred = test - mean
        errors[f"pca_{number}"] = (centred - centred @ axes @ axes.T).square().mean()
    return {name: float(error) for name, error in errors.items()}
