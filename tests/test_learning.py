import os
import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from snn_synth import kernels
from snn_synth.encoding import poisson_encode, sample_keys
from snn_synth.errors import InputError
from snn_synth.functional import membrane_loss
from snn_synth.learning import bptt_loss, bptt_step, captured, online_step
from snn_synth.models import AESNN, ConvACSNN, SpikingStack
from snn_synth.neurons import SigmoidLeaky
from tests.processes import exit_codes, free_port
from tests.stored_traces import online, spikes_of, surrogate


class Recorder(torch.optim.Optimizer):
    """Keeps every gradient and moves nothing."""

    def __init__(self, parameters):
        super().__init__(parameters, {})
        self.gradients = []

    def step(self, closure=None):
        self.gradients.append([p.grad.clone().numpy() for p in self.param_groups[0]["params"]])


def _spikes(steps, batch, neurons, seed, rate=0.4):
    return (torch.rand(steps, batch, neurons, generator=torch.Generator().manual_seed(seed)) < rate).double()


def _stack(sizes, gain=1.0, alpha=0.1, seed=0):
    torch.manual_seed(seed)
    net = SpikingStack(sizes, alpha=alpha).double()
    with torch.no_grad():
        for w in net.parameters():
            w.mul_(gain)
    return net


def _weights(net):
    return [w.detach().numpy().copy() for w in net.parameters()]


SHAPES = {1: [12, 9], 2: [12, 10, 8], 3: [12, 10, 9, 7]}


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_online_gradients_equal_stored_traces(depth, mask):
    net = _stack(SHAPES[depth], gain=4.0)
    silent = next(net.parameters()).detach()
    silent[0] = -1.0  # a neuron that never fires
    spikes, targets = _spikes(20, 6, 12, seed=1), _spikes(20, 6, SHAPES[depth][-1], seed=2)
    recorder = Recorder(net.parameters())
    loss = online_step(net, spikes, targets, recorder, mask=mask)

    gradients, losses, membranes, _ = online(_weights(net), spikes.numpy(), targets.numpy(), mask=mask)
    rates = [np.mean([spikes_of(step[layer], 1.0) for step in membranes], 0) for layer in range(depth)]
    for rate in rates:
        assert 0.02 < rate.mean() < 0.9  # there are resets, and neurons between them
    assert rates[0][:, 0].max() == 0
    for ours, theirs in zip(recorder.gradients, gradients, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-9, rtol=1e-9)
    assert loss.item() == pytest.approx(np.mean(losses), rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])  # the reference and the kernels
@pytest.mark.parametrize("traces", ["leaky", "instant"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_traces_that_no_spike_resets_equal_stored_ones(depth, traces, dtype):
    net = _stack(SHAPES[depth], gain=4.0).to(dtype)
    spikes, targets = _spikes(20, 6, 12, seed=1).to(dtype), _spikes(20, 6, SHAPES[depth][-1], seed=2).to(dtype)
    recorder = Recorder(net.parameters())
    online_step(net, spikes, targets, recorder, traces=traces)
    gradients, _, membranes, _ = online(_weights(net), spikes.numpy(), targets.numpy(), kind=traces)
    assert min(np.abs(m - 1).min() for step in membranes for m in step) > 1e-6  # no spike hangs on a rounding error
    exact, *_ = online(_weights(net), spikes.numpy(), targets.numpy())
    tolerance = 1e-9 if dtype == torch.float64 else 1e-4
    for ours, theirs in zip(recorder.gradients, gradients, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, atol=tolerance, rtol=tolerance)
    assert all(np.abs(a - b).max() > 0.01 for a, b in zip(gradients[-1], exact[-1], strict=True))


@pytest.mark.parametrize("traces", ["leaky", "instant"])
def test_updates_by_traces_that_no_spike_resets_end_where_the_reference_ends(traces):
    spikes, targets = _spikes(10, 20, 100, seed=1, rate=0.3).float(), _spikes(10, 20, 80, seed=2, rate=0.2).float()
    ends = []
    for which in ("reference", "numba"):
        net = _stack([100, 70, 80], gain=2.0).float()
        optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, eps=1e-4, fused=True)
        with kernels.use(which):
            online_step(net, spikes, targets, optimizer, traces=traces)
        ends.append([w.detach() for w in net.parameters()])
    start = _stack([100, 70, 80], gain=2.0).float()
    for before, reference, ours in zip(start.parameters(), *ends, strict=True):
        assert (reference - before).abs().max() > 5e-3
        assert (reference - ours).abs().max() < 1e-5


def test_unknown_traces_are_refused():
    net = SpikingStack([2, 2])
    with pytest.raises(InputError, match=r"Expected `traces` of \['reset', 'leaky', 'instant'\], got 'none'"):
        online_step(net, torch.ones(1, 1, 2), torch.ones(1, 1, 2), torch.optim.SGD(net.parameters()), traces="none")


def test_online_gradients_with_membranes_at_the_threshold_itself():
    """alpha = 0.1 and one input: V = 1 exactly at the first step of half of the neurons, and again after each reset."""
    net = SpikingStack([4, 6, 4], alpha=0.1).double()
    with torch.no_grad():
        net.layers[0][0].weight.copy_(torch.tensor([[1.0, 0.5, 0.25, 0.5]] * 3 + [[0.5, 0.5, 0.75, 0.25]] * 3))
        net.layers[1][0].weight.copy_(torch.tensor([[0.5, 0.5, 0.0, 0.0, 1.0, 0.0]] * 4))
    spikes = torch.zeros(12, 2, 4, dtype=torch.float64)
    spikes[:, 0, 0] = spikes[::2, 1, 0] = spikes[::2, 1, 1] = spikes[1::3, 0, 1] = 1
    targets = _spikes(12, 2, 4, seed=4)
    recorder = Recorder(net.parameters())
    online_step(net, spikes, targets, recorder)
    gradients, _, membranes, _ = online(_weights(net), spikes.numpy(), targets.numpy())
    assert sum((step[layer] == 1.0).sum() for step in membranes for layer in (0, 1)) >= 20
    for ours, theirs in zip(recorder.gradients, gradients, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_online_gradients_without_and_with_total_leak(alpha):
    net = _stack([12, 10, 8], gain=4.0, alpha=alpha)
    spikes, targets = _spikes(15, 4, 12, seed=1), _spikes(15, 4, 8, seed=2)
    recorder = Recorder(net.parameters())
    online_step(net, spikes, targets, recorder)
    gradients, *_ = online(_weights(net), spikes.numpy(), targets.numpy(), alpha=alpha)
    for ours, theirs in zip(recorder.gradients, gradients, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_online_gradients_with_reset_by_subtraction(dtype):
    torch.manual_seed(0)
    net = SpikingStack([12, 10, 8], threshold=0.75, reset="subtract").to(dtype)
    with torch.no_grad():
        for w in net.parameters():
            w.mul_(4.0)
    spikes, targets = _spikes(15, 4, 12, seed=1).to(dtype), _spikes(15, 4, 8, seed=2).to(dtype)
    recorder = Recorder(net.parameters())
    online_step(net, spikes, targets, recorder)
    weights = [w.astype(np.float64) for w in _weights(net)]
    settings = {"alpha": 0.1, "threshold": 0.75, "subtract": True}
    gradients, _, membranes, _ = online(weights, spikes.double().numpy(), targets.double().numpy(), **settings)
    assert all(0.1 < np.mean([spikes_of(step[i], 0.75) for step in membranes]) < 0.9 for i in (0, 1))
    for ours, theirs in zip(recorder.gradients, gradients, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-9 if dtype == torch.float64 else 1e-4)


def test_the_online_rule_refuses_learned_neurons_in_one_sentence():
    net = SpikingStack([4, 3, 4], learned=True)
    with pytest.raises(InputError, match="fixed leak and threshold for the online rule, got learned ones: use bptt"):
        online_step(net, torch.ones(2, 1, 4), torch.ones(2, 1, 4), torch.optim.Adam(net.parameters()))


def test_each_time_step_updates_all_layers_from_the_weights_before_it():
    net = _stack([12, 10, 8], gain=4.0)
    start = _weights(net)
    spikes, targets = _spikes(15, 5, 12, seed=1), _spikes(15, 5, 8, seed=2)

    def descend(weights, gradients):
        return [w - 0.05 * g for w, g in zip(weights, gradients, strict=True)]

    online_step(net, spikes, targets, torch.optim.SGD(net.parameters(), lr=0.05))
    _, _, membranes, expected = online(start, spikes.numpy(), targets.numpy(), update=descend)
    assert min(np.abs(m - 1).min() for step in membranes for m in step) > 1e-9  # no spike hangs on a rounding error
    for ours, theirs in zip(net.parameters(), expected, strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs, atol=1e-12)


@pytest.mark.parametrize("fresh", [True, False])
def test_moments_are_fresh_for_each_batch(fresh):
    net = _stack([12, 10, 8], gain=4.0)
    weights = _weights(net)
    batches = [(_spikes(6, 5, 12, seed=s), _spikes(6, 5, 8, seed=s + 10)) for s in (1, 2, 3)]
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=1e-2)

    class Adam:  # Kingma & Ba with decoupled decay, in NumPy
        def __init__(self):
            self.t, self.m, self.v = 0, [0.0, 0.0], [0.0, 0.0]

        def __call__(self, weights, gradients):
            self.t += 1
            moved = []
            for i, (w, g) in enumerate(zip(weights, gradients, strict=True)):
                self.m[i] = 0.9 * self.m[i] + 0.1 * g
                self.v[i] = 0.999 * self.v[i] + 0.001 * g**2
                m, v = self.m[i] / (1 - 0.9**self.t), self.v[i] / (1 - 0.999**self.t)
                moved.append(w * (1 - 1e-3 * 1e-2) - 1e-3 * m / (np.sqrt(v) + 1e-8))
            return moved

    adam = Adam()
    for spikes, targets in batches:
        online_step(net, spikes, targets, optimizer, fresh_moments=fresh)
        adam = Adam() if fresh else adam
        *_, weights = online(weights, spikes.numpy(), targets.numpy(), update=adam)
    for ours, theirs in zip(net.parameters(), weights, strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs, atol=1e-10)


class _ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(2, 3, 3, stride=2, padding=1, bias=False)
        self.layers = nn.ModuleList([nn.ModuleList([self.conv, SigmoidLeaky(alpha=0.1)])])
        with torch.no_grad():
            self.conv.weight.mul_(4)


def test_online_gradients_of_a_convolution_equal_stored_traces():
    net = _ConvNet().double()
    spikes, targets = _spikes(12, 3, 2 * 6 * 6, seed=1).reshape(12, 3, 2, 6, 6), _spikes(12, 3, 27, seed=2)
    recorder = Recorder(net.parameters())
    online_step(net, spikes, targets.reshape(12, 3, 3, 3, 3), recorder)

    # The same convolution as a dense matrix, and how each of its entries depends on the kernel.
    pixels = torch.eye(72, dtype=torch.float64).reshape(72, 2, 6, 6)

    def dense(kernel):
        return torch.func.functional_call(net.conv, {"weight": kernel}, (pixels,)).flatten(1).T

    matrix = dense(net.conv.weight.detach()).numpy()
    jacobian = torch.func.jacrev(dense)(net.conv.weight.detach()).numpy()
    gradients, _, membranes, _ = online([matrix], spikes.flatten(2).numpy(), targets.numpy())
    assert 0.05 < np.mean([spikes_of(step[0], 1.0) for step in membranes]) < 0.9
    for (ours,), (theirs,) in zip(recorder.gradients, gradients, strict=True):
        np.testing.assert_allclose(ours, np.einsum("mn,mnoikl->oikl", theirs, jacobian), atol=1e-9)


def test_online_gradients_of_a_convolutional_audiocoder_equal_stored_traces():
    torch.manual_seed(0)
    net = ConvACSNN(5, 8, [2, 3], 6, norm=False).double()
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(7)
    operators = [operator for operator, _ in net.layers]
    spikes, targets = _spikes(12, 3, 40, seed=1), _spikes(12, 3, 6, seed=2)
    recorder = Recorder(net.parameters())
    online_step(net, spikes, targets, recorder)

    def dense(operator, weight):
        units = torch.eye(operator.in_features, dtype=torch.float64)
        return torch.func.functional_call(operator, {"weight": weight}, (units,)).T

    weights = [operator.weight.detach() for operator in operators]
    matrices = [dense(operator, weight) for operator, weight in zip(operators, weights, strict=True)]
    gradients, _, membranes, _ = online([m.numpy() for m in matrices], spikes.numpy(), targets.numpy())
    assert all(0.05 < np.mean([spikes_of(step[layer], 1.0) for step in membranes]) < 0.9 for layer in range(3))
    for ours, theirs in zip(recorder.gradients, gradients, strict=True):
        for operator, weight, a, b in zip(operators, weights, ours, theirs, strict=True):
            _, pullback = torch.func.vjp(lambda w, operator=operator: dense(operator, w), weight)
            np.testing.assert_allclose(a, pullback(torch.from_numpy(b))[0].numpy(), atol=1e-9)


class _Sparse(nn.Linear):
    """A linear operator that is not its weight alone."""

    def forward(self, x):
        return nn.functional.linear(x, self.weight * (torch.arange(self.weight.numel()) % 3 > 0).view_as(self.weight))


@pytest.mark.parametrize("kind", ["subclass", "parametrized"])
def test_online_gradients_of_operators_that_are_not_their_weight_alone(kind):
    net = _stack([12, 9], gain=4.0)
    operator = _Sparse(12, 9, bias=False).double()
    operator.weight.data.copy_(net.layers[0][0].weight.data)
    if kind == "parametrized":
        operator = nn.utils.parametrizations.weight_norm(nn.Linear(12, 9, bias=False).double())
    net.layers[0][0] = operator
    spikes, targets = _spikes(12, 6, 12, seed=1), _spikes(12, 6, 9, seed=2)
    recorder = Recorder(operator.parameters())
    online_step(net, spikes, targets, recorder)
    effective = operator(torch.eye(12, dtype=torch.float64)).T
    gradients, *_ = online([effective.detach().numpy()], spikes.numpy(), targets.numpy())
    for ours, (theirs,) in zip(recorder.gradients, gradients, strict=True):
        wanted = torch.autograd.grad(
            effective, list(operator.parameters()), torch.from_numpy(theirs), retain_graph=True
        )
        for a, b in zip(ours, wanted, strict=True):
            np.testing.assert_allclose(a, b.numpy(), atol=1e-9)


def test_no_tensor_of_the_size_of_stored_traces_is_made():
    steps, batch, inputs, hidden = 4, 20, 600, 500  # above the 1 MB in which a kernel sums up

    class Largest(TorchDispatchMode):
        size = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            for tensor in out if isinstance(out, tuple | list) else [out]:
                if isinstance(tensor, torch.Tensor):
                    self.size = max(self.size, tensor.nbytes)
            return out

    net = SpikingStack([inputs, hidden, inputs])
    spikes = _spikes(steps, batch, inputs, seed=0).float()
    with kernels.use("numba", "float32"), Largest() as largest:  # measuring what is fastest makes tensors of its own
        online_step(net, spikes, spikes, torch.optim.SGD(net.parameters(), lr=0.1))
    # The weights, in memory whose size is a power of two; stored traces would hold batch times that.
    assert 4 * inputs * hidden <= largest.size <= 2 * 4 * inputs * hidden


def test_bptt_gradient_is_the_hand_derived_one():
    net = _stack([12, 10, 8], gain=4.0)
    spikes, targets = _spikes(15, 5, 12, seed=1), _spikes(15, 5, 8, seed=2)
    bptt_loss(net, spikes, targets).backward()

    w1, w2 = _weights(net)
    _, losses, history, _ = online([w1, w2], spikes.numpy(), targets.numpy())
    v1, v2 = (np.stack([step[layer] for step in history]) for layer in (0, 1))
    a1, a2, x = spikes_of(v1, 1.0), spikes_of(v2, 1.0), targets.numpy()
    error = (x != a2) * (x - v2) / (15 * 5)
    g1, g2 = np.zeros_like(w1), np.zeros_like(w2)
    d1, d2 = np.zeros_like(v1[0]), np.zeros_like(v2[0])
    for t in reversed(range(15)):
        d2 = -error[t] + 0.9 * (1 - a2[t]) * d2
        d1 = (d2 @ w2) * surrogate(v1[t], 1.0) + 0.9 * (1 - a1[t]) * d1
        g2 += d2.T @ a1[t]
        g1 += d1.T @ spikes[t].numpy()
    np.testing.assert_allclose(net.layers[0][0].weight.grad.numpy(), g1, atol=1e-12)
    np.testing.assert_allclose(net.layers[1][0].weight.grad.numpy(), g2, atol=1e-12)
    assert bptt_loss(net, spikes, targets).item() == pytest.approx(np.mean(losses), rel=1e-12)


OPTIMIZERS = [
    (torch.optim.SGD, {"lr": 0.02, "momentum": 0.9}),
    (torch.optim.Adam, {"lr": 3e-3}),
    (torch.optim.AdamW, {"lr": 3e-3, "fused": True}),
    (torch.optim.Adagrad, {"lr": 1e-2}),
    (torch.optim.RMSprop, {"lr": 1e-3}),
]


@pytest.mark.parametrize("step", [bptt_step, online_step])
@pytest.mark.parametrize(("optimizer_class", "settings"), OPTIMIZERS)
def test_any_optimizer_learns_one_batch(step, optimizer_class, settings):
    torch.manual_seed(0)
    net = AESNN(64, 32)
    images = torch.rand(10, 64) * (torch.rand(10, 64) < 0.3)
    spikes = poisson_encode(images, 10, keys=sample_keys(0, torch.arange(10)))
    optimizer = optimizer_class(net.parameters(), **settings)
    losses = [step(net, spikes, spikes, optimizer).item() for _ in range(40)]
    assert np.mean(losses[-5:]) < 0.8 * losses[0]


@pytest.mark.parametrize("rule", ["bptt", "online"])
def test_autocast_to_bf16_gives_float32_gradients_close_to_full_precision(rule):
    torch.manual_seed(0)
    net = AESNN(100, 50)
    spikes = _spikes(6, 20, 100, seed=3).float()
    gradients = []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            if rule == "bptt":
                net.zero_grad()
                bptt_loss(net, spikes, spikes).backward()
                gradients.append([p.grad.numpy().copy() for p in net.parameters()])
            else:
                recorder = Recorder(net.parameters())
                online_step(net, spikes, spikes, recorder)
                gradients.append([np.sum([step[i] for step in recorder.gradients], 0) for i in (0, 1)])
    for full, half in zip(*gradients, strict=True):
        assert half.dtype == np.float32
        assert 0 < np.linalg.norm(full - half) < 0.3 * np.linalg.norm(full)  # bf16 flips a few spikes


def test_loss_sees_the_membrane_before_reset():
    net = _stack([12, 8], gain=4.0)
    spikes, targets = _spikes(5, 3, 12, seed=1), _spikes(5, 3, 8, seed=2)
    membrane = net(spikes).membrane
    assert (membrane > 1).any()
    assert bptt_loss(net, spikes, targets) == membrane_loss(membrane, targets)


def test_bad_input_is_named():
    net = SpikingStack([4, 3])
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with pytest.raises(InputError, match=r"one T and B, got \[5, 2, 4\] and \[4, 2, 3\]"):
        online_step(net, torch.zeros(5, 2, 4), torch.zeros(4, 2, 3), optimizer)
    with pytest.raises(InputError, match=r"spikes of shape \[T, B, 4\], got \[5, 2, 3\]"):
        bptt_loss(net, torch.zeros(5, 2, 3), torch.zeros(5, 2, 3))
    with pytest.raises(InputError, match=r"network with `.layers`.*got Linear"):
        bptt_loss(nn.Linear(3, 3), torch.zeros(5, 2, 3), torch.zeros(5, 2, 3))
    net.layers[0][1] = SigmoidLeaky(learn_beta=True)
    with pytest.raises(InputError, match="fixed leak and threshold"):
        online_step(net, torch.zeros(5, 2, 4), torch.zeros(5, 2, 3), optimizer)


@pytest.mark.parametrize("step", [bptt_step, online_step])
@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ((0, 2, 4), (0, 2, 3)),
        ((5, 2, 4), (4, 2, 3)),
        ((5, 2, 4), (5, 1, 3)),
        ((5, 4), (5, 3)),
        ((5, 2, 4), (5,)),
    ],
)
def test_steps_and_samples_that_do_not_fit_are_named(step, given, wanted):
    net = SpikingStack([4, 3])
    named = re.escape(
        f"Expected spikes [T, B, in] and targets [T, B, out] of one T and B, got {[*given]} and {[*wanted]}"
    )
    with pytest.raises(InputError, match=named):
        step(net, torch.zeros(given), torch.zeros(wanted), torch.optim.SGD(net.parameters(), lr=0.1))


class _Layered(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layers, self.weight = layers, nn.Parameter(torch.zeros(1))


@pytest.mark.parametrize("step", [bptt_step, online_step])
@pytest.mark.parametrize(
    ("layers", "named"),
    [
        ([], "list"),
        (3, "int"),
        ([nn.Linear(2, 2)], "list"),
        ([(nn.Linear(2, 2), nn.ReLU())], "['ReLU']"),
        ([(nn.Linear(2, 2), SigmoidLeaky()), (nn.Linear(2, 2), nn.Identity())], "['SigmoidLeaky', 'Identity']"),
    ],
)
def test_what_is_no_pair_of_an_operator_and_its_neurons_is_named(step, layers, named):
    net = _Layered(layers)
    named = f"Expected `.layers` of _Layered to be pairs of a linear operator and a SigmoidLeaky, got {named}"
    with pytest.raises(InputError, match=re.escape(named)):
        step(net, torch.zeros(3, 1, 2), torch.zeros(3, 1, 2), torch.optim.SGD(net.parameters(), lr=0.1))


def test_batch_norm_looks_at_all_time_steps_at_once():
    """So it takes neither the online rule nor, while it trains, chunks."""
    net, spikes, targets = SpikingStack([4, 3], norm=True), torch.ones(5, 2, 4), torch.ones(5, 2, 3)
    with pytest.raises(InputError, match="for the online rule, got batch norm"):
        online_step(net, spikes, targets, torch.optim.SGD(net.parameters(), lr=0.1))
    with pytest.raises(InputError, match=r"Expected no `chunk` for a network with batch norm.*got 2: give norm=False"):
        bptt_loss(net, spikes, targets, chunk=2)
    net.eval()
    torch.testing.assert_close(bptt_loss(net, spikes, targets, chunk=2), bptt_loss(net, spikes, targets))


def _train_rank(rank, world, port, path, rule):
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=world)
    net = _stack([12, 10, 12], gain=4.0)
    # Not kept: a wrapper that goes after its process group waits, with the GIL, for a thread that wants it.
    _train(nn.parallel.DistributedDataParallel(net), rule, slice(rank * 4, rank * 4 + 4))
    if rank == 0:
        torch.save([p.detach() for p in net.parameters()], path)
    torch.distributed.destroy_process_group()


def _train(net, rule, part):
    step = {"bptt": bptt_step, "online": online_step}[rule]
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    for batch in range(5):
        spikes = _spikes(6, 8, 12, seed=batch)[:, part]
        step(net, spikes, spikes, optimizer)


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["bptt", "online"])
def test_two_ddp_processes_hold_the_weights_of_one(rule, tmp_path, fresh_process):
    where = (free_port(), tmp_path / "weights.pt")
    processes = [fresh_process(_train_rank, rank, 2, *where, rule) for rank in range(2)]
    assert exit_codes(*processes) == [0, 0]
    single = _stack([12, 10, 12], gain=4.0)
    _train(single, rule, slice(None))
    for ours, theirs in zip(torch.load(tmp_path / "weights.pt"), single.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs.detach(), atol=1e-9, rtol=0)


def test_the_online_rule_names_the_width_of_its_input():
    net = SpikingStack([4, 3, 4])
    with pytest.raises(InputError, match=r"Expected spikes of shape \[T, B, 4\], got \[2, 1, 5\]"):
        online_step(net, torch.ones(2, 1, 5), torch.ones(2, 1, 4), torch.optim.SGD(net.parameters(), lr=0.1))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_graph_without_a_gpu_is_one_sentence():
    with pytest.raises(InputError, match="Expected a GPU for a CUDA graph, got a machine without one"):
        captured(lambda: None)
