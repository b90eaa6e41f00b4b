"""The neuron's scans over time (eq. 1-9), one pass each: numba, float32."""

import functools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snn_synth.functional.lif import Scalar
from snn_synth.kernels.cpu.memory import empty
from snn_synth.kernels.cpu.sample import add_up, clear, fire, integrate, lose, pass_back, total_of
from snn_synth.kernels.cpu.share import share_out, subroutine
from snn_synth.kernels.cpu.threads import jit, kept, parallel, scratch


@parallel
def _forward(
    share: int,
    start: int,
    stop: int,
    currents: Any,
    initial: Any,
    decay: Any,
    threshold: Any,
    subtract: Any,
    spikes: Any,
    membranes: Any,
    space: Any,
    totals: Any,
) -> None:
    stride = spikes.shape[1]
    if totals is None:
        for b in range(start, stop):
            integrate(currents, b, stride, b, initial, decay, threshold, subtract, spikes, membranes, None)
    else:
        sums = space[share]
        clear(sums)
        for b in range(start, stop):
            integrate(currents, b, stride, b, initial, decay, threshold, subtract, spikes, membranes, sums)
        totals[share] = total_of(sums)


@parallel
def _spikes(
    share: int, start: int, stop: int, currents: Any, decay: Any, threshold: Any, subtract: Any, space: Any, spikes: Any
) -> None:
    for b in range(start, stop):
        fire(currents, b, spikes.shape[1], b, decay, threshold, subtract, space[share], spikes)


@parallel
def _backward(
    share: int,
    start: int,
    stop: int,
    by_spikes: bool,
    grad_spikes: Any,
    by_membranes: bool,
    grad_membranes: Any,
    membranes: Any,
    initial: Any,
    decay: Any,
    threshold: Any,
    subtract: Any,
    slope: Any,
    gradient: Any,
    by_decay: Any,
    by_threshold: Any,
) -> None:
    of_membranes = by_membranes, grad_membranes, membranes, initial
    given = *of_membranes, decay, threshold, subtract, slope, gradient, by_decay, by_threshold
    for b in range(start, stop):
        pass_back(by_spikes, grad_spikes, b, membranes.shape[1], b, *given)


@subroutine
def _losses(
    share: int,
    start: int,
    stop: int,
    currents: Any,
    targets: Any,
    decay: Any,
    threshold: Any,
    subtract: Any,
    mask: bool,
    scale: Any,
    space: Any,
    totals: Any,
    gradient: Any,
    by_decay: Any,
    by_threshold: Any,
) -> None:
    given = targets, decay, threshold, subtract, mask, scale, space[share], totals, gradient, by_decay, by_threshold
    for b in range(start, stop):
        lose(currents, b, targets.shape[1], b, *given)


@jit
def _loss(
    team: Any,
    currents: Any,
    targets: Any,
    decay: Any,
    threshold: Any,
    subtract: Any,
    mask: bool,
    scale: Any,
    space: Any,
    totals: Any,
    gradient: Any,
    by_decay: Any,
    by_threshold: Any,
    total: Any,
) -> None:
    given = currents, targets, decay, threshold, subtract, mask, scale, space, totals, gradient, by_decay, by_threshold
    share_out(_losses, team, len(totals), given)  # type: ignore[call-arg]
    add_up(totals, total)


def _rows(x: Tensor) -> Any:
    return x.numpy().reshape(-1, x.shape[-1])


def _number(x: Scalar) -> Any:
    return x.numpy() if isinstance(x, Tensor) else np.float32(x)


def _sums(learned: bool, batch: int, neurons: int) -> tuple[Tensor, Tensor] | None:
    """Where each sample adds up its gradients by decay and threshold."""
    return (torch.zeros(batch, neurons), torch.zeros(batch, neurons)) if learned else None


def _arrays(sums: tuple[Tensor, Tensor] | None) -> tuple[Any, Any]:
    return (None, None) if sums is None else (sums[0].numpy(), sums[1].numpy())


@functools.lru_cache(16)
def rest(batch: int, neurons: int) -> Any:
    """Membranes before the first step, which no kernel writes to; marked as read only, they were of another type."""
    return np.zeros((batch, neurons), np.float32)


def forward(
    currents: Tensor,
    initial: Tensor | None,
    decay: Scalar,
    threshold: Scalar,
    subtract: bool,
    totals: Any = None,
) -> tuple[Tensor, Tensor]:
    """Spikes and membranes of all time steps.

    ``totals``, as :func:`~snn_synth.kernels.cpu.threads.totals` gives them, get the sum of each thread's membranes: not
    finite if a membrane is not.
    """
    spikes, membranes = empty(*currents.shape), empty(*currents.shape)
    start = rest(*currents.shape[1:]) if initial is None else initial.numpy()
    _forward(
        currents.shape[1],
        _rows(currents),
        start,
        _number(decay),
        _number(threshold),
        subtract or None,
        spikes.numpy(),
        membranes.numpy(),
        None if totals is None else scratch("sums of neurons", currents.shape[2]),
        totals,
    )
    return spikes, membranes


def spikes(currents: Tensor, decay: Scalar, threshold: Scalar, subtract: bool) -> Tensor:
    """Spikes of all time steps from rest, whose membranes are not kept."""
    fired = empty(*currents.shape)
    _spikes(
        currents.shape[1],
        _rows(currents),
        _number(decay),
        _number(threshold),
        subtract or None,
        scratch("membranes", 2, currents.shape[2]),
        fired.numpy(),
    )
    return fired


def backward(
    grad_spikes: Tensor | None,
    grad_membranes: Tensor | None,
    membranes: Tensor,
    initial: Tensor | None,
    decay: Scalar,
    threshold: Scalar,
    subtract: bool,
    slope: float,
    learned: bool,
) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
    """Gradient by the currents; where they are ``learned``, by decay and threshold of each sample too."""
    gradient, sums = empty(*membranes.shape), _sums(learned, *membranes.shape[1:])
    start = initial.numpy() if initial is not None else rest(*membranes.shape[1:]) if learned else rest(0, 0)
    _backward(
        membranes.shape[1],
        grad_spikes is not None,
        _rows(membranes if grad_spikes is None else grad_spikes),
        grad_membranes is not None,
        (membranes if grad_membranes is None else grad_membranes).numpy(),
        membranes.numpy(),
        start,
        _number(decay),
        _number(threshold),
        subtract or None,
        np.float32(slope),
        gradient.numpy(),
        *_arrays(sums),
    )
    return gradient, sums


def loss(
    currents: Tensor,
    targets: Tensor,
    decay: Scalar,
    threshold: Scalar,
    subtract: bool,
    mask: bool,
    scale: float,
    learned: bool,
    out: Tensor | None = None,
) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor] | None]:
    """Half the sum of the squared errors, in float64, and ``scale`` times its gradients, as of :func:`backward`.

    ``out`` takes the gradient by the currents, and may be the currents.
    """
    gradient, sums = empty(*currents.shape) if out is None else out, _sums(learned, *currents.shape[1:])
    total = empty(1, dtype=torch.float64)
    _loss(
        _rows(currents),
        targets.numpy(),
        _number(decay),
        _number(threshold),
        subtract or None,
        mask,
        np.float32(scale),
        scratch("steps", currents.shape[0] + 3, currents.shape[2]),
        kept("totals", currents.shape[1], dtype=torch.float64),
        gradient.numpy(),
        *_arrays(sums),
        total.numpy(),
    )
    return total[0], gradient, sums
