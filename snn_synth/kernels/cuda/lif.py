"""The neuron's scans over time (eq. 1-9), one pass each: Triton, float32."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from snn_synth.functional.lif import Scalar
from snn_synth.kernels.cuda.launch import jit, launch

# One neuron of one sample per thread, so that small batches reach every multiprocessor; from LARGE on four, whose
# memory is read 16 bytes at a time: a tenth faster on an H200.
SMALL_BLOCK, LARGE_BLOCK, LARGE = 128, 512, 2**18
STAGES = tl.constexpr(4)  # steps under way: a step is too little work to hide the wait for its memory


@jit
def _fired(membrane: tl.tensor, threshold: tl.tensor) -> tl.tensor:
    return (membrane >= threshold).to(tl.float32)  # eq. 2


@jit
def _of(x: tl.tensor, neuron: tl.tensor, inside: tl.tensor, neurons: tl.int32, each: tl.constexpr) -> tl.tensor:
    """A leak or threshold: one number, or where each neuron has its own, what lies there."""
    return tl.load(x + neuron % neurons, inside, 1.0) if each else x


@jit
def _step(
    membrane: tl.tensor, current: tl.tensor, decay: tl.tensor, threshold: tl.tensor, subtract: tl.constexpr
) -> tl.tensor:
    fired = _fired(membrane, threshold)
    left = membrane if subtract else (1.0 - fired) * membrane
    after = decay * left + current  # eq. 1
    return after - threshold * fired if subtract else after


@jit
def _error(membrane: tl.tensor, target: tl.tensor, threshold: tl.tensor, mask: tl.constexpr) -> tl.tensor:
    error = threshold * target - membrane  # eq. 5
    if mask:
        error *= tl.where((membrane >= threshold) == (target > 0.0), 0.0, 1.0)  # eq. 6-7; NaN stays NaN
    return error


@jit
def _pass_on(
    later: tl.tensor, membrane: tl.tensor, decay: tl.tensor, threshold: tl.tensor, subtract: tl.constexpr
) -> tl.tensor:
    return decay * later if subtract else decay * ((1.0 - _fired(membrane, threshold)) * later)


@jit
def _by_decay(g: tl.tensor, membrane: tl.tensor, threshold: tl.tensor, subtract: tl.constexpr) -> tl.tensor:
    return g * membrane if subtract else g * ((1.0 - _fired(membrane, threshold)) * membrane)


@jit
def _by_threshold(g: tl.tensor, membrane: tl.tensor, threshold: tl.tensor, subtract: tl.constexpr) -> tl.tensor:
    return -g * _fired(membrane, threshold) if subtract else tl.zeros_like(g)


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
    neurons: tl.int32,
    decay: tl.tensor,
    threshold: tl.tensor,
    subtract: tl.constexpr,
    each: tl.constexpr,
    block: tl.constexpr,
) -> None:
    neuron = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    inside = neuron < size
    decays = _of(decay, neuron, inside, neurons, each)
    heights = _of(threshold, neuron, inside, neurons, each)
    membrane = tl.zeros([block], tl.float32)
    if initial is not None:
        membrane = tl.load(initial + neuron, inside)
    for t in tl.range(0, num_steps, num_stages=STAGES):
        here = t * size + neuron
        membrane = _step(membrane, tl.load(currents + here, inside), decays, heights, subtract)
        tl.store(spikes + here, _fired(membrane, heights), inside)
        tl.store(membranes + here, membrane, inside)


@jit
def _backward(
    membranes: tl.tensor,
    initial: tl.tensor,
    grad_spikes: tl.tensor,
    grad_membranes: tl.tensor,
    gradient: tl.tensor,
    by_decay: tl.tensor,
    by_threshold: tl.tensor,
    num_steps: tl.int32,
    size: tl.int64,
    neurons: tl.int32,
    decay: tl.tensor,
    threshold: tl.tensor,
    slope: tl.tensor,
    subtract: tl.constexpr,
    each: tl.constexpr,
    block: tl.constexpr,
) -> None:
    neuron = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    inside = neuron < size
    decays = _of(decay, neuron, inside, neurons, each)
    heights = _of(threshold, neuron, inside, neurons, each)
    g = tl.zeros([block], tl.float32)
    d = tl.zeros([block], tl.float32)
    h = tl.zeros([block], tl.float32)
    for t in tl.range(num_steps - 1, -1, -1, num_stages=STAGES):
        here = t * size + neuron
        membrane = tl.load(membranes + here, inside, 0.0)
        d += _by_decay(g, membrane, heights, subtract)  # what step t + 1 owes to the numbers
        h += _by_threshold(g, membrane, heights, subtract)
        g = _pass_on(g, membrane, decays, heights, subtract)
        if grad_spikes is not None:
            through = tl.load(grad_spikes + here, inside, 0.0) * _sigmoid_derivative(membrane - heights, slope)
            g += through
            h -= through
        if grad_membranes is not None:
            g += tl.load(grad_membranes + here, inside, 0.0)
        tl.store(gradient + here, g, inside)
    if by_decay is not None:
        if initial is not None:
            membrane = tl.load(initial + neuron, inside, 0.0)
            d += _by_decay(g, membrane, heights, subtract)
            h += _by_threshold(g, membrane, heights, subtract)
        tl.store(by_decay + neuron, d, inside)
        tl.store(by_threshold + neuron, h, inside)


@jit
def _loss(
    currents: tl.tensor,
    targets: tl.tensor,
    totals: tl.tensor,
    gradient: tl.tensor,
    by_decay: tl.tensor,
    by_threshold: tl.tensor,
    num_steps: tl.int32,
    size: tl.int64,
    neurons: tl.int32,
    decay: tl.tensor,
    threshold: tl.tensor,
    scale: tl.tensor,
    subtract: tl.constexpr,
    mask: tl.constexpr,
    each: tl.constexpr,
    block: tl.constexpr,
) -> None:
    program = tl.program_id(0).to(tl.int64)
    neuron = program * block + tl.arange(0, block)
    inside = neuron < size
    decays = _of(decay, neuron, inside, neurons, each)
    heights = _of(threshold, neuron, inside, neurons, each)
    membrane = tl.zeros([block], tl.float32)
    for t in tl.range(0, num_steps, num_stages=STAGES):
        here = t * size + neuron
        membrane = _step(membrane, tl.load(currents + here, inside, 0.0), decays, heights, subtract)
        tl.store(gradient + here, membrane, inside)  # the way back reads it, then writes the gradient over it
    tl.debug_barrier()  # what one thread wrote, another may read
    squares = tl.zeros([block], tl.float32)
    g = tl.zeros([block], tl.float32)
    d = tl.zeros([block], tl.float32)
    h = tl.zeros([block], tl.float32)
    for t in tl.range(num_steps - 1, -1, -1, num_stages=STAGES):
        here = t * size + neuron
        membrane = tl.load(gradient + here, inside, 0.0)
        target = tl.load(targets + here, inside, 0.0)
        d += _by_decay(g, membrane, heights, subtract)  # what step t + 1 owes to the numbers
        h += _by_threshold(g, membrane, heights, subtract)
        error = _error(membrane, target, heights, mask)
        squares += error * error  # eq. 8
        h += error * target
        g = _pass_on(g, membrane, decays, heights, subtract) - error  # eq. 9
        tl.store(gradient + here, scale * g, inside)
    tl.store(totals + program, 0.5 * tl.sum(squares.to(tl.float64)))
    if by_decay is not None:
        tl.store(by_decay + neuron, scale * d, inside)
        tl.store(by_threshold + neuron, scale * h, inside)


Sums = tuple[Tensor, Tensor] | None


def _sums(learned: bool, step: Tensor) -> Sums:
    """Gradients by decay and threshold of each sample."""
    return (torch.empty_like(step), torch.empty_like(step)) if learned else None


def _shape(x: Tensor) -> tuple[int, int, int]:
    """Time steps, neurons of all samples, and neurons of one."""
    return len(x), x[0].numel(), x.shape[-1]


def _block(size: int) -> int:
    """Neurons of all samples that a program takes."""
    return LARGE_BLOCK if size >= LARGE else SMALL_BLOCK


def _grid(size: int) -> tuple[int]:
    return (triton.cdiv(size, _block(size)),)


def forward(
    currents: Tensor, initial: Tensor | None, decay: Scalar, threshold: Scalar, subtract: bool
) -> tuple[Tensor, Tensor]:
    """Spikes and membranes of all time steps."""
    spikes, membranes = torch.empty_like(currents), torch.empty_like(currents)
    num_steps, size, neurons = _shape(currents)
    numbers, each = (decay, threshold, subtract), isinstance(decay, Tensor)
    arguments = (currents, initial, spikes, membranes, num_steps, size, neurons, *numbers, each, _block(size))
    launch(_forward, _grid(size), *arguments)
    return spikes, membranes


def spikes(currents: Tensor, decay: Scalar, threshold: Scalar, subtract: bool) -> Tensor:
    """Spikes of all time steps from rest."""
    return forward(currents, None, decay, threshold, subtract)[0]


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
) -> tuple[Tensor, Sums]:
    """Gradient by the currents; where they are ``learned``, by decay and threshold of each sample too."""
    gradient, sums = torch.empty_like(membranes), _sums(learned, membranes[0])
    num_steps, size, neurons = _shape(membranes)
    tensors = membranes, initial, grad_spikes, grad_membranes, gradient, *(sums or (None, None))
    numbers, each = (decay, threshold, slope, subtract), isinstance(decay, Tensor)
    launch(_backward, _grid(size), *tensors, num_steps, size, neurons, *numbers, each, _block(size))
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
) -> tuple[Tensor, Tensor, Sums]:
    """Half the sum of the squared errors, in float64, and ``scale`` times its gradients, as of :func:`backward`."""
    gradient, sums = torch.empty_like(currents), _sums(learned, currents[0])
    num_steps, size, neurons = _shape(currents)
    grid = _grid(size)
    totals = currents.new_empty(grid, dtype=torch.float64)  # one per program: adding them up here is deterministic
    tensors = currents, targets, totals, gradient, *(sums or (None, None))
    numbers, each = (decay, threshold, scale, subtract), isinstance(decay, Tensor)
    launch(_loss, grid, *tensors, num_steps, size, neurons, *numbers, mask, each, _block(size))
    return totals.sum(), gradient, sums
