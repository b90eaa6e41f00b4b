r"""The hybrid variational autoencoder's neurons: integrators over filtered inputs, and stochastic readouts.

Skatchkovsky, Simeone & Jang 2021, and the authors' code.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from snn_synth.errors import InputError


def raised_cosines(count: int, length: int, compression: float = 0.5) -> Tensor:
    r"""Bumps on a logarithmic time axis, on which synapses weigh what has fired lately.

    .. math:: \phi_k(t) = \tfrac12 \bigl(1 + \cos(\operatorname{clip}((n_t - c_k)\,\mu \pi / d,\, \pm\pi))\bigr),
        \qquad n_t = \log(t + \text{length} / 10)

    with the centres :math:`c_k` spread evenly, d apart, from :math:`n_0` to :math:`n_{length-1}`.

    Args:
        count: bumps.
        length: time steps back.
        compression: :math:`\mu`.

    Returns:
        ``[count, length]``.

    Raises:
        InputError: for a count or a length below 1.

    Source:
        Pillow et al. 2008; Skatchkovsky, Simeone & Jang 2021.

    Example:
        >>> raised_cosines(2, 3).shape
        torch.Size([2, 3])
    """
    if count < 1 or length < 1:
        raise InputError(f"Expected at least one bump over at least one time step, got {count} and {length}")
    axis = (torch.arange(length, dtype=torch.float64) + length / 10).log()
    spacing = float(axis[-1] - axis[0]) / max(count - 1, 1) or 1.0
    centres = axis[0] + spacing * torch.arange(count, dtype=torch.float64)
    phase = ((axis - centres[:, None]) * compression * math.pi / spacing).clamp(-math.pi, math.pi)
    return (0.5 * (1 + phase.cos())).float()


def synaptic_traces(spikes: Tensor, synapse: float = 0.85, membrane: float = 0.9) -> Tensor:
    r"""Two leaky sums in a row: the current of a synapse, and what it does to the membrane one step later.

    .. math:: Q[t] = \beta\,Q[t-1] + \frac{S[t]}{1 - \beta}, \qquad P[t] = \alpha\,P[t-1] + \frac{Q[t-1]}{1 - \alpha}

    Args:
        spikes: S.
        synapse: :math:`\beta`.
        membrane: :math:`\alpha`.

    Shape:
        ``[T, ...]``; the result, P, has it too.

    Source:
        Kaiser, Mostafa & Neftci 2020; Skatchkovsky, Simeone & Jang 2021.

    Example:
        >>> synaptic_traces(torch.tensor([1.0, 0.0, 0.0]), synapse=0.5, membrane=0.5)
        tensor([0., 4., 4.])
    """
    current, trace, traces = torch.zeros_like(spikes[0]), torch.zeros_like(spikes[0]), []
    for now in spikes:
        trace = membrane * trace + current / (1 - membrane)
        current = synapse * current + now / (1 - synapse)
        traces.append(trace)
    return torch.stack(traces)


class _BoxcarSpike(torch.autograd.Function):
    """Fires at 0 or above; the derivative is 1 within half a unit of it."""

    @staticmethod
    def forward(ctx: Any, membrane: Tensor) -> Tensor:
        ctx.save_for_backward(membrane)
        return (membrane >= 0).to(membrane.dtype)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        (membrane,) = ctx.saved_tensors
        near: Tensor = (membrane > -0.5) & (membrane <= 0.5)
        return grad_outputs[0] * near


def refractory_spikes(potentials: Tensor, refractory: float = 0.65) -> Tensor:
    r"""Spikes of neurons that are less ready to fire after each of them.

    .. math:: R[t] = \rho R[t-1] - S[t-1], \qquad S[t] = [U[t] + R[t] \ge 0]

    The derivative of a spike is 1 where :math:`-0.5 < U + R \le 0.5`; none passes through R.

    Args:
        potentials: U, what the inputs do to the membrane.
        refractory: :math:`\rho`.

    Shape:
        ``[T, ...]``; the result has it too.

    Source:
        Kaiser, Mostafa & Neftci 2020; Skatchkovsky, Simeone & Jang 2021.

    Example:
        >>> refractory_spikes(torch.full((4,), 0.5))
        tensor([1., 0., 0., 1.])
    """
    readiness, fired, spikes = torch.zeros_like(potentials[0]), torch.zeros_like(potentials[0]), []
    for now in potentials:
        readiness = refractory * readiness - fired
        spike: Tensor = _BoxcarSpike.apply(now + readiness)  # type: ignore[no-untyped-call]
        spikes.append(spike)
        fired = spike.detach()
    return torch.stack(spikes)


def causal_filter(inputs: Tensor, bases: Tensor) -> Tensor:
    r"""Filter each channel over time with a basis of its own, from the step before on.

    .. math:: y[t] = \sum_k \sum_{s < t} \phi_k(t - s - 1)\, x_k[s]

    Args:
        inputs: x.
        bases: :math:`\phi`.

    Shape:
        ``inputs``: ``[T, K, ...]``; ``bases``: ``[K, length]``; the result ``[T, ...]``.

    Example:
        >>> causal_filter(torch.tensor([[1.0], [0.0], [0.0]]), torch.tensor([[2.0, 3.0]]))
        tensor([0., 2., 3.])
    """
    steps = len(inputs)
    lag = torch.arange(steps)[:, None] - torch.arange(steps) - 1
    inside = (lag >= 0) & (lag < bases.shape[1])
    mixing = torch.where(inside.to(bases.device), bases[:, lag.clamp(0, bases.shape[1] - 1)], 0)  # [K, T, T]
    return torch.einsum("kts,sk...->t...", mixing.to(inputs.dtype), inputs)


def bernoulli_log_prob(logits: Tensor, spikes: Tensor) -> Tensor:
    r"""Log-probability of each spike or silence.

    .. math:: \log p(z) = z \log \sigma(u) + (1 - z) \log \sigma(-u) = -\log\bigl(1 + e^{(1 - 2 z) u}\bigr)

    Shape:
        both any; the result has it too.

    Example:
        >>> bernoulli_log_prob(torch.zeros(2), torch.tensor([0.0, 1.0])).exp()
        tensor([0.5000, 0.5000])
    """
    return -F.softplus((1 - 2 * spikes) * logits)


def score_function_loss(losses: Tensor, log_probs: Tensor) -> Tensor:
    r"""A scalar whose gradient estimates that of the expected loss by the probabilities of what was drawn.

    .. math:: \nabla \mathbb E[\ell] = \mathbb E[(\ell_k - b_k) \nabla \log p(z_k)], \qquad
        b_k = \frac{1}{K-1} \sum_{j \ne k} \ell_j

    The baseline is the mean loss of the other draws of the same sample, so it leaves the mean as it is.

    Args:
        losses: :math:`\ell`, one for each draw; their own gradient is not taken here.
        log_probs: of each draw.

    Shape:
        both ``[K, B]``, K draws of B samples; the result is a scalar.

    Raises:
        InputError: for other shapes, or fewer than two draws.

    Source:
        Williams 1992; Kool, van Hoof & Welling 2019 (the baseline).

    Example:
        >>> log_probs = torch.zeros(2, 1, requires_grad=True)
        >>> score_function_loss(torch.tensor([[1.0], [3.0]]), log_probs).backward()
        >>> log_probs.grad.flatten()  # ((1 - 3) / 2, (3 - 1) / 2)
        tensor([-1.,  1.])
    """
    if losses.shape != log_probs.shape or losses.dim() != 2 or len(losses) < 2:
        raise InputError(
            f"Expected losses and log-probabilities [K, B] of at least two draws, got {list(losses.shape)} "
            f"and {list(log_probs.shape)}"
        )
    losses = losses.detach()
    others = (losses.sum(0) - losses) / (len(losses) - 1)
    return ((losses - others) * log_probs).mean()
