r"""From values in [0, 1] to the times of spikes, and back."""

import torch
from torch import Tensor

from snn_synth.functional.encoding import unit_interval
from snn_synth.functional.inputs import as_tensor, as_values


def latency_encode(x: Tensor, num_steps: int) -> Tensor:
    r"""Time-to-first-spike code: one spike, the earlier the larger the value; 0 stays silent.

    .. math:: t_i = \operatorname{round}\bigl((1 - x_i)\,(T - 1)\bigr)

    Args:
        x: values in [0, 1].
        num_steps: T.

    Shape:
        ``x``: ``[*]``; the result ``[T, *]``, of the dtype of ``x``.

    Returns:
        Spikes, zeros and ones.

    Raises:
        InputError: for values outside [0, 1] or ``num_steps < 1``.

    Example:
        >>> latency_encode(torch.tensor([1.0, 0.5, 0.0]), 3).T.tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    x = unit_interval(as_tensor(x), num_steps)
    time = ((1 - x) * (num_steps - 1)).round().to(torch.int64)
    spikes = torch.zeros((num_steps, *x.shape), dtype=x.dtype, device=x.device)
    return spikes.scatter_(0, time[None], (x > 0).to(x.dtype)[None])


def spike_times(x: Tensor) -> Tensor:
    r"""Time code: a value fires once, the earlier the larger it is; 0 does not fire.

    .. math:: t_i = 1 - x_i, \qquad t_i = \infty \text{ for } x_i = 0

    Args:
        x: values in [0, 1].

    Shape:
        any; the result has it too.

    Returns:
        Times in [0, 1), or inf.

    Raises:
        InputError: for values outside [0, 1].

    Source:
        Comsa, Versari, Fischbacher & Alakuijala 2021, section 2.

    Example:
        >>> spike_times(torch.tensor([1.0, 0.25, 0.0]))
        tensor([0.0000, 0.7500,    inf])
    """
    x = unit_interval(as_tensor(x))
    return torch.where(x > 0, 1 - x, torch.inf)


def step_times(x: Tensor, num_steps: int) -> Tensor:
    r"""Time code in whole steps: a value fires once, the earlier the larger it is; 0 does not fire.

    .. math:: t_i = \lfloor (1 - x_i)\,T \rfloor, \qquad \text{T means never}

    Args:
        x: values in [0, 1].
        num_steps: T.

    Shape:
        any; the result has it too.

    Returns:
        Whole numbers from 0 to T, in the dtype of ``x``.

    Raises:
        InputError: for values outside [0, 1] or ``num_steps < 1``.

    Source:
        Kheradpisheh & Masquelier 2020 (S4NN).

    Example:
        >>> step_times(torch.tensor([1.0, 0.9, 0.25, 0.0]), 8)
        tensor([0., 0., 6., 8.])
    """
    x = unit_interval(as_tensor(x), num_steps)
    return ((1 - x) * num_steps + 1e-3).floor()  # a value such as 128 / 255 is not exact


def times_to_values(times: Tensor) -> Tensor:
    r"""The values of a time code: what fires at 0 or before is 1, what fires at 1, later or never is 0.

    .. math:: x_i = 1 - \min(\max(t_i, 0), 1)

    Shape:
        any; the result has it too.

    Example:
        >>> times_to_values(torch.tensor([-0.1, 0.75, torch.inf]))
        tensor([1.0000, 0.2500, 0.0000])
    """
    return 1 - as_values(times, name="times").clamp(0, 1)
