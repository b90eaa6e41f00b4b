r"""Products with spikes: bfloat16 hardware helps, or only what fires is added up.

A spike is 0 or 1, which bfloat16 holds exactly. A float32 weight is the sum of three bfloat16 numbers,

.. math:: W = W_1 + W_2 + W_3, \qquad W_i = \operatorname{bf16}\Bigl(W - \sum_{j<i} W_j\Bigr)

so three bfloat16 products, summed in float32, are the float32 product to its rounding: the same spikes fire. And most
spikes are 0: where few neurons fire, the weights of those that do can be added up instead. On the CPU the fastest way
is measured (:mod:`snn_synth.kernels.cpu.choice`).
"""

import contextlib
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from snn_synth.errors import InputError
from snn_synth.kernels.dispatch import backend, check_once, forced_product, kernel

Precision = Literal["float32", "mixed", "bfloat16"]

_precision: ContextVar[Precision] = ContextVar("precision", default="float32")


@contextlib.contextmanager
def precision(name: Precision) -> Iterator[None]:
    """How products with spikes are computed inside a ``with`` block (and in the backward pass of what ran there).

    Args:
        name: ``float32``, exact to float32 rounding; ``mixed``, exact going forward, so that no spike changes, and
            bfloat16 going backward; ``bfloat16``, both ways, which flips spikes near the threshold.

    Raises:
        InputError: for another name.

    Example:
        >>> spikes, weight = torch.ones(1, 1, 2), torch.tensor([[1.0, 1e-3]])
        >>> with precision("bfloat16"):
        ...     spike_linear(spikes, weight)
        tensor([[[1.]]])
    """
    if name not in get_args(Precision):
        raise InputError(f"Expected a precision of {list(get_args(Precision))}, got {name!r}")
    token = _precision.set(name)
    try:
        yield
    finally:
        _precision.reset(token)


def current_precision() -> Precision:
    """That of the :func:`precision` block.

    Example:
        >>> current_precision()
        'float32'
    """
    return _precision.get()


class _SpikeLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, kernels: Any, spikes: Tensor, weight: Tensor, precision: Precision) -> Tensor:
        ctx.kernels, ctx.precision, ctx.forced = kernels, precision, forced_product()
        ctx.way = kernels.way(spikes, weight, precision, ctx.needs_input_grad[2], ctx.forced)
        currents, kept = kernels.WAYS[ctx.way].forward(spikes, weight, precision)
        ctx.save_for_backward(weight, *kept)
        return currents  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor | None, ...]:
        check_once()
        weight, *kept = ctx.saved_tensors
        kernels, (_, by_spikes, by_weight, _) = ctx.kernels, ctx.needs_input_grad
        return (
            None,
            kernels.by_spikes(delta, weight, ctx.precision, ctx.forced) if by_spikes else None,
            kernels.WAYS[ctx.way].by_weight(delta, tuple(kept), weight, ctx.precision) if by_weight else None,
            None,
        )


class _SpikeLinearOnGPU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, kernels: Any, spikes: Tensor, weight: Tensor, precision: Precision) -> Tensor:
        ctx.save_for_backward(spikes, weight)
        ctx.kernels, ctx.rounded = kernels, precision != "float32"
        return kernels.currents(spikes, weight, precision == "bfloat16")  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor | None, ...]:
        check_once()
        spikes, weight = ctx.saved_tensors
        _, by_spikes, by_weight, _ = ctx.needs_input_grad
        return (
            None,
            ctx.kernels.spikes_gradient(delta, weight, ctx.rounded) if by_spikes else None,
            ctx.kernels.weight_gradient(delta, spikes, ctx.rounded) if by_weight else None,
            None,
        )


def choices() -> dict[str, str]:
    """The ways of products and gradients that this process has found fastest on the CPU, for a run's checkpoint.

    Example:
        >>> isinstance(choices(), dict)  # empty until a large product has been taken
        True
    """
    module: Any = sys.modules.get("snn_synth.kernels.cpu.choice")  # a run on a GPU makes none, and needs no numba
    return {} if module is None else module.chosen()


def adopt_choices(choices: Any) -> None:
    """Take those of a run that is gone on with, as far as this machine has the ways: they round differently.

    Args:
        choices: what :func:`choices` gave, from a checkpoint; anything else is left alone.

    Example:
        >>> adopt_choices(choices())  # as a run does that goes on
    """
    if isinstance(choices, dict) and choices:
        known = [*kernel("numba", "products").available(), *kernel("numba", "traces").WAYS]
        kernel("numba", "choice").adopt(choices, known)


def neuron_spikes(spikes: Tensor, weight: Tensor, decay: float, threshold: float) -> Tensor | None:
    r"""Spikes of a layer from rest, without a gradient, in one pass: neither currents nor membranes are written.

    .. math:: V[t] = (1-\alpha)\,V[t-1]\,(1-A[t-1]) + W X[t], \qquad A[t] = [V[t] \ge V_{th}]

    Args:
        spikes: X, zeros and ones.
        weight: W.
        decay: :math:`1-\alpha`.
        threshold: :math:`V_{th}`.

    Shape:
        ``spikes``: ``[T, B, in]``; ``weight``: ``[out, in]``; the result ``[T, B, out]``.

    Returns:
        None where no kernel does it, or where another way is faster.

    Source:
        Roy, Panda & Roy 2019, eq. 1-2.

    Example:
        >>> neuron_spikes(torch.ones(4, 1, 1), torch.ones(1, 1), 0.5, 1.0) is None  # so little is done otherwise
        True
    """
    fits = spikes.numel() > 0 and spikes.shape[-1] == weight.shape[1]
    if backend(spikes, weight) != "numba" or torch.is_autocast_enabled("cpu") or not fits:
        return None
    found: Tensor | None = kernel("numba", "layer").spikes(
        spikes.detach(), weight.detach(), _precision.get(), decay, threshold
    )
    return found


def spike_linear(spikes: Tensor, weight: Tensor) -> Tensor:
    r"""Currents of a layer without bias, ``spikes @ weight.T``, in the precision of the :func:`precision` block.

    Args:
        spikes: zeros and ones. Other values come out right too, but for precision ``bfloat16``.
        weight: W.

    Shape:
        ``spikes``: ``[..., in]``; ``weight``: ``[out, in]``; the result ``[..., out]``.

    Example:
        >>> spike_linear(torch.ones(4, 1, 3), torch.full((2, 3), 0.5)).shape
        torch.Size([4, 1, 2])
    """
    which = backend(spikes, weight)
    if which == "reference" or torch.is_autocast_enabled(spikes.device.type) or spikes.numel() == 0:
        return torch.nn.functional.linear(spikes, weight)
    flat, kernels, precision = spikes.reshape(-1, spikes.shape[-1]), kernel(which, "products"), _precision.get()
    currents: Tensor
    if torch.is_grad_enabled() or which == "triton":
        function = _SpikeLinear if which == "numba" else _SpikeLinearOnGPU
        currents = function.apply(kernels, flat, weight, precision)  # type: ignore[no-untyped-call]
    else:
        flat, weight = flat.detach(), weight.detach()
        way = kernels.way(flat, weight, precision, False, forced_product())
        currents, _ = kernels.WAYS[way].forward(flat, weight, precision)
    return currents.view(*spikes.shape[:-1], len(weight))
