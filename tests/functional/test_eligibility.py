"""Traces by a loop that keeps one for each synapse, as the paper does."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from snn_synth.functional import Trace, traced_current


def shown(steps=7, batch=3, inputs=4, outputs=5, seed=0):
    noise = torch.Generator().manual_seed(seed)
    spikes = (torch.rand(steps, batch, inputs, generator=noise) < 0.5).double()
    fired = (torch.rand(steps, batch, outputs, generator=noise) < 0.3).double()
    return spikes, fired, torch.randn(steps, batch, outputs, generator=noise, dtype=torch.float64)


def gradients_by_loop(spikes, fired, delta, decay):
    """Of each step: sum over samples of the error times the trace of each synapse."""
    steps, batch, inputs = spikes.shape
    trace, found = np.zeros((batch, fired.shape[2], inputs)), []
    before = np.zeros((batch, fired.shape[2]))
    for t in range(steps):
        trace = decay * trace * (1 - before)[..., None] + spikes[t].numpy()[:, None]
        found.append((delta[t].numpy()[..., None] * trace).sum(0))
        before = fired[t].numpy()
    return found


def run(operator, spikes, fired, delta, decay):
    trace, found = Trace(decay, len(spikes)), []
    for t in range(len(spikes)):
        current = traced_current(operator, spikes[t], trace)
        trace.reset(fired[t])
        found.append(torch.autograd.grad(current, list(operator.parameters()), delta[t])[0].numpy())
    return found


@pytest.mark.parametrize("decay", [0.0, 0.75, 1.0])
def test_gradients_of_each_step_are_those_of_a_trace_for_each_synapse(decay):
    spikes, fired, delta = shown()
    found = run(nn.Linear(4, 5, bias=False).double(), spikes, fired, delta, decay)
    np.testing.assert_allclose(found, gradients_by_loop(spikes, fired, delta, decay), atol=1e-12)


def test_a_pruned_operator_and_one_without_a_class_of_its_own_have_their_gradients():
    spikes, fired, delta = shown()
    expected = gradients_by_loop(spikes, fired, delta, 0.75)
    pruned = prune.random_unstructured(nn.Linear(4, 5, bias=False).double(), "weight", 0.5)
    kept = pruned.weight_mask.numpy()
    np.testing.assert_allclose(run(pruned, spikes, fired, delta, 0.75), expected * kept, atol=1e-12)

    class Doubled(nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    found = run(Doubled(4, 5, bias=False).double(), spikes, fired, delta, 0.75)
    np.testing.assert_allclose(found, 2 * np.array(expected), atol=1e-12)


def test_what_passes_to_the_layer_below_is_the_weight():
    spikes, _, delta = shown()
    operator, x = nn.Linear(4, 5, bias=False).double(), spikes[0].requires_grad_()
    (gradient,) = torch.autograd.grad(traced_current(operator, x, Trace(0.5, 1)), x, delta[0])
    torch.testing.assert_close(gradient, delta[0] @ operator.weight.detach())


@pytest.mark.parametrize(("dtype", "kept"), [(torch.bfloat16, torch.float32), (torch.float64, torch.float64)])
def test_sums_of_half_precision_are_kept_in_float32_and_gradients_in_the_parameters_dtype(dtype, kept):
    operator, trace = nn.Linear(4, 5, bias=False).to(dtype), Trace(0.75, 100)
    for _ in range(100):
        current = traced_current(operator, torch.ones(2, 4, dtype=dtype), trace)
        trace.reset(torch.zeros(2, 5))
    current.sum().backward()
    assert trace.sums.dtype == kept
    torch.testing.assert_close(trace.sums[-1], torch.full((2, 4), 4.0, dtype=kept))  # 1 / (1 - 0.75)
    assert operator.weight.grad.dtype == dtype
    torch.testing.assert_close(operator.weight.grad, torch.full((5, 4), 8.0, dtype=dtype))


def test_the_same_operator_twice_in_a_convolution_has_the_gradient_of_unrolled_places():
    spikes, _, _ = shown(inputs=6)
    operator, trace = nn.Conv1d(2, 3, 2, bias=False).double(), Trace(0.5, 2)
    fired = torch.zeros(3, 3, 2, dtype=torch.float64)
    fired[0, 1, 0] = fired[2, 0, 1] = 1
    delta = torch.randn(3, 3, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    first, second = spikes[0].view(3, 2, 3), spikes[1].view(3, 2, 3)
    traced_current(operator, first, trace)
    trace.reset(fired)
    (found,) = torch.autograd.grad(traced_current(operator, second, trace), operator.weight, delta)
    expected = np.zeros((3, 2, 2))
    for b, m, place, channel, lag in np.ndindex(3, 3, 2, 2, 2):
        old = 0.5 * first[b, channel, place + lag].item() * (1 - fired[b, m, place].item())
        expected[m, channel, lag] += delta[b, m, place].item() * (old + second[b, channel, place + lag].item())
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)
