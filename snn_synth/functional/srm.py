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
        (gradient,) = grad_outputs
        near: Tensor = (membrane > -0.5) & (membrane <= 0.5)
        return gradient * near


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
    r"""Filter each channel over time with a basis of its own, from the present step back.

    .. math:: y[t] = \sum_k \sum_{s \le t} \phi_k(t - s)\, x_k[s]

    Args:
        inputs: x.
        bases: :math:`\phi`.

    Shape:
        ``inputs``: ``[T, K, ...]``; ``bases``: ``[K, length]``; the result ``[T, ...]``.

    Example:
        >>> causal_filter(torch.tensor([[1.0], [0.0], [0.0]]), torch.tensor([[2.0, 3.0]]))
        tensor([2., 3., 0.])
    """
    steps = len(inputs)
    lag = torch.arange(steps)[:, None] - torch.arange(steps)
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


def bernoulli_information(logits: Tensor, spikes: Tensor, rate: float) -> Tensor:
    r"""Log-ratio of each spike or silence, of its own probability to that of a reference which fires at random.

    .. math:: \log \frac{p(z)}{r(z)} = z \log \frac{\sigma(u)}{r} + (1 - z) \log \frac{\sigma(-u)}{1 - r}

    Args:
        logits: u.
        spikes: z.
        rate: r, in (0, 1).

    Shape:
        both any; the result has it too.

    Raises:
        InputError: for a rate outside (0, 1).

    Example:
        >>> bernoulli_information(torch.zeros(2), torch.tensor([0.0, 1.0]), 0.25)
        tensor([-0.4055,  0.6931])
    """
    if not 0 < rate < 1:
        raise InputError(f"Expected `rate` in (0, 1), got {rate}")
    reference = torch.logit(torch.as_tensor(rate, dtype=logits.dtype, device=logits.device))
    return bernoulli_log_prob(logits, spikes) - bernoulli_log_prob(reference, spikes)


def score_function_loss(losses: Tensor, slopes: Tensor, logits: Tensor, spikes: Tensor) -> Tensor:
    r"""A scalar whose gradient estimates that of the expected loss by the probabilities of spikes drawn at random.

    .. math:: \nabla \mathbb E[\ell] = \mathbb E\Bigl[\bigl(\ell_k - b_k - a_k \cdot (z_k - p_k)\bigr)
        \nabla \log p(z_k) + a_k \cdot \nabla p_k\Bigr]

    where :math:`a_k` is the mean slope of the loss at the other draws of the same sample, and :math:`b_k` their mean
    loss, drawn along the slope to where the spikes are their probabilities:
    :math:`\ell_j - \ell_j' \cdot (z_j - p_j)`. Neither depends on the draw k, and the product with
    :math:`z_k - p_k` is made good by the last term, so both leave the mean as it is, also where a neuron's spike
    changes the probabilities of its next ones.

    Args:
        losses: :math:`\ell`, one for each draw; their own gradient is not taken here.
        slopes: :math:`\ell'`, of each draw's loss by its spikes.
        logits: of the probabilities p.
        spikes: z.

    Shape:
        ``losses``: ``[K, B]``, K draws of B samples; the others ``[T, K, B, N]``; the result is a scalar.

    Raises:
        InputError: for other shapes, or fewer than two draws.

    Source:
        Williams 1992; Kool, van Hoof & Welling 2019 (a baseline of the other draws); Gu, Levine, Sutskever & Mnih 2016
        (one of first order).

    Example:
        >>> logits = torch.zeros(1, 2, 1, 1, requires_grad=True)
        >>> spikes = torch.tensor([0.0, 1.0]).view(1, 2, 1, 1)
        >>> losses = 3 * spikes[0, :, :, 0]  # a linear loss: each draw's gradient is 3 p (1 - p), without any noise
        >>> score_function_loss(losses, torch.full_like(spikes, 3.0), logits, spikes).backward()
        >>> logits.grad.flatten() * 2  # the mean over two draws
        tensor([0.7500, 0.7500])
    """
    if losses.dim() != 2 or len(losses) < 2 or logits.dim() != 4 or logits.shape[1:3] != losses.shape:
        raise InputError(
            f"Expected losses [K, B] of at least two draws and logits [T, K, B, N], got {list(losses.shape)} "
            f"and {list(logits.shape)}"
        )
    losses, slopes = losses.detach(), slopes.detach()
    probability = logits.sigmoid()
    away = spikes - probability.detach()
    at_mean = losses - (slopes * away).sum((0, 3))
    baseline = (at_mean.sum(0) - at_mean) / (len(losses) - 1)
    others = (slopes.sum(1, keepdim=True) - slopes) / (len(losses) - 1)
    unexplained = losses - baseline - (others * away).sum((0, 3))
    log_probs = bernoulli_log_prob(logits, spikes).sum((0, 3))
    return (unexplained * log_probs + (others * probability).sum((0, 3))).mean()
