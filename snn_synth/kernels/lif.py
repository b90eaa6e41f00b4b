"""The neuron's scan over time, alone and with the masked loss: one pass forward, one backward (eq. 1-9)."""

import functools
from typing import Any

import torch
from torch import Tensor

from snn_synth import functional
from snn_synth.functional.inputs import number
from snn_synth.functional.lif import Reset, Scalar, check_reset, check_scan
from snn_synth.kernels.dispatch import backend, check_once, constant, kernel


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        kernels: Any,
        currents: Tensor,
        initial: Tensor | None,
        decay: Scalar,
        threshold: Scalar,
        subtract: bool,
        slope: float,
    ) -> tuple[Tensor, Tensor]:
        spikes, membranes = kernels.forward(currents, initial, decay, threshold, subtract)
        ctx.save_for_backward(membranes, initial, *_tensors(decay, threshold))
        ctx.numbers = None if isinstance(decay, Tensor) else (decay, threshold)
        ctx.kernels, ctx.subtract, ctx.slope = kernels, subtract, slope
        ctx.set_materialize_grads(False)
        return spikes, membranes

    @staticmethod
    def backward(ctx: Any, grad_spikes: Tensor | None, grad_membranes: Tensor | None) -> tuple[Any, ...]:
        check_once()
        if grad_spikes is None and grad_membranes is None:
            return (None,) * 7
        membranes, initial, *each = ctx.saved_tensors
        decay, threshold = ctx.numbers or each
        by_spikes = None if grad_spikes is None else grad_spikes.contiguous()
        by_membranes = None if grad_membranes is None else grad_membranes.contiguous()
        learned = any(ctx.needs_input_grad[3:5])
        gradient, sums = ctx.kernels.backward(
            by_spikes, by_membranes, membranes, initial, decay, threshold, ctx.subtract, ctx.slope, learned
        )
        by_initial = None
        if ctx.needs_input_grad[2]:
            by_initial = decay * (gradient[0] if ctx.subtract else (initial < threshold) * gradient[0])
        return None, gradient, by_initial, *_sum_over_samples(sums), None, None


class _ScanLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        kernels: Any,
        currents: Tensor,
        targets: Tensor,
        decay: Scalar,
        threshold: Scalar,
        subtract: bool,
        mask: bool,
    ) -> Tensor:
        scale, learned = 1 / (currents.shape[0] * currents.shape[1]), any(ctx.needs_input_grad[3:5])
        total, gradient, sums = kernels.loss(currents, targets, decay, threshold, subtract, mask, scale, learned)
        ctx.save_for_backward(gradient, *_sum_over_samples(sums))
        return (total * scale).to(currents.dtype)  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, grad_loss: Tensor) -> tuple[Any, ...]:
        check_once()
        gradients = ctx.saved_tensors
        if grad_loss.device.type != "cpu" or grad_loss != 1:  # on the CPU, a pass over memory to save
            gradients = tuple(None if gradient is None else gradient * grad_loss for gradient in gradients)
        by_currents, by_decay, by_threshold = gradients
        return None, by_currents, None, by_decay, by_threshold, None, None


def _tensors(*numbers: Scalar) -> list[Tensor]:
    return [x for x in numbers if isinstance(x, Tensor)]


def _sum_over_samples(sums: tuple[Tensor, Tensor] | None) -> tuple[Tensor | None, Tensor | None]:
    return (None, None) if sums is None else (sums[0].sum(0), sums[1].sum(0))


@functools.wraps(functional.lif_scan)  # its docstring too
def lif_scan(  # noqa: D103
    currents: Tensor,
    membrane: Tensor | None = None,
    decay: Scalar = 0.9,
    threshold: Scalar = 1.0,
    slope: float = 1.0,
    reset: Reset = "zero",
) -> tuple[Tensor, Tensor]:
    check_scan(currents, membrane)
    which = backend(currents, membrane)
    if which == "reference" or not _kernels_take(currents, decay, threshold):
        return functional.lif_scan(currents, membrane, decay, threshold, slope, reset)
    flat, start = _flat(currents), None if membrane is None else membrane.reshape(len(membrane), -1).contiguous()
    numbers = _numbers(flat, decay, threshold)
    spikes, membranes = _Scan.apply(  # type: ignore[no-untyped-call]
        kernel(which, "lif"), flat, start, *numbers, _subtracts(reset), slope
    )
    return spikes.view(currents.shape), membranes.view(currents.shape)


def lif_spikes(currents: Tensor, decay: Scalar = 0.9, threshold: Scalar = 1.0, reset: Reset = "zero") -> Tensor:
    r"""The spikes of :func:`lif_scan` from rest, without a gradient: its membranes are not even written.

    Args:
        currents: inputs Z.
        decay: :math:`1-\alpha`.
        threshold: :math:`V_{th}`.
        reset: to ``zero``, or ``subtract`` the threshold.

    Shape:
        ``[T, B, ...]``, as the result.

    Source:
        Roy, Panda & Roy 2019, eq. 1-2.

    Example:
        >>> lif_spikes(torch.full((4, 1, 1), 0.75), decay=0.5).flatten().tolist()
        [0.0, 1.0, 0.0, 1.0]
    """
    which = backend(currents)
    if which == "reference" or not _kernels_take(currents, decay, threshold):
        return functional.lif_scan(currents.detach(), None, decay, threshold, reset=reset)[0]
    flat = _flat(currents.detach())
    numbers = (x.detach() if isinstance(x, Tensor) else x for x in _numbers(flat, decay, threshold))
    spikes: Tensor = kernel(which, "lif").spikes(flat, *numbers, _subtracts(reset))
    return spikes.view(currents.shape)


def lif_scan_loss(
    currents: Tensor,
    targets: Tensor,
    decay: Scalar = 0.9,
    threshold: Scalar = 1.0,
    mask: bool = True,
    reset: Reset = "zero",
) -> Tensor:
    r"""Masked membrane loss of a neuron that starts at rest; its scan and all gradients in one pass.

    .. math:: L = \frac{1}{TB} \sum_{t,b} \tfrac12 \lVert m \odot (V_{th} X - V) \rVert^2

    Args:
        currents: inputs Z of the output layer.
        targets: X, the spikes that it should fire, zeros and ones.
        decay: :math:`1-\alpha`.
        threshold: :math:`V_{th}`.
        mask: False subtract the error of every neuron.
        reset: to ``zero``, or ``subtract`` the threshold.

    Shape:
        ``currents`` and ``targets``: ``[T, B, ...]``; the result is a scalar.

    Returns:
        :func:`snn_synth.functional.membrane_loss` of the membranes.

    Raises:
        InputError: if the shapes differ or have fewer than three axes.

    Source:
        Roy, Panda & Roy 2019, eq. 1-2 and 5-9.

    Example:
        >>> lif_scan_loss(torch.tensor([[[0.25, 1.5]]]), torch.tensor([[[1.0, 0.0]]]))  # (0.75^2 + 1.5^2) / 2
        tensor(1.4062)
    """
    which = backend(currents, targets)
    if (
        which == "reference"
        or currents.shape != targets.shape
        or currents.dim() < 3
        or targets.requires_grad
        or not _kernels_take(currents, decay, threshold)
    ):
        membranes = functional.lif_scan(currents, None, decay, threshold, reset=reset)[1]
        return functional.membrane_loss(membranes, targets, threshold, mask)
    flat = _flat(currents)
    loss: Tensor = _ScanLoss.apply(  # type: ignore[no-untyped-call]
        kernel(which, "lif"), flat, _flat(targets), *_numbers(flat, decay, threshold), _subtracts(reset), mask
    )
    return loss


def _kernels_take(currents: Tensor, decay: Scalar, threshold: Scalar) -> bool:
    """[T, B, ...], not empty; leak and threshold are one number, or one for each neuron."""
    fits = all(_fits(x, currents) for x in (decay, threshold))
    return currents.dim() >= 2 and currents.numel() > 0 and fits


def _fits(x: Scalar, currents: Tensor) -> bool:
    """One number, or one for each neuron."""
    if not isinstance(x, Tensor):
        return True
    plain = x.device == currents.device and not torch._C._functorch.is_functorch_wrapped_tensor(x)
    return constant(x) or (plain and (x.numel() == 1 or x.shape == currents.shape[2:]))


def _numbers(flat: Tensor, decay: Scalar, threshold: Scalar) -> tuple[Scalar, Scalar]:
    """As the kernels take them: both one fixed number, or both ``[N]``."""
    if constant(decay) and constant(threshold):
        return number(decay), number(threshold)
    each = (torch.as_tensor(x, device=flat.device).to(flat.dtype).reshape(-1) for x in (decay, threshold))
    first, second = (x.expand(flat.shape[2]).contiguous() for x in each)
    return first, second


def _subtracts(reset: Reset) -> bool:
    check_reset(reset)
    return reset == "subtract"


def _flat(x: Tensor) -> Tensor:
    return x.reshape(*x.shape[:2], -1).contiguous()
