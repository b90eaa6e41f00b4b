r"""First spikes of alpha-kernel neurons: their times in closed form and exact derivatives (Comsa et al. 2021).

.. math:: V(t) = \sum_{t_i < t} w_i\,(t - t_i)\,e^{-K (t - t_i)} = e^{-K t} (A t - B), \qquad
    A = \sum_i w_i\,e^{K t_i}, \quad B = \sum_i w_i\,t_i\,e^{K t_i}

A neuron fires once, where V first reaches the threshold. The sums grow by one input at a time, in the order of the
inputs' spikes; the interval in which V reaches it is found in closed form, and one Lambert W gives the time.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from snn_synth.errors import InputError

_HALLEY_STEPS = 4
STEEP = 1e30  # the derivative where V only touches the threshold, before it is clipped: inf times 0 would be NaN


def lambert_w0(z: Tensor) -> Tensor:
    r"""Principal branch of Lambert's W between the branch point and zero.

    .. math:: W e^W = z, \qquad -1 \le W \le 0

    Args:
        z: in [-1/e, 0]; what lies below by rounding counts as -1/e.

    Shape:
        any; the result has it too.

    Example:
        >>> lambert_w0(torch.tensor([-0.25, 0.0], dtype=torch.float64))
        tensor([-0.3574,  0.0000], dtype=torch.float64)
    """
    w = (2 * (1 + math.e * z)).clamp(min=0).sqrt() - 1  # the first terms of the series around z = -1/e
    for _ in range(_HALLEY_STEPS):
        residual = w * w.exp() - z
        above = (w + 1).clamp(min=1e-30)
        w = (w - residual / (w.exp() * above - (w + 2) * residual / (2 * above))).clamp(-1, 0)
    return w


def alpha_spike_times(
    times: Tensor, weight: Tensor, decay_rate: float = 1.0, threshold: float = 1.0, clip: float | None = None
) -> Tensor:
    r"""When neurons with an alpha-shaped postsynaptic potential first reach their threshold.

    .. math:: t_{out} = \frac{B}{A} - \frac{W_0(z)}{K}, \qquad z = -\frac{K \theta}{A} e^{K B / A}

    .. math:: \frac{\partial t_{out}}{\partial w_i} = \frac{e^{K t_i} (t_i - t_{out})}{A (1 + W_0)}, \qquad
        \frac{\partial t_{out}}{\partial t_i} = \frac{w_i e^{K t_i} (1 + K (t_i - t_{out}))}{A (1 + W_0)}

    over the inputs that fire no later than the neuron; zero for the others, and for a silent neuron.

    Args:
        times: of the inputs' spikes, at least 0; inf for an input that is silent.
        weight: w.
        decay_rate: K; a potential peaks 1/K after its spike.
        threshold: :math:`\theta`.
        clip: limit of both partial derivatives, which grow without bound where V only touches the threshold.

    Shape:
        ``times``: ``[B, in]``; ``weight``: ``[out, in]``; the result ``[B, out]``.

    Returns:
        Spike times; inf for a neuron that stays silent.

    Raises:
        InputError: for shapes or dtypes that do not fit, times that are negative, NaN or so far apart that
            exponentials would vanish, or a ``decay_rate``, ``threshold`` or ``clip`` that is not positive.

    Source:
        Comsa, Versari, Fischbacher & Alakuijala 2021, section 2; derivatives as in their code.

    Example:
        >>> t = torch.tensor([[0.3, torch.inf]], dtype=torch.float64)
        >>> alpha_spike_times(t, torch.tensor([[4.0, 1.0]], dtype=torch.float64), decay_rate=1.3, threshold=0.8)
        tensor([[0.5925]], dtype=torch.float64)
    """
    check_spike_times(times, weight, decay_rate, threshold, clip)
    out: Tensor = _AlphaSpikeTimes.apply(times, weight, decay_rate, threshold, clip)  # type: ignore[no-untyped-call]
    return out


def check_spike_times(times: Tensor, weight: Tensor, decay_rate: float, threshold: float, clip: float | None) -> None:
    """Refuse what :func:`alpha_spike_times` cannot take."""
    if times.dim() != 2 or weight.dim() != 2 or times.shape[1] != weight.shape[1]:
        raise InputError(
            f"Expected times [B, in] and weights [out, in], got {list(times.shape)} and {list(weight.shape)}"
        )
    if times.dtype != weight.dtype:
        raise InputError(f"Expected times and weights of one dtype, got {times.dtype} and {weight.dtype}")
    if not bool((times >= 0).all()):  # NaN fails too
        raise InputError(f"Expected spike times of at least 0 (inf for no spike), got {_least(times)}")
    for name, value in (("decay_rate", decay_rate), ("threshold", threshold), ("clip", clip)):
        if value is not None and not value > 0:
            raise InputError(f"Expected `{name}` to be positive, got {value}")
    fires = times.isfinite()
    if times.numel():
        last, first = torch.where(fires, times, 0).detach().amax(1), times.detach().amin(1)
        span = float(torch.where(first.isfinite(), last - first, 0).max())
        most = 0.9 * math.log(torch.finfo(times.dtype).max) / decay_rate
        if span > most:
            raise InputError(
                f"Expected the spike times of a sample within {most:.4g} of each other, by their dtype and the "
                f"`decay_rate` of {decay_rate:g}, got {span:.4g}"
            )


def _least(times: Tensor) -> str:
    return "NaN" if bool(times.isnan().any()) else f"{times.min().item():.4g}"


class _AlphaSpikeTimes(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, times: Tensor, weight: Tensor, decay_rate: float, threshold: float, clip: float | None
    ) -> Tensor:
        ordered, order = times.sort(1)
        count = int(ordered.isfinite().sum(1).max()) if times.numel() else 0
        ordered, order = ordered[:, :count], order[:, :count]
        fired = ordered.isfinite()
        # Times count from the last input, so that no exponential overflows.
        origin = torch.where(fired, ordered, 0).amax(1, keepdim=True) if count else times.new_zeros(len(times), 1)
        t = torch.where(fired, ordered - origin, 0)
        growth = (decay_rate * t).exp()
        w = weight.T[order]
        a = (w * growth[..., None]).cumsum(1)
        b = (w * (growth * t)[..., None]).cumsum(1)
        first, fires = _first_interval(t, fired, a, b, decay_rate, threshold)
        a, b = (x.gather(1, first[:, None]).squeeze(1) if count else x.sum(1) for x in (a, b))
        a = torch.where(fires, a, 1)
        lambert = lambert_w0(torch.where(fires, -decay_rate * threshold / a * (decay_rate * b / a).exp(), 0))
        out = b / a - lambert / decay_rate
        ctx.save_for_backward(weight, order, t, growth, first, fires, out, a * (1 + lambert))
        ctx.decay_rate, ctx.clip, ctx.inputs = decay_rate, clip, times.shape
        return torch.where(fires, out + origin, torch.inf)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        weight, order, t, growth, first, fires, out, slope = ctx.saved_tensors
        place = torch.arange(t.shape[1], device=t.device)[None, :, None]
        causal = (place <= first[:, None]) & fires[:, None]
        grad = torch.where(fires, grad, 0)
        delay = t[..., None] - out[:, None]
        common = torch.where(slope[:, None] > 0, growth[..., None] / slope[:, None], STEEP)
        common = torch.where(causal, common, 0)
        limit = torch.inf if ctx.clip is None else ctx.clip
        by_weight = (common * delay).clamp(-limit, limit) * grad[:, None]
        by_time = (common * weight.T[order] * (1 + ctx.decay_rate * delay)).clamp(-limit, limit) * grad[:, None]
        grad_weight = torch.zeros_like(weight.T).index_add_(0, order.flatten(), by_weight.flatten(0, 1)).T
        grad_times = grad.new_zeros(ctx.inputs).scatter_add_(1, order, by_time.sum(2))
        return grad_times, grad_weight, None, None, None


def _first_interval(
    t: Tensor, fired: Tensor, a: Tensor, b: Tensor, decay_rate: float, threshold: float
) -> tuple[Tensor, Tensor]:
    """The first interval between two inputs in which V reaches the threshold, and whether there is one."""
    if not t.shape[1]:
        nothing = torch.zeros(len(t), a.shape[2], device=t.device)
        return nothing.long(), nothing.bool()
    after = torch.cat([fired[:, 1:], torch.zeros_like(fired[:, :1])], 1)
    until = torch.where(after, t.roll(-1, 1), torch.inf)[..., None]
    finite = torch.where(after[..., None], until, 0)
    at_end = torch.where(after[..., None], (-decay_rate * finite).exp() * (a * finite - b), 0)
    ratio = b / a
    peak = ratio + 1 / decay_rate
    height = a / decay_rate * (-decay_rate * ratio - 1).exp()  # a minimum, where a < 0, is negative; NaN where a = 0
    inside = (peak >= t[..., None]) & (peak <= until)
    crosses = fired[..., None] & ((at_end >= threshold) | (inside & (height >= threshold)))
    return crosses.to(torch.uint8).argmax(1), crosses.any(1)
