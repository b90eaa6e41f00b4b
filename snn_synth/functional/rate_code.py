"""Spikes drawn by their rates, with a gradient of the rates, and how far two sets of rates lie apart (ESVAE)."""

from typing import Any

import torch
from torch import Tensor

from snn_synth.errors import InputError


class _SampledSpikes(torch.autograd.Function):
    """Fires where the rate is above a random number; the derivative is 1 where the two are within half a unit."""

    @staticmethod
    def forward(ctx: Any, rates: Tensor, uniform: Tensor) -> Tensor:
        above = rates - uniform
        ctx.save_for_backward(above)
        return (above > 0).to(rates.dtype)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        (above,), (gradient,) = ctx.saved_tensors, grad_outputs
        return (gradient * (above.abs() < 0.5)).sum(0), None


def sampled_spikes(rates: Tensor, num_steps: int, generator: torch.Generator | None = None) -> Tensor:
    r"""Spikes drawn at random at each step, with their rates as probabilities.

    .. math:: z_i[t] = [r_i > u_i[t]], \quad u \sim \mathcal U(0, 1), \qquad
        \frac{\partial z}{\partial r} \approx [\,|r - u| < \tfrac12\,]

    Args:
        rates: r, in [0, 1].
        num_steps: T.
        generator: of the random numbers.

    Shape:
        ``[B, N]``; the result ``[T, B, N]``.

    Raises:
        InputError: for ``num_steps`` below 1.

    Source:
        Zhan et al. 2023 (ESVAE), and the authors' code.

    Example:
        >>> sampled_spikes(torch.tensor([[0.0, 0.3, 1.0]]), 1000, torch.Generator().manual_seed(0)).mean(0)
        tensor([[0.0000, 0.3000, 1.0000]])
    """
    if num_steps < 1:
        raise InputError(f"Expected `num_steps` to be at least 1, got {num_steps}")
    uniform = torch.rand((num_steps, *rates.shape), dtype=rates.dtype, device=rates.device, generator=generator)
    spikes: Tensor = _SampledSpikes.apply(rates, uniform)  # type: ignore[no-untyped-call]
    return spikes


def rbf_mmd(first: Tensor, second: Tensor, kernels: int = 5) -> Tensor:
    r"""Squared maximum mean discrepancy of two sets of samples, by a sum of Gaussian kernels.

    .. math:: d^2 = \overline{k(x, x')} + \overline{k(y, y')} - 2\,\overline{k(x, y)}, \qquad
        k(x, y) = \sum_{i=0}^{K-1} \exp\Bigl(-\frac{\lVert x - y \rVert^2}{2^{\,i - \lfloor K/2 \rfloor}\,h}\Bigr)

    with h the mean squared distance of all different pairs, which is not differentiated.

    Args:
        first: x.
        second: y, as many.
        kernels: K.

    Shape:
        both ``[B, N]``; the result is a scalar.

    Raises:
        InputError: for shapes that differ, or fewer than two samples.

    Source:
        Gretton et al. 2012; Zhan et al. 2023 (ESVAE).

    Example:
        >>> x = torch.tensor([[0.0], [1.0]])
        >>> rbf_mmd(x, x).item(), rbf_mmd(x, x + 3).item() > 0.5
        (0.0, True)
    """
    if first.shape != second.shape or first.dim() != 2 or len(first) < 2:
        raise InputError(
            f"Expected two sets [B, N] of as many samples, at least two, got {list(first.shape)} "
            f"and {list(second.shape)}"
        )
    every = torch.cat([first, second])
    distances = (every[:, None] - every).square().sum(2)
    bandwidth = distances.detach().sum() / (len(every) * (len(every) - 1)) / 2 ** (kernels // 2)
    kernel = sum((-distances / (bandwidth.clamp(min=1e-12) * 2**i)).exp() for i in range(kernels))
    size = len(first)
    within, across = kernel[:size, :size] + kernel[size:, size:], kernel[:size, size:] + kernel[size:, :size]
    difference: Tensor = (within - across).mean()
    return difference
