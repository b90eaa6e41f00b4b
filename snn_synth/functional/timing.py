"""Errors of spike times, for networks in which each neuron fires at most once (Comsa et al. 2021)."""

import torch
from torch import Tensor

from snn_synth.errors import InputError


def timing_loss(times: Tensor, targets: Tensor) -> Tensor:
    r"""Half the squared errors of the spike times: sum over the neurons that fire, mean over the batch.

    .. math:: L = \frac{1}{2B} \sum_{b} \sum_{k:\, t_{b,k} < \infty} (t_{b,k} - \hat t_{b,k})^2

    Args:
        times: of the output neurons; inf for one that is silent, see :func:`silent_penalty`.
        targets: when each should fire, finite.

    Shape:
        both ``[B, neurons]``; the result is a scalar.

    Raises:
        InputError: if the shapes differ.

    Source:
        Comsa, Versari, Fischbacher & Alakuijala 2021, the gradient of their code.

    Example:
        >>> timing_loss(torch.tensor([[1.5, torch.inf]]), torch.tensor([[1.0, 2.0]]))
        tensor(0.1250)
    """
    if times.shape != targets.shape:
        raise InputError(f"Expected times and targets of one shape, got {list(times.shape)} and {list(targets.shape)}")
    errors = torch.where(times.isfinite(), times - targets, 0)
    return 0.5 * errors.square().flatten(1).sum(1).mean()


def silent_penalty(times: Tensor, weight: Tensor) -> Tensor:
    r"""What lifts the weights of neurons that stay silent, which have no other gradient.

    .. math:: P = -\frac{1}{B} \sum_{b} \sum_{j:\, t_{b,j} = \infty} \sum_i w_{ji}

    Args:
        times: of a layer's neurons.
        weight: of that layer.

    Shape:
        ``times``: ``[B, out]``; ``weight``: ``[out, in]``; the result is a scalar, whose gradient by a weight is minus
        the share of samples in which its neuron is silent.

    Source:
        Comsa, Versari, Fischbacher & Alakuijala 2021, ``penalty_no_spike`` of their code.

    Example:
        >>> silent_penalty(torch.tensor([[1.0, torch.inf], [1.0, 2.0]]), torch.tensor([[1.0, 1.0], [2.0, 4.0]]))
        tensor(-3.)
    """
    return -(times.isinf().to(weight.dtype).mean(0) @ weight.sum(1))
