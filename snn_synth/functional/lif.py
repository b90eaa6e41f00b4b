r"""The leaky integrate-and-fire neuron (Roy, Panda & Roy 2019, eq. 1-2)."""

import torch
from torch import Tensor

from snn_synth.errors import InputError
from snn_synth.functional.surrogate import spike

Scalar = float | Tensor
"""A leak or threshold: one number, or one for each neuron."""


def of_dtype(x: Scalar, membrane: Tensor) -> Scalar:
    """A constant of each neuron in the dtype of the membrane: float64, in which they are kept, would spread.

    One number does not spread; it stays as exact as it is.

    Example:
        >>> of_dtype(torch.tensor([0.9, 0.8], dtype=torch.float64), torch.zeros(2)).dtype
        torch.float32
    """
    return x.to(membrane.device, membrane.dtype) if isinstance(x, Tensor) and x.dim() > 0 else x


def lif_step(
    current: Tensor, membrane: Tensor, decay: Scalar = 0.9, threshold: Scalar = 1.0, slope: float = 1.0
) -> tuple[Tensor, Tensor]:
    r"""Advance a leaky integrate-and-fire neuron by one time step.

    .. math::
        V[t] = (1-\alpha)\,V[t-1]\,(1-A[t-1]) + Z[t], \qquad A[t] = [V[t] \ge V_{th}]

    The reset is a constant: no gradient passes through it.

    Args:
        current: input Z[t].
        membrane: V[t-1] before its reset; the reset is derived from it.
        decay: :math:`1-\alpha`, with :math:`\alpha` the paper's leak.
        threshold: :math:`V_{th}`.
        slope: steepness of the surrogate's sigmoid.

    Shape:
        ``current``, ``membrane`` and both results: ``[B, ...]``.

    Returns:
        ``(A[t], V[t])``, V[t] before the reset that a spike causes.

    Source:
        Roy, Panda & Roy 2019, eq. 1-2.

    Example:
        >>> spikes, membrane = lif_step(torch.tensor([0.55]), torch.tensor([0.5]))
        >>> spikes, membrane
        (tensor([1.]), tensor([1.]))
        >>> lif_step(torch.tensor([0.25]), membrane)  # it starts again from 0
        (tensor([0.]), tensor([0.2500]))
    """
    decay, threshold = of_dtype(decay, membrane), of_dtype(threshold, membrane)
    reset = spike(membrane - threshold, slope).detach()
    membrane = decay * ((1 - reset) * membrane) + current  # eq. 1
    return spike(membrane - threshold, slope), membrane  # eq. 2


def lif_scan(
    currents: Tensor,
    membrane: Tensor | None = None,
    decay: Scalar = 0.9,
    threshold: Scalar = 1.0,
    slope: float = 1.0,
) -> tuple[Tensor, Tensor]:
    r"""Run :func:`lif_step` over all time steps.

    Args:
        currents: inputs Z.
        membrane: V[0] before its reset; zeros when not given.
        decay: :math:`1-\alpha`.
        threshold: :math:`V_{th}`.
        slope: steepness of the surrogate's sigmoid.

    Shape:
        ``currents``: ``[T, B, ...]``; ``membrane``: ``[B, ...]``; both results ``[T, B, ...]``.

    Returns:
        ``(A, V)`` of every time step, V before reset.

    Raises:
        InputError: if there is no time step, or ``membrane`` is not of the shape of one step.

    Source:
        Roy, Panda & Roy 2019, eq. 1-2.

    Example:
        >>> spikes, membranes = lif_scan(torch.full((4, 1), 0.6))
        >>> spikes.flatten().tolist()
        [0.0, 1.0, 0.0, 1.0]
    """
    check_scan(currents, membrane)
    if membrane is None:
        membrane = torch.zeros_like(currents[0])
    spikes, membranes = [], []
    for current in currents:
        fired, membrane = lif_step(current, membrane, decay, threshold, slope)
        spikes.append(fired)
        membranes.append(membrane)
    return torch.stack(spikes), torch.stack(membranes)


def check_scan(currents: Tensor, membrane: Tensor | None) -> None:
    """Raise an InputError unless the shapes fit :func:`lif_scan`."""
    if currents.dim() == 0 or len(currents) == 0:
        raise InputError(f"Expected currents of shape [T, B, ...] with T >= 1, got {list(currents.shape)}")
    if membrane is not None and membrane.shape != currents.shape[1:]:
        raise InputError(f"Expected membrane of shape {list(currents.shape[1:])}, got {list(membrane.shape)}")
