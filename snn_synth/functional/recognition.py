"""Which label an image was drawn for, from how far it is from each label's own image."""

import torch
from torch import Tensor

from snn_synth.errors import InputError
from snn_synth.functional.inputs import as_values

_LOWEST, _HIGHEST = 1e-3, 10.0  # temperatures: errors lie between 0 and 4
_HALVINGS = 50


def label_probabilities(errors: Tensor, temperature: Tensor | float) -> Tensor:
    r"""Probability of each label, the higher the nearer its image.

    .. math:: p_l = \frac{e^{-\mathrm{MSE}_l / \tau}}{\sum_k e^{-\mathrm{MSE}_k / \tau}}

    Args:
        errors: of each drawn image against each label's image, from :func:`~snn_synth.functional.gallery_mse`.
        temperature: :math:`\tau`, above 0; :func:`fit_temperature` finds it.

    Shape:
        ``errors``: ``[B, L]``; the result alike.

    Raises:
        InputError: for another temperature.

    Example:
        >>> label_probabilities(torch.tensor([[0.1, 0.1, 0.5]]), temperature=0.2)
        tensor([[0.4683, 0.4683, 0.0634]])
    """
    errors = as_values(errors, name="errors")
    if not 0 < temperature < float("inf"):
        raise InputError(f"Expected a temperature above 0, got {float(temperature):g}")
    return (-errors / temperature).softmax(1)


def fit_temperature(errors: Tensor, labels: Tensor) -> Tensor:
    r"""The temperature at which :func:`label_probabilities` says how often it is right: that of maximum likelihood.

    The log-likelihood of N words is concave in :math:`\beta = 1 / \tau`. Its maximum lies where the mean error that the
    probabilities expect is the mean error of the labels; bisection finds it:

    .. math:: \sum_b \sum_l p_{b,l}(\beta)\, \mathrm{MSE}_{b,l} = \sum_b \sum_l q_{b,l}\, \mathrm{MSE}_{b,l}

    A word counts as its label with :math:`q = (N + 1) / (N + 2)`, as any other with what remains: a few words, all of
    them right, do not make it sure of everything.

    Args:
        errors: of words that were not trained on, against each label's image.
        labels: of these words.

    Shape:
        ``errors``: ``[N, L]``; ``labels``: ``[N]``; the result is a scalar between 0.001 and 10.

    Raises:
        InputError: without words, with fewer than two labels, or with labels of another number.

    Source:
        Guo et al. 2017, *On Calibration of Modern Neural Networks*, section 4.2; the targets are those of Platt 1999,
        section 2.2.

    Example:
        >>> errors = torch.tensor([[0.2, 0.4], [0.2, 0.4], [0.4, 0.2], [0.3, 0.5]])
        >>> temperature = fit_temperature(errors, torch.tensor([0, 0, 1, 1]))  # three of four, each nearer by 0.2
        >>> label_probabilities(errors[:1], temperature)
        tensor([[0.6667, 0.3333]])
    """
    errors, labels = as_values(errors, name="errors").double(), torch.as_tensor(labels, device=errors.device)
    if errors.dim() != 2 or errors.shape[0] < 1 or errors.shape[1] < 2 or labels.shape != errors.shape[:1]:
        raise InputError(
            f"Expected errors of shape [N, L] (N >= 1, L >= 2) and N labels, got {list(errors.shape)} and "
            f"{list(labels.shape)}"
        )
    words, count = errors.shape
    own = errors.gather(1, labels[:, None]).squeeze(1)
    others = (errors.sum(1) - own) / (count - 1)
    wanted = ((words + 1) * own + others).mean() / (words + 2)
    low, high = torch.tensor([_LOWEST, _HIGHEST], dtype=torch.float64, device=errors.device).log()
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        expected = (label_probabilities(errors, middle.exp()) * errors).sum(1).mean()
        too_flat = expected > wanted
        low, high = torch.where(too_flat, low, middle), torch.where(too_flat, middle, high)
    temperature: Tensor = ((low + high) / 2).exp()
    return temperature
