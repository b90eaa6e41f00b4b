"""What the online rule does at one time step beside its weight gradient (eq. 1-9, eq. 13-15): Triton, float32."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from snn_synth.kernels.cuda.launch import jit, launch
from snn_synth.kernels.cuda.lif import _error, _fired, _sigmoid_derivative

BLOCK = 256


@jit
def _integrate(
    inputs: tl.tensor, sums: tl.tensor, num_steps: tl.int32, size: tl.int64, decay: tl.tensor, block: tl.constexpr
) -> None:
    here = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    total = tl.zeros([block], tl.float32)
    for t in range(num_steps):
        total = decay * total + tl.load(inputs + t * size + here, here < size, 0.0)  # eq. 10, eq. 16
        tl.store(sums + (t + 1) * size + here, total, here < size)


@jit
def _move_on(
    membranes: tl.tensor,
    last_spike: tl.tensor,
    currents: tl.tensor,
    targets: tl.tensor,
    found: tl.tensor,
    step: tl.int32,
    size: tl.int64,
    decay: tl.tensor,
    threshold: tl.tensor,
    scale: tl.tensor,
    mask: tl.constexpr,
    block: tl.constexpr,
) -> None:
    here = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    inside = here < size
    before = tl.load(membranes + here, inside, 0.0)
    fired = before >= threshold
    tl.store(last_spike + here, step - 1, inside & fired)
    membrane = decay * tl.where(fired, 0.0, before) + tl.load(currents + here, inside, 0.0)  # eq. 1
    tl.store(membranes + here, membrane, inside)
    if targets is None:
        tl.store(found + here, _fired(membrane, threshold), inside)
    else:
        error = _error(membrane, tl.load(targets + here, inside, 0.0), threshold, mask)
        tl.store(found + here, scale * error, inside)


@jit
def _through_surrogate(
    errors: tl.tensor, membranes: tl.tensor, size: tl.int64, threshold: tl.tensor, slope: tl.tensor, block: tl.constexpr
) -> None:
    here = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    through = _sigmoid_derivative(tl.load(membranes + here, here < size, 0.0) - threshold, slope)
    tl.store(errors + here, through * tl.load(errors + here, here < size, 0.0), here < size)  # eq. 15


class State:
    """A layer during a batch."""

    def __init__(self, weight: Tensor, sums: Tensor) -> None:
        """The sums Y[0] to Y[T] of its input are to be filled; membranes are at rest, and no neuron has fired."""
        self.sums = sums
        self.membranes = weight.new_zeros((sums.shape[1], len(weight)))
        self.last_spike = weight.new_zeros((sums.shape[1], len(weight)), dtype=torch.int32)

    def finite(self) -> bool:
        """Whether all membranes of this time step are known to be finite; of a hidden layer. Nobody has looked."""
        return False


def integrate(inputs: Tensor, decay: float, sums: Tensor) -> None:
    """The sums of all time steps, of inputs that are known."""
    size = inputs[0].numel()
    launch(_integrate, _grid(size), inputs.contiguous(), sums, len(inputs), size, decay, BLOCK)


def hidden(layer: State, inputs: Tensor | None, currents: Tensor, step: int, decay: float, threshold: float) -> Tensor:
    """Spikes of step t; the layer's sums, membranes and last spikes, of the steps before, move on in place.

    Sums stay as they are without ``inputs``.
    """
    return _layer_moves_on(layer, inputs, currents, step, decay, threshold, None, False, 1.0)


def output(
    layer: State,
    inputs: Tensor | None,
    currents: Tensor,
    step: int,
    decay: float,
    threshold: float,
    targets: Tensor,
    mask: bool,
    scale: float,
) -> Tensor:
    """As :func:`hidden`, of the last layer: ``scale`` times E."""
    return _layer_moves_on(layer, inputs, currents, step, decay, threshold, targets.contiguous(), mask, scale)


def errors(values: Tensor) -> Tensor:
    """Errors of a layer, as the other functions here take them."""
    return values


def loss(layer: State, errors: Tensor, scale: float) -> Tensor:
    """``scale`` times the sum of the squares of what :func:`output` gave."""
    values = errors.view(-1)
    return torch.dot(values, values) * scale


def scaled(errors: Tensor, factor: Tensor) -> Tensor:
    """All of them times a number."""
    return errors * factor


def hidden_error(error: Tensor, weight: Tensor, layer: State, threshold: float, slope: float) -> Tensor:
    """The error of the layer below."""
    below = torch.mm(error, weight)  # eq. 14
    launch(_through_surrogate, _grid(below.numel()), below, layer.membranes, below.numel(), threshold, slope, BLOCK)
    return below


def _layer_moves_on(
    layer: State,
    inputs: Tensor | None,
    currents: Tensor,
    step: int,
    decay: float,
    threshold: float,
    targets: Tensor | None,
    mask: bool,
    scale: float,
) -> Tensor:
    if inputs is not None:
        torch.add(inputs, layer.sums[step - 1], alpha=decay, out=layer.sums[step])  # eq. 10, eq. 16
    found = torch.empty_like(currents)
    tensors = layer.membranes, layer.last_spike, currents, targets, found
    launch(_move_on, _grid(found.numel()), *tensors, step, found.numel(), decay, threshold, scale, mask, BLOCK)
    return found


def _grid(size: int) -> tuple[int, ...]:
    return (triton.cdiv(size, BLOCK),)
