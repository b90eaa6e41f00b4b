r"""The leaky integrate-and-fire neuron (Roy, Panda & Roy 2019, eq. 1-2), and its variant with reset by subtraction."""

from typing import Literal, get_args

import torch
from torch import Tensor

from snn_synth.errors import InputError
from snn_synth.functional.surrogate import spike

Scalar = float | Tensor
"""A leak or threshold: one number, or one for each neuron."""
Reset = Literal["zero", "subtract"]
"""What a spike leaves of the membrane potential: nothing, or what exceeds the threshold."""


def of_dtype(x: Scalar, membrane: Tensor) -> Scalar:
    """A constant of each neuron in the dtype of the membrane: float64, in which they are kept, would spread.

    One number does not spread; it stays as exact as it is.

    Example:
        >>> of_dtype(torch.tensor([0.9, 0.8], dtype=torch.float64), torch.zeros(2)).dtype
        torch.float32
    """
    return x.to(membrane.device, membrane.dtype) if isinstance(x, Tensor) and x.dim() > 0 else x


def next_membrane(
    current: Tensor, membrane: Tensor, fired: Tensor, decay: Scalar, threshold: Scalar, reset: Reset
) -> Tensor:
    r"""The membrane potential a step later.

    .. math::
        \text{zero: } V[t] = (1-\alpha)\,V[t-1]\,(1-A[t-1]) + Z[t], \qquad
        \text{subtract: } V[t] = (1-\alpha)\,V[t-1] + Z[t] - V_{th}\,A[t-1]

    Args:
        current: Z[t].
        membrane: V[t-1], before its reset.
        fired: A[t-1], a constant.
        decay: :math:`1-\alpha`.
        threshold: :math:`V_{th}`.
        reset: to ``zero``, the paper's; or ``subtract`` the threshold, as ``snn.Leaky`` does.

    Shape:
        ``current``, ``membrane``, ``fired`` and the result: ``[B, ...]``.

    Returns:
        V[t], before the reset that a spike causes.

    Raises:
        InputError: for another reset.

    Source:
        Roy, Panda & Roy 2019, eq. 1.

    Example:
        >>> current, membrane, fired = torch.tensor([0.25, 0.25]), torch.tensor([1.5, 0.5]), torch.tensor([1.0, 0.0])
        >>> next_membrane(current, membrane, fired, 0.5, 1.0, "zero")
        tensor([0.2500, 0.5000])
        >>> next_membrane(current, membrane, fired, 0.5, 1.0, "subtract")
        tensor([0.0000, 0.5000])
    """
    check_reset(reset)
    decay, threshold = of_dtype(decay, membrane), of_dtype(threshold, membrane)
    if reset == "zero":
        return decay * ((1 - fired) * membrane) + current  # eq. 1
    return decay * membrane + current - threshold * fired


def check_reset(reset: str) -> None:
    """Raise an InputError for an unknown reset."""
    if reset not in get_args(Reset):
        raise InputError(f"Expected a reset of {list(get_args(Reset))}, got {reset!r}")


def lif_step(
    current: Tensor,
    membrane: Tensor,
    decay: Scalar = 0.9,
    threshold: Scalar = 1.0,
    slope: float = 1.0,
    reset: Reset = "zero",
) -> tuple[Tensor, Tensor]:
    r"""Advance a leaky integrate-and-fire neuron by one time step.

    .. math::
        V[t] = (1-\alpha)\,V[t-1]\,(1-A[t-1]) + Z[t], \qquad A[t] = [V[t] \ge V_{th}]

    With reset by subtraction, :math:`V[t] = (1-\alpha)\,V[t-1] + Z[t] - V_{th} A[t-1]`: charge above the threshold
    counts for the next spike. A[t-1] is a constant there: no gradient passes through the reset.

    Args:
        current: input Z[t].
        membrane: V[t-1] before its reset; the reset is derived from it.
        decay: :math:`1-\alpha`, with :math:`\alpha` the paper's leak.
        threshold: :math:`V_{th}`.
        slope: steepness of the surrogate's sigmoid.
        reset: to ``zero``, or ``subtract`` the threshold.

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
    threshold = of_dtype(threshold, membrane)
    fired = spike(membrane - threshold, slope).detach()
    membrane = next_membrane(current, membrane, fired, decay, threshold, reset)
    return spike(membrane - threshold, slope), membrane  # eq. 2


def lif_scan(
    currents: Tensor,
    membrane: Tensor | None = None,
    decay: Scalar = 0.9,
    threshold: Scalar = 1.0,
    slope: float = 1.0,
    reset: Reset = "zero",
) -> tuple[Tensor, Tensor]:
    r"""Run :func:`lif_step` over all time steps.

    Args:
        currents: inputs Z.
        membrane: V[0] before its reset; zeros when not given.
        decay: :math:`1-\alpha`.
        threshold: :math:`V_{th}`.
        slope: steepness of the surrogate's sigmoid.
        reset: to ``zero``, or ``subtract`` the threshold.

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
        >>> spikes, membranes = lif_scan(torch.full((4, 1), 0.8), decay=1.0, reset="subtract")
        >>> spikes.flatten().tolist()
        [0.0, 1.0, 1.0, 1.0]
    """
    check_scan(currents, membrane)
    if membrane is None:
        membrane = torch.zeros_like(currents[0])
    spikes, membranes = [], []
    for current in currents:
        fired, membrane = lif_step(current, membrane, decay, threshold, slope, reset)
        spikes.append(fired)
        membranes.append(membrane)
    return torch.stack(spikes), torch.stack(membranes)


def check_scan(currents: Tensor, membrane: Tensor | None) -> None:
    """Raise an InputError unless the shapes fit :func:`lif_scan`."""
    if currents.dim() == 0 or len(currents) == 0:
        raise InputError(f"Expected currents of shape [T, B, ...] with T >= 1, got {list(currents.shape)}")
    if membrane is not None and membrane.shape != currents.shape[1:]:
        raise InputError(f"Expected membrane of shape {list(currents.shape[1:])}, got {list(membrane.shape)}")
