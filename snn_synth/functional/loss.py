r"""The masked membrane loss (Roy, Panda & Roy 2019, eq. 5-9), and a loss of firing rates."""

import torch
from torch import Tensor

from snn_synth.errors import InputError
from snn_synth.functional.inputs import as_values
from snn_synth.functional.lif import Scalar, of_dtype


def membrane_error(membrane: Tensor, target_spikes: Tensor, threshold: Scalar = 1.0, mask: bool = True) -> Tensor:
    r"""Error of the membrane where the neuron fired wrongly.

    .. math::
        O[t] = V_{th} X[t], \qquad m[t] = X[t] \oplus A[t], \qquad E[t] = m[t] \odot (O[t] - V[t])

    with X the target spikes and :math:`A = [V \ge V_{th}]` the neuron's own. The mask is a constant.

    Args:
        membrane: V of the output layer, before reset.
        target_spikes: X, zeros and ones.
        threshold: :math:`V_{th}`; a learned one gets its gradient through O.
        mask: False keeps the error of every neuron (the paper's figure 4A).

    Shape:
        all three: the same, any.

    Returns:
        E. By eq. 9, ``-E`` is the derivative of eq. 8 by V.

    Raises:
        InputError: if the shapes differ.

    Source:
        Roy, Panda & Roy 2019, eq. 5-7.

    Example:
        >>> membrane_error(torch.tensor([0.25, 1.5, 0.25, 1.5]), torch.tensor([1.0, 1.0, 0.0, 0.0]))
        tensor([ 0.7500, -0.0000, -0.0000, -1.5000])
    """
    membrane = as_values(membrane, name="membrane")
    target_spikes = as_values(target_spikes, membrane, "target spikes")
    if membrane.shape != target_spikes.shape:
        raise InputError(
            f"Expected membrane and target spikes of one shape, got {list(membrane.shape)} "
            f"and {list(target_spikes.shape)}"
        )
    threshold = of_dtype(threshold, membrane)
    target = threshold * target_spikes  # eq. 5
    error: Tensor = target - membrane
    if not mask:
        return error
    wrong = (membrane.detach() >= threshold) != (target_spikes > 0)  # eq. 6
    return wrong * error  # eq. 7


def membrane_losses(
    membrane: Tensor,
    target_spikes: Tensor,
    threshold: Scalar = 1.0,
    mask: bool = True,
    weight: Tensor | None = None,
) -> Tensor:
    r"""Half the squared membrane error of each time step and sample, a weighted sum over neurons.

    .. math:: L[t, b] = \tfrac12 \sum_n w_n E[t, b, n]^2

    Args:
        membrane: V of the output layer, before reset.
        target_spikes: the spikes it should have fired, zeros and ones.
        threshold: :math:`V_{th}`.
        mask: False keeps the error of every neuron (the paper's figure 4A).
        weight: w of each neuron; 1 if not given.

    Shape:
        ``membrane`` and ``target_spikes``: ``[T, B, ...]``; ``weight``: ``[...]``; the result ``[T, B]``, in float32 at
        least.

    Raises:
        InputError: if the shapes do not fit or have fewer than three axes, or there is no time step.

    Example:
        >>> membrane, target = torch.tensor([[[0.25, 1.5]]]), torch.tensor([[[1.0, 0.0]]])
        >>> membrane_losses(membrane, target, weight=torch.tensor([2.0, 0.0]))
        tensor([[0.5625]])
    """
    membrane = as_values(membrane, name="membrane")
    if membrane.dim() < 3 or len(membrane) == 0:
        raise InputError(f"Expected membrane of shape [T, B, neurons...], got {list(membrane.shape)} (T >= 1)")
    error = membrane_error(membrane, target_spikes, threshold, mask)
    squares = error.to(torch.promote_types(error.dtype, torch.float32)).square()  # half precision would overflow
    if weight is not None:
        if weight.shape != membrane.shape[2:]:
            raise InputError(
                f"Expected a weight for each neuron, of shape {list(membrane.shape[2:])}, got {list(weight.shape)}"
            )
        squares = squares * weight.to(squares)
    return 0.5 * squares.flatten(2).sum(-1)


def membrane_loss(membrane: Tensor, target_spikes: Tensor, threshold: Scalar = 1.0, mask: bool = True) -> Tensor:
    r"""Half the squared membrane error: sum over neurons, mean over the batch and over time steps.

    .. math:: L = \frac{1}{TB} \sum_{t,b} \tfrac12 \lVert E[t, b] \rVert^2

    Args:
        membrane: V of the output layer, before reset.
        target_spikes: the spikes it should have fired, zeros and ones.
        threshold: :math:`V_{th}`.
        mask: False keeps the error of every neuron (the paper's figure 4A).

    Shape:
        ``membrane`` and ``target_spikes``: ``[T, B, ...]``; the result is a scalar.

    Returns:
        The loss, in float32 at least. Its gradient by V[t, b] is ``-E[t, b] / (T B)`` (eq. 9). That of no sample is
        NaN, as in ``torch.nn.functional.mse_loss``.

    Raises:
        InputError: if the shapes differ or have fewer than three axes, or there is no time step.

    Source:
        Roy, Panda & Roy 2019, eq. 5-9.

    Example:
        >>> membrane_loss(torch.tensor([[[0.25, 1.5]]]), torch.tensor([[[1.0, 0.0]]]))  # (0.75^2 + 1.5^2) / 2
        tensor(1.4062)
    """
    return membrane_losses(membrane, target_spikes, threshold, mask).mean()  # eq. 8; autograd gives eq. 9, eq. 13: -E


def rate_loss(spikes: Tensor, target_spikes: Tensor) -> Tensor:
    r"""Half the squared error of the firing rates: sum over neurons, mean over the batch, times T.

    .. math:: L = \frac{T}{2B} \sum_b \lVert \bar A[b] - \bar X[b] \rVert^2, \qquad
        \bar A = \frac1T \sum_t A[t]

    Not the paper's. Where the target spikes of equal inputs differ, a neuron that learns by the masked membrane loss
    falls silent: it errs less by missing a spike, :math:`|V_{th} - V| < V_{th}`, than by a wrong one,
    :math:`|V| \ge V_{th}`. By this loss it fires at their mean rate.

    Args:
        spikes: A, of the output layer, with a surrogate gradient.
        target_spikes: X, zeros and ones.

    Shape:
        both ``[T, B, ...]``; the result is a scalar.

    Raises:
        InputError: if the shapes differ or have fewer than three axes, or there is no time step.

    Example:
        >>> fired, wanted = torch.tensor([[[1.0]], [[0.0]]]), torch.tensor([[[1.0]], [[1.0]]])
        >>> rate_loss(fired, wanted)  # 2 / 2 (0.5 - 1)^2
        tensor(0.2500)
    """
    spikes = as_values(spikes, name="spikes")
    target_spikes = as_values(target_spikes, spikes, "target spikes")
    if spikes.shape != target_spikes.shape or spikes.dim() < 3 or len(spikes) == 0:
        raise InputError(
            f"Expected spikes and target spikes of one shape [T, B, neurons...], got {list(spikes.shape)} "
            f"and {list(target_spikes.shape)} (T >= 1)"
        )
    error = spikes.mean(0) - target_spikes.mean(0)
    return 0.5 * len(spikes) * error.square().flatten(1).sum(1).mean()
