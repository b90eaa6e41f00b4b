"""The neuron's scans over time (eq. 1-9), one pass each: Triton, float32."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from snn_synth.kernels.cuda.launch import jit, launch

BLOCK = 128  # one neuron of one sample per thread: small batches still reach every multiprocessor
STAGES = tl.constexpr(4)  # steps under way: a step is too little work to hide the wait for its memory


@jit
def _fired(membrane: tl.tensor, threshold: tl.tensor) -> tl.tensor:
    return (membrane >= threshold).to(tl.float32)  # eq. 2


@jit
def _step(membrane: tl.tensor, current: tl.tensor, decay: tl.tensor, threshold: tl.tensor) -> tl.tensor:
    return decay * ((1.0 - _fired(membrane, threshold)) * membrane) + current  # eq. 1


@jit
def _sigmoid_derivative(x: tl.tensor, slope: tl.tensor) -> tl.tensor:
    return slope * tl.sigmoid(slope * x) * tl.sigmoid(-slope * x)  # eq. 3-4


@jit
def _forward(
    currents: tl.tensor,
    initial: tl.tensor,
    spikes: tl.tensor,
    membranes: tl.tensor,
    num_steps: tl.int32,
    size: tl.int64,
    decay: tl.tensor,
    threshold: tl.tensor,
    block: tl.constexpr,
) -> None:
    neuron = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    inside = neuron < size
    membrane = tl.zeros([block], tl.float32)
    if initial is not None:
        membrane = tl.load(initial + neuron, inside)
    for t in tl.range(0, num_steps, num_stages=STAGES):
        here = t * size + neuron
        membrane = _step(membrane, tl.load(currents + here, inside), decay, threshold)
        tl.store(spikes + here, _fired(membrane, threshold), inside)
        tl.store(membranes + here, membrane, inside)


@jit
def _backward(
    membranes: tl.tensor,
    grad_spikes: tl.tensor,
    grad_membranes: tl.tensor,
    gradient: tl.tensor,
    num_steps: tl.int32,
    size: tl.int64,
    decay: tl.tensor,
    threshold: tl.tensor,
    slope: tl.tensor,
    block: tl.constexpr,
) -> None:
    neuron = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    inside = neuron < size
    g = tl.zeros([block], tl.float32)
    for t in tl.range(num_steps - 1, -1, -1, num_stages=STAGES):
        here = t * size + neuron
        membrane = tl.load(membranes + here, inside)
        g = decay * ((1.0 - _fired(membrane, threshold)) * g)
        if grad_spikes is not None:
            g += tl.load(grad_spikes + here, inside) * _sigmoid_derivative(membrane - threshold, slope)
        if grad_membranes is not None:
            g += tl.load(grad_membranes + here, inside)
        tl.store(gradient + here, g, inside)


@jit
def _loss(
    currents: tl.tensor,
    targets: tl.tensor,
    totals: tl.tensor,
    gradient: tl.tensor,
    num_steps: tl.int32,
    size: tl.int64,
    decay: tl.tensor,
    threshold: tl.tensor,
    scale: tl.tensor,
    mask: tl.constexpr,
    block: tl.constexpr,
) -> None:
    program = tl.program_id(0).to(tl.int64)
    neuron = program * block + tl.arange(0, block)
    inside = neuron < size
    membrane = tl.zeros([block], tl.float32)
    for t in tl.range(0, num_steps, num_stages=STAGES):
        here = t * size + neuron
        membrane = _step(membrane, tl.load(currents + here, inside, 0.0), decay, threshold)
        tl.store(gradient + here, membrane, inside)  # the way back reads it, then writes the gradient over it
    tl.debug_barrier()  # what one thread wrote, another may read
    squares = tl.zeros([block], tl.float32)
    g = tl.zeros([block], tl.float32)
    for t in tl.range(num_steps - 1, -1, -1, num_stages=STAGES):
        here = t * size + neuron
        membrane = tl.load(gradient + here, inside, 0.0)
        target = tl.load(targets + here, inside, 0.0)
        error = threshold * target - membrane  # eq. 5
        if mask:
            error *= tl.where((membrane >= threshold) == (target > 0.0), 0.0, 1.0)  # eq. 6-7; NaN stays NaN
        squares += error * error  # eq. 8
        g = decay * ((1.0 - _fired(membrane, threshold)) * g) - error  # eq. 9
        tl.store(gradient + here, scale * g, inside)
    tl.store(totals + program, 0.5 * tl.sum(squares.to(tl.float64)))


def forward(currents: Tensor, initial: Tensor | None, decay: float, threshold: float) -> tuple[Tensor, Tensor]:
    """Spikes and membranes of all time steps."""
    spikes, membranes = torch.empty_like(currents), torch.empty_like(currents)
    num_steps, size = len(currents), currents[0].numel()
    grid = (triton.cdiv(size, BLOCK),)
    launch(_forward, grid, currents, initial, spikes, membranes, num_steps, size, decay, threshold, BLOCK)
    return spikes, membranes


def spikes(currents: Tensor, decay: float, threshold: float) -> Tensor:
    """Spikes of all time steps from rest."""
    return forward(currents, None, decay, threshold)[0]


def backward(
    grad_spikes: Tensor | None,
    grad_membranes: Tensor | None,
    membranes: Tensor,
    decay: float,
    threshold: float,
    slope: float,
) -> Tensor:
    """Gradient by the currents."""
    gradient = torch.empty_like(membranes)
    num_steps, size = len(membranes), membranes[0].numel()
    grid = (triton.cdiv(size, BLOCK),)
    arguments = (membranes, grad_spikes, grad_membranes, gradient, num_steps, size, decay, threshold, slope, BLOCK)
    launch(_backward, grid, *arguments)
    return gradient


def loss(
    currents: Tensor, targets: Tensor, decay: float, threshold: float, mask: bool, scale: float
) -> tuple[Tensor, Tensor]:
    """Half the sum of the squared errors, in float64, and ``scale`` times its gradient by the currents."""
    gradient = torch.empty_like(currents)
    num_steps, size = len(currents), currents[0].numel()
    grid = (triton.cdiv(size, BLOCK),)
    totals = currents.new_empty(grid, dtype=torch.float64)  # one per program: adding them up here is deterministic
    arguments = (currents, targets, totals, gradient, num_steps, size, decay, threshold, scale, mask, BLOCK)
    launch(_loss, grid, *arguments)
    return totals.sum(), gradient
