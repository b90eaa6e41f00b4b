r"""Products with spikes: only what fires is added up, or bfloat16 hardware helps.

A spike is 0 or 1, which bfloat16 holds exactly. A float32 weight is the sum of three bfloat16 numbers,

.. math:: W = W_1 + W_2 + W_3, \qquad W_i = \operatorname{bf16}\Bigl(W - \sum_{j<i} W_j\Bigr)

so three bfloat16 products, summed in float32, are the float32 product to its rounding: the same spikes fire. And most
spikes are 0: on the CPU, where few neurons fire, the weights of those that do are added up instead.
"""

import contextlib
import functools
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from snn_synth.errors import InputError
from snn_synth.kernels.dispatch import check_once, kernel, path

Precision = Literal["float32", "mixed", "bfloat16"]

_FEW = 0.2  # share of spikes up to which adding rows up takes less time than a dense product
_WORTH = 2**22  # products smaller than this are done before the spikes are listed

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


def split_product(a: Tensor, b: Tensor) -> Tensor:
    """``a @ b`` to float32 rounding by three bfloat16 products, for an ``a`` that bfloat16 holds exactly.

    Shape:
        ``[M, K]`` and ``[K, N]`` to ``[M, N]``.

    Example:
        >>> spikes, weight = torch.eye(3)[:2], torch.rand(3, 4, generator=torch.Generator().manual_seed(0))
        >>> bool((split_product(spikes, weight) - weight[:2]).abs().max() < 1e-7)
        True
    """
    result = torch.zeros((), device=a.device)
    for _ in range(3):
        part = b.bfloat16()
        result = result + _bfloat16_product(a, part)
        b = b - part
    return result


def _bfloat16_product(a: Tensor, part: Tensor) -> Tensor:
    """Product of a bfloat16 ``part``, summed and returned in float32."""
    matmul: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = matmul.fp32_precision
    matmul.fp32_precision = "bf16"  # lets oneDNN round the operands, which changes neither of these two
    try:
        return a @ part.float()
    finally:
        matmul.fp32_precision = before


def _rounded_product(a: Tensor, b: Tensor) -> Tensor:
    """The product with both operands rounded to bfloat16."""
    return (a.bfloat16() @ b.bfloat16()).float()


@functools.cache
def _fast_bfloat16(device: torch.device) -> bool:
    """Whether three bfloat16 products take less time than one in float32: AMX."""
    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))


def _holds(x: Tensor) -> bool:
    """Whether bfloat16 holds ``x`` exactly, as it does spikes."""
    return torch.equal(x, x.bfloat16().float())


def _exact_product(spikes: Tensor, dense: Tensor) -> Tensor:
    if _fast_bfloat16(spikes.device) and _holds(spikes):
        return split_product(spikes, dense)
    return _float32_product(spikes, dense)


def _float32_product(a: Tensor, b: Tensor) -> Tensor:
    return torch.mm(a, b, out=kernel("numba", "memory").empty(len(a), b.shape[1]))


def _listed(spikes: Tensor, weight: Tensor) -> Any:
    """The spikes as a list, where that pays."""
    if len(spikes) * weight.numel() < _WORTH or len(weight) < kernel("numba", "rows").WIDTH:
        return None
    return kernel("numba", "sparse").sparse(spikes.contiguous(), _FEW)


class _SpikeLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, spikes: Tensor, weight: Tensor, precision: Precision) -> Tensor:
        ctx.precision = precision
        listed = None if precision == "bfloat16" else _listed(spikes, weight)
        ctx.save_for_backward(weight, *(listed or (spikes,)))
        if listed:
            ctx.width = spikes.shape[1]
            out = kernel("numba", "memory").empty(len(spikes), len(weight))
            return kernel("numba", "sparse").product(listed, weight.contiguous().T, out)  # type: ignore[no-any-return]
        return (_rounded_product if precision == "bfloat16" else _exact_product)(spikes, weight.T)

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        check_once()
        weight, *given = ctx.saved_tensors
        exact = ctx.precision == "float32"
        by_spikes = by_weight = None
        if ctx.needs_input_grad[0]:
            by_spikes = _float32_product(delta, weight) if exact else _rounded_product(delta, weight)
        if ctx.needs_input_grad[1]:
            if len(given) > 1:
                sparse = kernel("numba", "sparse")
                by_weight = torch.empty_like(weight, memory_format=torch.contiguous_format)
                sparse.product(sparse.transpose(sparse.Sparse(*given), ctx.width), delta.contiguous(), by_weight.T)
            elif exact:
                by_weight = _exact_product(given[0].T, delta).T
            else:
                by_weight = _rounded_product(delta.T, given[0])
        return by_spikes, by_weight, None


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
    which = path(spikes, weight)
    if which == "reference" or torch.is_autocast_enabled(spikes.device.type) or spikes.numel() == 0:
        return torch.nn.functional.linear(spikes, weight)
    flat = spikes.reshape(-1, spikes.shape[-1])
    currents: Tensor
    if which == "triton":
        kernels = kernel(which, "products")
        currents = _SpikeLinearOnGPU.apply(kernels, flat, weight, _precision.get())  # type: ignore[no-untyped-call]
    else:
        currents = _SpikeLinear.apply(flat, weight, _precision.get())  # type: ignore[no-untyped-call]
    return currents.view(*spikes.shape[:-1], len(weight))
