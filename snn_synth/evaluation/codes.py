"""What a code is worth, beside baselines without a network."""

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
        InputError: if codes and labels differ in number, or codes are not finite.

    Example:
        >>> codes = torch.tensor([[0.0], [1.0], [5.0], [6.0]])
        >>> probe(codes, torch.tensor([0, 0, 1, 1]), torch.tensor([[0.5], [7.0]]), torch.tensor([0, 1]))
        1.0
    """
    codes, held_out = codes.detach().float(), held_out.detach().float()
    if codes.dim() != 2 or held_out.dim() != 2:
        raise InputError(f"Expected codes [N, features], got {list(codes.shape)} and {list(held_out.shape)}")
    if not bool(codes.isfinite().all() & held_out.isfinite().all()):
        raise InputError("Expected finite codes, got inf or NaN: give a neuron that stays silent a late time")
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

    Shape:
        ``train``: ``[N, ...]``; ``test``: ``[M, ...]``, images of as many pixels.

    Raises:
        InputError: for other numbers of pixels.

    Example:
        >>> train = torch.tensor([[0.0, 0.0], [2.0, 2.0]])
        >>> found = baselines(train, torch.tensor([[1.0, 1.0], [3.0, 1.0]]), (1,))
        >>> [round(found[name], 3) for name in ("black", "mean_image", "pca_1")]
        [3.0, 1.0, 0.5]
    """
    train, test = train.flatten(1), test.flatten(1)
    if train.shape[1] != test.shape[1]:
        raise InputError(f"Expected images of as many pixels, got {train.shape[1]} and {test.shape[1]}")
    mean = train.mean(0)
    errors = {"black": test.square().mean(), "mean_image": (test - mean).square().mean()}
    vectors = torch.linalg.eigh(torch.cov(train.double().T))[1].to(train.dtype)  # in float32 it may not converge
    for number in components:
        axes = vectors[:, -number:]
        centred = test - mean
        errors[f"pca_{number}"] = (centred - centred @ axes @ axes.T).square().mean()
    return {name: float(error) for name, error in errors.items()}
