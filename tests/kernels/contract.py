"""What every backend promises: the results of functional/. A file that imports these tests defines ``kernels``."""

import os

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from snn_synth.functional.eligibility import Trace
from snn_synth.functional.encoding import even_encode, low_discrepancy_encode, poisson_encode
from snn_synth.functional.lif import lif_scan
from snn_synth.functional.loss import membrane_error
from snn_synth.learning.adam import plain_moments

DEVICE = "cuda" if os.environ.get("TRITON_INTERPRET") == "0" else "cpu"
SHAPES = [(1, 1, 1), (17, 1, 3), (3, 2, 257)]  # [T, B, N]
# Decay, threshold and reset; decay and threshold are one number, or the ends of a range of one for each neuron.
NEURONS = [
    (0.9, 1.0, "zero"),
    (0.0, 0.5, "zero"),
    (1.0, 1.0, "zero"),
    (0.9, 0.5, "zero"),
    (0.9, 1.0, "subtract"),
    (1.0, 0.5, "subtract"),
    ((0.2, 1.0), (0.5, 1.5), "zero"),
    ((0.2, 1.0), (0.5, 1.5), "subtract"),
]
LEARNED = NEURONS[-2:]


def currents_of(shape, seed=0):
    """Random currents; a third are multiples of 1/8, which meet the threshold exactly."""
    generator = torch.Generator().manual_seed(seed)
    fine = 1.5 * torch.rand(shape, generator=generator) - 0.3
    coarse = torch.randint(9, shape, generator=generator) / 8
    return torch.where(torch.rand(shape, generator=generator) < 1 / 3, coarse, fine)


def normal(shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def numbers_of(neuron, neurons):
    """Decay and threshold as the kernels take them."""
    return [torch.linspace(*x, neurons) if isinstance(x, tuple) else x for x in neuron[:2]]


def values(errors):
    """The numbers of a backend's errors."""
    return (errors if isinstance(errors, torch.Tensor) else errors.values).cpu()


def subtracts(neuron):
    return neuron[2] == "subtract"


def scan(currents, initial, decay, threshold, slope=1.0, reset="zero"):
    """The reference in float64, with the decay that float32 holds."""
    decay, threshold = torch.as_tensor(decay).double(), torch.as_tensor(threshold).double()
    initial = None if initial is None else initial.double()
    return lif_scan(currents.double(), initial, decay, threshold, slope, reset)


def send(*tensors):
    return [x.to(DEVICE) if isinstance(x, torch.Tensor) else x for x in tensors]


@pytest.mark.parametrize("initial", [False, True])
@pytest.mark.parametrize("neuron", NEURONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_forward(kernels, shape, neuron, initial):
    currents, numbers = currents_of(shape), numbers_of(neuron, shape[2])
    start = currents_of(shape[1:], seed=1) if initial else None
    spikes, membranes = kernels.lif.forward(*send(currents, start, *numbers), subtracts(neuron))
    wanted_spikes, wanted_membranes = lif_scan(currents, start, *numbers, reset=neuron[2])
    assert spikes.dtype == membranes.dtype == torch.float32
    assert torch.equal(spikes.cpu(), wanted_spikes)
    assert torch.equal(membranes.cpu(), wanted_membranes)
    if not initial:
        assert torch.equal(kernels.lif.spikes(*send(currents, *numbers), subtracts(neuron)).cpu(), wanted_spikes)


@pytest.mark.parametrize(
    ("slope", "by_spikes", "by_membranes"),
    [(1.0, True, True), (5.0, True, True), (5.0, True, False), (1.0, False, True)],
)
@pytest.mark.parametrize("neuron", NEURONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_backward(kernels, shape, neuron, slope, by_spikes, by_membranes):
    currents, (decay, threshold) = currents_of(shape).requires_grad_(), numbers_of(neuron, shape[2])
    grad_spikes = normal(shape, 2) if by_spikes else None
    grad_membranes = normal(shape, 3) if by_membranes else None
    outputs = scan(currents, None, decay, threshold, slope, neuron[2])
    both = zip(outputs, (grad_spikes, grad_membranes), strict=True)
    sum((out * grad).sum() for out, grad in both if grad is not None).backward()

    _, membranes = lif_scan(currents.detach(), None, decay, threshold, reset=neuron[2])
    fired = membranes >= threshold, outputs[1] >= threshold
    assert torch.equal(*fired), "float32 and float64 spike differently here"
    gradient, sums = kernels.lif.backward(
        *send(grad_spikes, grad_membranes, membranes, None, decay, threshold), subtracts(neuron), slope, False
    )
    assert sums is None
    assert_close(gradient.cpu(), currents.grad, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("initial", [False, True])
@pytest.mark.parametrize(("by_spikes", "by_membranes"), [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("neuron", LEARNED)
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_by_leak_and_threshold(kernels, shape, neuron, by_spikes, by_membranes, initial):
    currents, numbers = currents_of(shape), numbers_of(neuron, shape[2])
    start = currents_of(shape[1:], seed=1) if initial else None
    grad_spikes = normal(shape, 2) if by_spikes else None
    grad_membranes = normal(shape, 3) if by_membranes else None
    learned = [x.double().requires_grad_() for x in numbers]
    outputs = scan(currents, start, *learned, 2.0, neuron[2])
    both = zip(outputs, (grad_spikes, grad_membranes), strict=True)
    loss = sum((out * grad).sum() for out, grad in both if grad is not None)
    by_decay, by_threshold = torch.autograd.grad(loss, learned, materialize_grads=True)

    _, membranes = lif_scan(currents, start, *numbers, reset=neuron[2])
    tensors = send(grad_spikes, grad_membranes, membranes, start, *numbers)
    _, sums = kernels.lif.backward(*tensors, subtracts(neuron), 2.0, True)
    for found, wanted in zip(sums, (by_decay, by_threshold), strict=True):
        assert_close(found.cpu().sum(0).double(), wanted, rtol=1e-4, atol=1e-4)


def test_backward_far_from_the_threshold(kernels):
    membranes = torch.tensor([-1e30, -1e3, 1e3, 1e30]).reshape(1, 1, 4)
    (membranes,) = send(membranes)
    gradient, _ = kernels.lif.backward(
        torch.ones_like(membranes), None, membranes, None, 0.9, 1.0, subtract=False, slope=1.0, learned=False
    )
    assert_close(gradient.cpu(), torch.zeros(1, 1, 4), rtol=0, atol=1e-37)


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("neuron", NEURONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_loss(kernels, shape, neuron, mask):
    currents, numbers = currents_of(shape).requires_grad_(), numbers_of(neuron, shape[2])
    targets = (normal(shape, 4) > 0).float()
    learned = [torch.as_tensor(x).double().requires_grad_() for x in numbers]
    _, membranes = scan(currents, None, *learned, reset=neuron[2])
    wanted = 0.5 * membrane_error(membranes, targets.double(), learned[1], mask).square().sum()
    wanted.backward()

    given = *send(currents.detach(), targets, *numbers), subtracts(neuron), mask, 0.25
    total, gradient, sums = kernels.lif.loss(*given, neuron in LEARNED)
    assert total.dtype == torch.float64
    assert total.shape == ()
    assert_close(total.cpu(), wanted.detach(), rtol=1e-6, atol=1e-6)
    assert_close(gradient.cpu(), 0.25 * currents.grad, rtol=1e-5, atol=1e-5)
    for found, by in zip(sums or (), learned, strict=False):
        assert_close(found.cpu().sum(0).double(), 0.25 * by.grad, rtol=1e-4, atol=1e-4)
    assert (sums is not None) == (neuron in LEARNED)
    again, *_ = kernels.lif.loss(*given, False)
    assert torch.equal(total, again)


CODES = {"poisson": poisson_encode, "low-discrepancy": low_discrepancy_encode, "even": even_encode}


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("max_rate", [1.0, 0.3])
@pytest.mark.parametrize("shape", [(1, 1, 1), (17, 1, 3), (3, 2, 257)])
def test_rate_codes(kernels, shape, max_rate, code):
    num_steps, batch, neurons = shape
    generator = torch.Generator().manual_seed(5)
    values = torch.rand(batch, neurons, generator=generator)
    values[:, 1::5], values[:, 2::5] = 1, 0
    keys = torch.randint(-(1 << 63), (1 << 63) - 1, (batch,), generator=generator)
    spikes = kernels.encoding.rate_spikes(*send(values, keys), num_steps, max_rate, code)
    assert spikes.dtype == torch.float32
    assert torch.equal(spikes.cpu(), CODES[code](values, num_steps, max_rate, keys=keys))


@pytest.mark.parametrize("code", ["poisson", "low-discrepancy"])
def test_a_code_at_the_limit(kernels, code):
    """A value of u / 2^24 stays silent at the uniform number u, the next larger one fires."""
    keys = torch.tensor([7])
    silent, fires = torch.zeros(1, 300), torch.ones(1, 300)
    for _ in range(24):  # bisection by the reference
        middle = (silent + fires) / 2
        spikes = CODES[code](middle, 1, keys=keys)[0] > 0
        silent, fires = torch.where(spikes, silent, middle), torch.where(spikes, middle, fires)
    assert torch.equal(fires - silent, torch.full((1, 300), 2.0**-24))
    assert not kernels.encoding.rate_spikes(*send(silent, keys), 1, 1.0, code).any()
    assert kernels.encoding.rate_spikes(*send(fires, keys), 1, 1.0, code).all()


@pytest.mark.parametrize("decay", [0.9, 0.0, 1.0])
@pytest.mark.parametrize(
    ("num_steps", "batch", "outputs", "inputs"),
    [(1, 1, 1, 1), (17, 3, 5, 1), (4, 2, 33, 65), (3, 2, 4, 257), (2, 21, 3, 5)],
)
def test_weight_gradient(kernels, num_steps, batch, outputs, inputs, decay):
    generator = torch.Generator().manual_seed(6)
    operator = nn.Linear(inputs, outputs, bias=False, dtype=torch.float64)
    trace = Trace(float(torch.tensor(decay)), num_steps)
    for t in range(1, num_steps + 1):
        trace.integrate((torch.rand(batch, inputs, generator=generator) < 0.4).double())
        if t in {1, num_steps // 2 + 1, num_steps}:
            delta = torch.randn(batch, outputs, generator=generator) * (
                torch.rand(batch, outputs, generator=generator) < 0.7
            )
            (wanted,) = trace.weight_gradients(operator, delta)
            last = torch.zeros(batch, outputs) if trace.last_spike is None else trace.last_spike
            tensors = send(delta, last.to(torch.int32), trace.sums.float())
            gradient = kernels.traces.weight_gradient(kernels.step.errors(tensors[0]), *tensors[1:], t, decay)
            assert_close(gradient.cpu().double(), wanted, rtol=1e-5, atol=1e-5)
        trace.reset((torch.rand(batch, outputs, generator=generator) < 0.3).double())


@pytest.mark.parametrize("density", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("inputs", [1, 33, 64, 65, 200])
def test_hidden_error_passes_the_weights_and_the_surrogate(kernels, inputs, density):
    error = normal((9, 70), 0) * (torch.rand(9, 70, generator=torch.Generator().manual_seed(1)) < density)
    weight, membranes = normal((70, inputs), 2), 3 * normal((9, inputs), 3)
    errors, below = (
        kernels.step.errors(send(error)[0]),
        kernels.step.State(*send(torch.zeros(inputs, 1), torch.zeros(2, 9, 1))),
    )
    below.membranes.copy_(membranes)
    found = kernels.step.hidden_error(errors, *send(weight), below, threshold=0.5, slope=2.0)
    through = torch.sigmoid(2 * (membranes.double() - 0.5))
    wanted = (error.double() @ weight.double()) * 2 * through * (1 - through)
    assert_close(values(found).double(), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mask", [True, False])
def test_neurons_move_on_like_the_equations(kernels, mask):
    """A hidden layer and an output layer of the same neurons, in NumPy beside."""
    rng = np.random.default_rng(0)
    currents = rng.choice(np.linspace(0, 1, 9), (12, 7, 30)).astype(np.float32)  # the threshold itself fires
    inputs, targets = ((rng.random((12, 7, n)) < 0.4).astype(np.float32) for n in (9, 30))
    known = send(torch.zeros(13, 7, 9))[0]
    kernels.step.integrate(*send(torch.from_numpy(inputs)), 0.75, known)
    weight, start = send(torch.zeros(30, 9), torch.zeros(13, 7, 9))
    hidden, output = (kernels.step.State(weight, start.clone()) for _ in range(2))
    v, r, fired = np.zeros((7, 30), np.float32), np.zeros((7, 30)), np.zeros((7, 30), bool)
    sums = np.zeros((7, 9), np.float32)
    for t in range(1, 13):
        r[fired] = t - 1
        v = np.float32(0.75) * np.where(fired, np.float32(0), v) + currents[t - 1]
        fired = v >= 1.25
        sums = np.float32(0.75) * sums + inputs[t - 1]
        now = *send(*map(torch.from_numpy, (inputs[t - 1], currents[t - 1]))), t, 0.75, 1.25
        np.testing.assert_array_equal(kernels.step.hidden(hidden, *now).cpu(), fired)
        errors = kernels.step.output(output, *now, *send(torch.from_numpy(targets[t - 1])), mask, 0.25)
        wrong = fired != (targets[t - 1] > 0) if mask else 1
        np.testing.assert_allclose(values(errors), 0.25 * wrong * (1.25 * targets[t - 1] - v), rtol=1e-6)
        loss = kernels.step.loss(output, errors, 3.0)

        np.testing.assert_allclose(float(loss), 3 * values(errors).double().square().sum(), rtol=1e-6)
        for layer in (hidden, output):
            np.testing.assert_allclose(layer.membranes.cpu(), v, rtol=1e-6)
            np.testing.assert_array_equal(layer.last_spike.cpu(), r)
            np.testing.assert_allclose(layer.sums[t].cpu(), sums, rtol=1e-6)
        np.testing.assert_allclose(known[t].cpu(), sums, rtol=1e-6)
    assert len(np.unique(r)) > 3


@pytest.mark.parametrize("settings", [{}, {"weight_decay": 0.1, "betas": (0.8, 0.9), "eps": 1e-6}])
@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW])
@pytest.mark.parametrize(("batch", "outputs", "inputs"), [(5, 33, 70), (3, 1, 5)])
def test_update_weight_is_adam_by_the_weight_gradient(kernels, kind, settings, batch, outputs, inputs):
    ours, theirs = (nn.Parameter(normal((outputs, inputs), 1).to(DEVICE)) for _ in range(2))
    mine, its = (kind([weight], lr=1e-3, **settings) for weight in (ours, theirs))
    sums = send(normal((4, batch, inputs), 2).abs())[0]
    sums[0] = 0
    for i in range(4):
        if i in (0, 2):  # a state that is there is gone on with
            (moments,) = plain_moments(mine, [ours])
        errors = kernels.step.errors(send(normal((batch, outputs), 10 + i))[0])
        last = torch.randint(0, 3, (batch, outputs), generator=torch.Generator().manual_seed(i), dtype=torch.int32)
        arguments = errors, *send(last), sums, 3, 0.9
        theirs.grad = kernels.traces.weight_gradient(*arguments)
        its.step()
        kernels.traces.update_weight(*arguments, moments)
    assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    assert mine.state[ours].keys() == its.state[theirs].keys()
    for name, value in mine.state[ours].items():
        assert_close(value, its.state[theirs][name], rtol=1e-5, atol=1e-6)
        assert value.device == its.state[theirs][name].device
