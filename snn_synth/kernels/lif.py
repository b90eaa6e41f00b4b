"""The neuron's scan over time, alone and with the masked loss: one pass forward, one backward (eq. 1-9)."""

import functools
from typing import Any

import torch
from torch import Tensor

from snn_synth import functional
from snn_synth.functional.inputs import number
from snn_synth.functional.lif import Scalar, check_scan
from snn_synth.kernels.dispatch import check_once, constant, kernel, path


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, kernels: Any, currents: Tensor, initial: Tensor | None, decay: float, threshold: float, slope: float
    ) -> tuple[Tensor, Tensor]:
        spikes, membranes = kernels.forward(currents, initial, decay, threshold)
        ctx.save_for_backward(membranes, initial)
        ctx.kernels, ctx.decay, ctx.threshold, ctx.slope = kernels, decay, threshold, slope
        ctx.set_materialize_grads(False)
        return spikes, membranes

    @staticmethod
    def backward(ctx: Any, grad_spikes: Tensor | None, grad_membranes: Tensor | None) -> tuple[Any, ...]:
        check_once()
        if grad_spikes is None and grad_membranes is None:
            return (None,) * 6
        membranes, initial = ctx.saved_tensors
        by_spikes = None if grad_spikes is None else grad_spikes.contiguous()
        by_membranes = None if grad_membranes is None else grad_membranes.contiguous()
        gradient = ctx.kernels.backward(by_spikes, by_membranes, membranes, ctx.decay, ctx.threshold, ctx.slope)
        by_initial = ctx.decay * (initial < ctx.threshold) * gradient[0] if ctx.needs_input_grad[2] else None
        return None, gradient, by_initial, None, None, None


class _ScanLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, kernels: Any, currents: Tensor, targets: Tensor, decay: float, threshold: float, mask: bool
    ) -> Tensor:
        scale = 1 / (currents.shape[0] * currents.shape[1])
        total, gradient = kernels.loss(currents, targets, decay, threshold, mask, scale)
        ctx.save_for_backward(gradient)
        return (total * scale).to(currents.dtype)  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, grad_loss: Tensor) -> tuple[Any, ...]:
        check_once()
        (gradient,) = ctx.saved_tensors
        if grad_loss.device.type != "cpu" or grad_loss != 1:  # on the CPU, a pass over memory to save
            gradient = gradient * grad_loss
        return None, gradient, None, None, None, None


@functools.wraps(functional.lif_scan)  # its docstring too
def lif_scan(  # noqa: D103
    currents: Tensor,
    membrane: Tensor | None = None,
    decay: Scalar = 0.9,
    threshold: Scalar = 1.0,
    slope: float = 1.0,
) -> tuple[Tensor, Tensor]:
    check_scan(currents, membrane)
    which = path(currents, membrane)
    if which == "reference" or not _kernels_take(currents, decay, threshold):
        return functional.lif_scan(currents, membrane, decay, threshold, slope)
    flat, start = _flat(currents), None if membrane is None else membrane.reshape(len(membrane), -1).contiguous()
    spikes, membranes = _Scan.apply(  # type: ignore[no-untyped-call]
        kernel(which, "lif"), flat, start, number(decay), number(threshold), slope
    )
    return spikes.view(currents.shape), membranes.view(currents.shape)


def lif_spikes(currents: Tensor, decay: Scalar = 0.9, threshold: Scalar = 1.0) -> Tensor:
    r"""The spikes of :func:`lif_scan` from rest, without a gradient: its membranes are not even written.

    Args:
        currents: inputs Z.
        decay: :math:`1-\alpha`.
        threshold: :math:`V_{th}`.

    Shape:
        ``[T, B, ...]``, as the result.

    Source:
        Roy, Panda & Roy 2019, eq. 1-2.

    Example:
        >>> lif_spikes(torch.full((4, 1, 1), 0.75), decay=0.5).flatten().tolist()
        [0.0, 1.0, 0.0, 1.0]
    """
    check_scan(currents, None)
    which = path(currents)
    if which == "reference" or not _kernels_take(currents, decay, threshold):
        return functional.lif_scan(currents.detach(), None, decay, threshold)[0]
    spikes: Tensor = kernel(which, "lif").spikes(_flat(currents.detach()), number(decay), number(threshold))
    return spikes.view(currents.shape)


def lif_scan_loss(
    currents: Tensor,
    targets: Tensor,
    decay: Scalar = 0.9,
    threshold: Scalar = 1.0,
    mask: bool = True,
) -> Tensor:
    r"""Masked membrane loss of a neuron that starts at rest; its scan and both gradients in one pass.

    .. math:: L = \frac{1}{TB} \sum_{t,b} \tfrac12 \lVert m \odot (V_{th} X - V) \rVert^2

    Args:
        currents: inputs Z of the output layer.
        targets: X, the spikes that it should fire, zeros and ones.
        decay: :math:`1-\alpha`.
        threshold: :math:`V_{th}`.
        mask: False keeps the error of every neuron.

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
    which = path(currents, targets)
    if (
        which == "reference"
        or currents.shape != targets.shape
        or currents.dim() < 3
        or not _kernels_take(currents, decay, threshold)
    ):
        membranes = functional.lif_scan(currents, None, decay, threshold)[1]
        return functional.membrane_loss(membranes, targets, threshold, mask)
    loss: Tensor = _ScanLoss.apply(  # type: ignore[no-untyped-call]
        kernel(which, "lif"), _flat(currents), _flat(targets), number(decay), number(threshold), mask
    )
    return loss


def _kernels_take(currents: Tensor, decay: Scalar, threshold: Scalar) -> bool:
    """[T, B, ...], not empty, and one fixed leak and threshold."""
    return currents.dim() >= 2 and currents.numel() > 0 and constant(decay) and constant(threshold)


def _flat(x: Tensor) -> Tensor:
    return x.reshape(*x.shape[:2], -1).contiguous()
