import contextlib
import math
import resource

import numpy as np
import pytest
import torch
from torch import nn

from snn_synth import kernels
from snn_synth.errors import InputError
from snn_synth.kernels.cpu import choice, products, traces
from snn_synth.kernels.cpu import currents as cpu_currents
from snn_synth.kernels.cpu import step as cpu_step
from snn_synth.kernels.cpu.traces import update_weight, weight_gradient
from snn_synth.kernels.online import Layer, online_rule
from snn_synth.learning import online_step
from snn_synth.models import SpikingStack
from snn_synth.neurons import SigmoidLeaky
from tests.kernels.guarded import guard
from tests.processes import exit_codes
from tests.stored_traces import online, spikes_of


@pytest.fixture(params=[1, 2])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@contextlib.contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


class Recorder(torch.optim.Optimizer):
    """Keeps every gradient and moves nothing."""

    def __init__(self, parameters):
        super().__init__(parameters, {})
        self.gradients = []

    def step(self, closure=None):
        self.gradients.append([None if p.grad is None else p.grad.clone() for p in self.param_groups[0]["params"]])


def _spikes(steps, batch, neurons, seed, rate=0.4):
    return (torch.rand(steps, batch, neurons, generator=torch.Generator().manual_seed(seed)) < rate).float()


def _stack(sizes, alpha=0.1, seed=0, gain=4.0):
    torch.manual_seed(seed)
    net = SpikingStack(sizes, alpha=alpha)
    with torch.no_grad():
        for w in net.parameters():
            w.mul_(gain)
    return net


def zeros(*shape):
    return np.zeros(shape, np.float32)


def _rule(net, spikes, targets, mask=True):
    layers = [Layer(operator.weight, float(n.decay), float(n.threshold), n.slope) for operator, n in net.layers]
    return online_rule(layers, spikes, targets, mask)


def _gradients(net, spikes, targets, **settings):
    recorder = Recorder(net.parameters())
    loss = online_step(net, spikes, targets, recorder, **settings)
    return recorder.gradients, loss


def _assert_close(ours, theirs, relative):
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    assert ours.shape == theirs.shape
    assert np.linalg.norm(ours - theirs) <= relative * np.linalg.norm(theirs)


# --- the kernels alone ---


@pytest.mark.parametrize("density", [0.0, 0.1, 1.0])
@pytest.mark.parametrize(
    ("batch", "neurons", "inputs", "step", "decay"),
    [
        (1, 1, 1, 1, 0.9),
        (3, 5, 33, 4, 0.9),
        (7, 40, 64, 9, 0.0),
        (50, 5, 65, 6, 1.0),
        (100, 30, 200, 15, 0.9),
        (20, 600, 580, 3, 0.9),  # more neurons than inputs, and more of both than are added up at once
    ],
)
def test_weight_gradient_is_the_sum_over_traces(batch, neurons, inputs, step, decay, density, threads, monkeypatch):
    rng = np.random.default_rng(0)
    sums = rng.random((step + 2, batch, inputs)).astype(np.float32)
    sums[0] = 0
    sums[step + 1] = np.nan  # of a step to come
    last = rng.integers(0, step, (batch, neurons)).astype(np.int32)
    delta = rng.standard_normal((batch, neurons)) * (rng.random((batch, neurons)) < density)
    delta = delta.astype(np.float32)
    expected = np.zeros((neurons, inputs))
    for b in range(batch):
        kept = decay ** (step - last[b]).astype(float)
        expected += delta[b, :, None].astype(float) * (sums[step, b] - kept[:, None] * sums[last[b], b])
    errors = cpu_step.errors(torch.from_numpy(delta))
    check = guard(monkeypatch, traces)
    ours = weight_gradient(errors, torch.from_numpy(last), torch.from_numpy(sums), step, decay)
    check()
    _assert_close(ours, expected, 1e-6)


@pytest.mark.parametrize("inputs", [1, 16, 17, 64, 80, 81, 196, 580])
@pytest.mark.parametrize(
    ("batch", "neurons", "fires", "density"),
    [(100, 30, 0.3, 1.0), (100, 30, 0.0, 1.0), (9, 600, 0.3, 0.9), (40, 33, 0.1, 0.7)],
)
def test_the_gradient_is_the_same_from_a_product(batch, neurons, inputs, fires, density, threads, monkeypatch):
    """Where few neurons have fired, their traces correct the product of all errors with the leaky sums."""
    asked = []
    monkeypatch.setattr(traces, "_product_pays", lambda *given: asked.append(given) or True)
    rng = np.random.default_rng(3)
    step, decay = 9, 0.9
    sums = rng.random((step + 1, batch, inputs)).astype(np.float32)
    sums[0] = 0
    last = (rng.integers(1, step, (batch, neurons)) * (rng.random((batch, neurons)) < fires)).astype(np.int32)
    delta = (rng.standard_normal((batch, neurons)) * (rng.random((batch, neurons)) < density)).astype(np.float32)
    expected = np.einsum("bm,bi->mi", delta.astype(float), sums[step])
    for b, m in np.argwhere(last):
        expected[m] -= delta[b, m] * decay ** (step - last[b, m]) * sums[last[b, m], b].astype(float)
    arguments = cpu_step.errors(torch.from_numpy(delta)), torch.from_numpy(last), torch.from_numpy(sums), step, decay
    check = guard(monkeypatch, traces)
    _assert_close(weight_gradient(*arguments), expected, 1e-6)
    moments = _Moments(torch.ones(neurons, inputs))
    update_weight(*arguments, moments)
    check()
    _assert_close(moments.mean, expected, 1e-6)
    assert len(asked) == 2


def test_a_product_is_thought_of_where_most_errors_are_of_neurons_that_have_not_fired(monkeypatch):
    asked = []
    monkeypatch.setattr(choice, "fastest", lambda *given: asked.append(given[:4]) or "traces")
    sums = torch.ones(3, 32, 2**10)
    for wrong, fired, size in [
        (20, 0, 32),
        (32, 16, 32),
        (32, 15, 32),
        (32, 8, 32),
        (32, 9, 32),
        (17, 0, 32),
        (32, 0, 31),
    ]:
        delta, last = torch.zeros(32, size), torch.zeros(32, size, dtype=torch.int32)
        delta[:, :wrong], last[:, :fired] = 1, 1
        asked.clear()
        weight_gradient(cpu_step.errors(delta), last, sums, 2, 0.5)
        shares = [share for _, _, share, _ in asked]
        wanted = {15: [0.4], 9: [0.4], 8: [0.2], 0: [0.2]}.get(fired, []) if size == 32 else []
        assert shares == wanted, (wrong, fired, size)
    assert not traces._product_pays(1, zeros(2**11, 2**11 + 1), 0)  # as large as the weights themselves
    assert traces._product_pays(1, zeros(2**11, 2**11), 0) is False
    assert asked == [("gradient of traces", (1, 2**11, 2**11), 0.2, traces.WAYS)]
    for product in ("float32", "listed"):  # forced, of any size that may have a product
        with kernels.use("numba", product):
            assert traces._product_pays(1, zeros(2, 2), 0) == (product == "float32")
            assert not traces._product_pays(1, zeros(2**11, 2**11 + 1), 0)
    assert len(asked) == 1


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_the_way_to_a_gradient_is_measured_once_and_adopted(device, monkeypatch):
    """Whatever the default dtype and device are."""
    monkeypatch.setattr(choice, "_chosen", {})
    monkeypatch.setattr(choice, "_file", lambda: None)
    monkeypatch.setattr(choice, "SECONDS", 0)
    with torch.device(device), default_dtype(torch.float64):
        found = traces._product_pays(100, zeros(200, 100), 5)
    (key,) = kernels.choices()
    assert key.startswith("gradient of traces, 96x192x96, up to 0.2, ")
    assert kernels.choices() == {key: "product" if found else "traces"}
    for way in traces.WAYS:
        kernels.adopt_choices({key: way})
        assert traces._product_pays(100, zeros(200, 100), 5) == (way == "product")


@pytest.mark.parametrize("way", traces.WAYS)
def test_both_ways_to_a_gradient_are_measured(way, monkeypatch):
    """What is timed gives a gradient, the same one."""
    found = []

    def fastest(kind, sizes, share, names, ways):
        made = ways((5, 40, 70), 0.3)
        assert tuple(made) == names
        for run in made.values():
            run()
        return way

    compute = traces._compute
    monkeypatch.setattr(choice, "fastest", fastest)
    monkeypatch.setattr(traces, "_compute", lambda *given: compute(*given) or found.append(given[-1].target.copy()))
    assert traces._product_pays(100, zeros(200, 100), 5) == (way == "product")
    assert np.abs(found[0]).max() > 1
    _assert_close(*found, 1e-5)


def test_sums_have_a_place_after_each_step_and_nothing_before_the_first():
    sums = traces.leaky_sums(5, 3, torch.zeros(2, 7))
    assert sums.shape == (6, 3, 7)
    assert not sums[0].any()


class _Moments:
    """Of a first step of Adam with an eps of 1, which keeps nothing of what was before."""

    count = 0

    def __init__(self, weight):
        self.mean, self.square = (torch.full_like(weight, torch.nan) for _ in range(2))
        self.arrays = weight.numpy(), self.mean.numpy(), self.square.numpy()

    def rates(self):
        return 0.0, 0.0, 1.0, 1.0, 0.25, 1.0, 1.0, 1.0, 0.0

    def keep(self):
        self.count += 1


def test_a_step_of_adam_by_blocks_of_columns(threads):
    """Of more neurons than inputs."""
    rng = np.random.default_rng(1)
    sums = torch.from_numpy(rng.random((3, 2, 580)).astype(np.float32))
    delta = torch.from_numpy(rng.standard_normal((2, 600)).astype(np.float32))
    last = torch.zeros(2, 600, dtype=torch.int32)
    weight = torch.ones(600, 580)
    moments = _Moments(weight)
    update_weight(cpu_step.errors(delta), last, sums, 2, 0.0, moments)
    assert moments.count == 1
    gradient = delta.T @ sums[2]
    torch.testing.assert_close(moments.mean, gradient, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(moments.square, gradient.square(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(weight, 1 - 0.25 * gradient / (gradient.abs() + 1), rtol=1e-5, atol=1e-6)


def test_gradients_below_1e_16_count_as_zero():
    """Their squares would be subnormal numbers, with which processors take long."""
    sums, last = torch.ones(2, 1, 2), torch.zeros(1, 3, dtype=torch.int32)
    delta = torch.tensor([[9e-17, 2e-16, -9e-17]])
    moments = _Moments(torch.ones(3, 2))
    update_weight(cpu_step.errors(delta), last, sums, 1, 0.0, moments)
    assert (moments.mean != 0).tolist() == [[False] * 2, [True] * 2, [False] * 2]


def test_a_way_to_multiply_is_looked_up_from_two_to_the_25_multiplications_on(monkeypatch):
    asked = []
    monkeypatch.setattr(products, "way", lambda *given: asked.append(given) or "float32")
    weight = torch.ones(2**10, 2**10)
    for rows, count in ((2**5 - 1, 0), (2**5, 1)):
        spikes = torch.ones(rows, 2**10)
        assert (cpu_currents.currents(spikes, weight) == 2**10).all()
        assert len(asked) == count
    assert asked[0][:2] == (spikes, weight)
    assert asked[0][2:] == ("float32", False, None)
    with kernels.use("numba", "listed"):
        cpu_currents.currents(spikes[:1], weight)
    assert asked[1][2:] == ("float32", False, "listed")


@pytest.mark.parametrize(("wrong", "reads_all"), [(5, False), (60, True)])
def test_few_errors_read_the_weights_of_their_neurons_alone(wrong, reads_all):
    error = torch.zeros(2, 80)
    error[:, :wrong] = 0.5
    weight = torch.full((80, 70), 2.0)
    weight[wrong:] = torch.nan
    layer = cpu_step.State(torch.ones(70, 1), torch.zeros(2, 2, 1))
    layer.membranes.fill_(1)
    below = cpu_step.hidden_error(cpu_step.errors(error), weight, layer, threshold=1.0, slope=4.0)
    assert below.values.isnan().all() if reads_all else (below.values == wrong).all()


# --- the rule against one stored trace per synapse and sample, in float64 and at fixed weights ---


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize(
    ("sizes", "batch", "steps", "alpha"),
    [
        ([33, 20], 6, 12, 0.1),
        ([70, 40, 65], 20, 15, 0.1),
        ([70, 40, 5, 66], 7, 12, 0.1),
        ([12, 10, 8], 4, 15, 0.0),
        ([12, 10, 8], 4, 15, 1.0),
        ([1, 5, 1], 3, 10, 0.1),
        ([30, 20, 30], 5, 1, 0.1),
        ([30, 20, 30], 1, 8, 0.1),
    ],
)
def test_gradients_equal_stored_traces(sizes, batch, steps, alpha, mask, threads):
    net = _stack(sizes, alpha, gain=3.0)
    spikes, targets = _spikes(steps, batch, sizes[0], seed=1), _spikes(steps, batch, sizes[-1], seed=2)
    assert _rule(net, spikes, targets) is not None  # what follows runs in the kernels
    gradients, loss = _gradients(net, spikes, targets, mask=mask)

    weights = [w.detach().double().numpy() for w in net.parameters()]
    expected, losses, membranes, _ = online(
        weights, spikes.double().numpy(), targets.double().numpy(), alpha=alpha, mask=mask
    )
    assert min(np.abs(m - 1).min() for step in membranes for m in step) > 1e-6  # no spike hangs on a rounding error
    for ours, theirs in zip(gradients, expected, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            _assert_close(a, b, 1e-5)
    assert loss.item() == pytest.approx(np.mean(losses), rel=1e-5)
    if steps > 1 and sizes[0] > 1:
        assert 0.02 < np.mean([spikes_of(step[0], 1.0).mean() for step in membranes]) < 0.9


def test_a_batch_of_updates_ends_where_the_reference_ends():
    spikes, targets = _spikes(10, 20, 100, seed=1, rate=0.3), _spikes(10, 20, 80, seed=2, rate=0.2)
    ends, losses = [], []
    for which in ("reference", "numba"):
        net = _stack([100, 70, 80], gain=2.0)
        optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, eps=1e-4, fused=True)
        with kernels.use(which):
            losses.append(online_step(net, spikes, targets, optimizer).item())
        ends.append([w.detach() for w in net.parameters()])
    start = list(_stack([100, 70, 80], gain=2.0).parameters())
    for before, reference, ours in zip(start, *ends, strict=True):
        assert (reference - before).abs().max() > 5e-3
        assert (reference - ours).abs().max() < 1e-5
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_a_step_may_have_fewer_threads_than_the_one_before():
    """What a thread that is no more has added up is forgotten."""
    net, spikes, targets = _stack([70, 40, 66]), _spikes(4, 9, 70, seed=1), _spikes(4, 9, 66, seed=2)
    before, found = torch.get_num_threads(), []
    for changes in (False, True):
        rule, losses = _rule(net, spikes, targets), []
        try:
            for t in range(4):
                torch.set_num_threads(1 + (t + changes) % 2 if changes else 1)
                losses.append(rule.forward(spikes[t], targets[t]))
                gradients = rule.gradients(torch.ones(()), [w.detach() for w in net.parameters()], [True, True])
                assert rule.finite(losses[-1])
                assert rule.delta.listed() == rule.delta.values.count_nonzero()
                assert rule.states[0].errors.listed() == rule.states[0].errors.values.count_nonzero()
        finally:
            torch.set_num_threads(before)
        found.append((losses, gradients))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-6)
    for ours, theirs in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_membrane_that_is_not_finite_is_known(value):
    """Of the hidden layer; in the loss, of the output."""
    net, spikes, targets = _stack([12, 10, 8]), _spikes(1, 4, 12, seed=1), _spikes(1, 4, 8, seed=2)
    assert _rule(net, spikes, targets).finite(1.0)
    assert not _rule(net, spikes, targets).finite(value)
    assert not _rule(net, spikes, targets).finite(torch.tensor(1.0))  # nobody has read it
    spikes[0, 2, 3] = 1
    with torch.no_grad():
        net.layers[0][0].weight[7, 3] = value
    rule = _rule(net, spikes, targets)
    rule.forward(spikes[0], targets[0])
    assert not rule.finite(1.0)
    with pytest.raises(InputError, match=f"got {value} in `layers.0.0.weight`"):
        online_step(net, spikes, targets, torch.optim.Adam(net.parameters()))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_the_loss_is_where_the_network_is(dtype):
    """Whatever the default device and dtype are; so is what is looked at when it is not finite."""
    spikes, targets = _spikes(4, 5, 12, seed=1), _spikes(4, 5, 8, seed=2)
    net, again = _stack([12, 10, 8]), _stack([12, 10, 8])
    wanted = online_step(net, spikes, targets, torch.optim.Adam(net.parameters()))
    optimizer = torch.optim.Adam(again.parameters())
    with torch.device("meta"), default_dtype(dtype):
        found = online_step(again, spikes, targets, optimizer)
    assert torch.equal(found, wanted)
    with torch.no_grad():
        again.layers[1][0].weight[2, 3] = math.nan
    with torch.device("meta"), pytest.raises(InputError, match=r"got nan in `layers.1.0.weight`"):
        online_step(again, spikes, targets, optimizer)


def test_a_frozen_layer_gets_no_gradient_and_changes_no_other():
    spikes, targets = _spikes(6, 5, 30, seed=1), _spikes(6, 5, 8, seed=2)
    full, _ = _gradients(_stack([30, 20, 10, 8]), spikes, targets)
    for frozen in range(3):
        net = _stack([30, 20, 10, 8])
        net.layers[frozen][0].weight.requires_grad_(False)
        gradients, _ = _gradients(net, spikes, targets)
        for ours, theirs in zip(gradients, full, strict=True):
            for i in range(3):
                assert ours[i] is None if i == frozen else torch.equal(ours[i], theirs[i])


def test_any_memory_layout_gives_the_same():
    spikes, targets = _spikes(6, 5, 30, seed=1), _spikes(6, 5, 90, seed=2, rate=0.05)
    full, _ = _gradients(_stack([30, 70, 90], gain=1.0), spikes, targets)
    assert all(step[0].abs().max() > 0 for step in full[3:])
    turned = [x.permute(2, 1, 0).contiguous().permute(2, 1, 0) for x in (spikes, targets)]
    net = _stack([30, 70, 90], gain=1.0)
    for w in net.parameters():
        w.data = w.data.T.contiguous().T
    assert not turned[0][0].is_contiguous()
    assert not net.layers[1][0].weight.is_contiguous()
    gradients, _ = _gradients(net, *turned)
    for ours, theirs in zip(gradients, full, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


# --- what a kernel does not take ---

GIVEN = {"weights": [(5, 6), (4, 5)], "spikes": (3, 2, 6), "targets": (3, 2, 4)}


def _taken(**changes):
    given = {**GIVEN, **changes}
    spikes, targets = (torch.zeros(given[name]) for name in ("spikes", "targets"))
    weights = [torch.zeros(shape) for shape in given["weights"]]
    return online_rule([Layer(w, 0.9, 1.0, 1.0) for w in weights], spikes, targets, True) is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"spikes": (3, 2, 7)},
        {"spikes": (3, 2, 6, 1)},
        {"spikes": (3, 2)},
        {"targets": (3, 2, 5)},
        {"targets": (3, 1, 4)},
        {"targets": (2, 2, 4)},
        {"targets": (3, 2, 4, 1)},
        {"weights": [(5, 6), (4, 6)]},
        {"spikes": (0, 2, 6), "targets": (0, 2, 4)},
        {"spikes": (3, 0, 6), "targets": (3, 0, 4)},
        {"spikes": (3, 2, 0), "weights": [(5, 0), (4, 5)]},
        {"targets": (3, 2, 0), "weights": [(5, 6), (0, 5)]},
    ],
)
def test_tensors_that_do_not_fit_have_no_kernel(changes):
    assert _taken()
    assert not _taken(**changes)


def test_a_gradient_of_what_is_given_and_autocast_have_no_kernel():
    layers = [Layer(torch.zeros(4, 6), 0.9, 1.0, 1.0)]
    spikes, targets = torch.zeros(3, 2, 6), torch.zeros(3, 2, 4)
    assert online_rule(layers, spikes, targets, True)
    with torch.autocast("cpu", torch.bfloat16):
        assert online_rule(layers, spikes, targets, True) is None
    assert online_rule(layers, spikes.clone().requires_grad_(), targets, True) is None
    assert online_rule(layers, spikes, targets.clone().requires_grad_(), True) is None


# --- what autograd sees ---


def _two_steps():
    net, spikes, targets = _stack([12, 10, 8]), _spikes(2, 4, 12, seed=1), _spikes(2, 4, 8, seed=2)
    rule = _rule(net, spikes, targets)
    return net, [lambda t=t: rule(spikes[t], targets[t]) for t in range(2)]


def test_the_loss_may_be_scaled_and_its_backward_repeated():
    net, (first, _) = _two_steps()
    loss = first()
    loss.backward(retain_graph=True)
    once = [w.grad.clone() for w in net.parameters()]
    (3 * loss).backward(retain_graph=True)  # adds up, as ever
    for w, g in zip(net.parameters(), once, strict=True):
        assert g.abs().max() > 0
        torch.testing.assert_close(w.grad, 4 * g)
    loss.backward()
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_a_loss_that_counts_for_nothing_has_gradients_of_zero(monkeypatch):
    net, (first, second) = _two_steps()
    (0 * first()).backward()
    assert all(not w.grad.any() for w in net.parameters())
    monkeypatch.setattr(cpu_step, "scaled", None)  # a factor of 1 takes no pass over memory
    second().backward()
    assert all(w.grad.any() for w in net.parameters())


def test_a_backward_that_comes_too_late_is_refused():
    net, (first, second) = _two_steps()
    loss = first()
    second()
    with pytest.raises(RuntimeError, match=r"backward\(\) of time step 1 before the next step, got it at time step 2"):
        loss.backward()
    net, (first, second) = _two_steps()
    loss = first()
    with torch.no_grad():
        net.layers[1][0].weight.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_the_gradient_is_not_copied_on_its_way():
    net, (first, _) = _two_steps()
    made = []
    net.layers[0][0].weight.register_hook(lambda g: made.append(g.data_ptr()))
    first().backward()
    assert made == [net.layers[0][0].weight.grad.data_ptr()]


# --- networks that are not plain take the reference, bit for bit ---


class _ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [(nn.Conv2d(2, 3, 3, bias=False), SigmoidLeaky())]
        self.weights = nn.ParameterList([self.layers[0][0].weight])


def _doubled(module, inputs, output):
    return 2 * output


def _hooked_operator(net):
    net.layers[0][0].register_forward_hook(_doubled)


def _hooked_neuron(net):
    net.layers[0][1].register_forward_hook(lambda module, inputs, output: (2 * output[0], output[1]))


def _subclass(net):
    class Doubled(nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    doubled = Doubled(12, 10, bias=False)
    doubled.weight = net.layers[0][0].weight
    net.layers[0][0] = doubled


def _neuron(layer, **settings):
    def change(net):
        net.layers[layer][1] = SigmoidLeaky(**settings)

    return change


@pytest.mark.parametrize(
    "change",
    [
        _hooked_operator,
        _hooked_neuron,
        _subclass,
        _neuron(0, inhibition=True),
        _neuron(0, graded_spikes_factor=2.0),
    ],
)
def test_unusual_layers_take_the_reference(change):
    spikes, targets = _spikes(6, 5, 12, seed=1), _spikes(6, 5, 8, seed=2)
    plain = _stack([12, 10, 8])
    results = []
    for which in ("reference", "numba"):
        net = _stack([12, 10, 8])
        change(net)
        with kernels.use(which):
            results.append(_gradients(net, spikes, targets)[0])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    with kernels.use("reference"):
        unchanged = _gradients(plain, spikes, targets)[0]
    sizes = [[g.norm() for g in step] for step in (results[0][-1], unchanged[-1])]
    assert sizes[0] != sizes[1]  # the change matters: kernels would have given the plain network's gradients


def test_convolution_and_float64_take_the_reference():
    images, targets = _spikes(6, 5, 72, seed=1).view(6, 5, 2, 6, 6), _spikes(6, 5, 48, seed=2).view(6, 5, 3, 4, 4)
    torch.manual_seed(0)
    convolution = _ConvNet()
    dense = _stack([12, 10, 8]).double()
    spikes = _spikes(6, 5, 12, seed=1).double()
    for net, x, y in [(convolution, images, targets[:, :, :, :4, :4]), (dense, spikes, spikes[:, :, :8])]:
        with kernels.use("reference"):
            theirs, _ = _gradients(net, x, y)
        ours, _ = _gradients(net, x, y)
        for a, b in zip(ours, theirs, strict=True):
            assert all(g.dtype == x.dtype and g.abs().max() > 0 for g in a)
            assert all(map(torch.equal, a, b))


def _grown(path):
    """Write how many kilobytes the process ever held, inside kernels too, beyond those before a batch."""

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    small, net = SpikingStack([70, 60]), SpikingStack([2000, 1500])
    spikes, targets = torch.ones(4, 40, 2000), torch.zeros(4, 40, 1500)
    with kernels.use("numba", "float32"):  # measuring what is fastest takes memory of its own, once
        online_step(small, spikes[..., :70], targets[..., :60], torch.optim.SGD(small.parameters(), lr=0.1))
        before = peak()
        online_step(net, spikes, targets, torch.optim.SGD(net.parameters(), lr=0.1))
    path.write_text(str(peak() - before))


def test_no_memory_of_the_size_of_stored_traces_is_taken(fresh_process, tmp_path):
    """Stored traces would take 40 * 2000 * 1500 * 4 bytes, 480 MB."""
    assert exit_codes(fresh_process(_grown, tmp_path / "grown")) == [0]
    assert int((tmp_path / "grown").read_text()) < 50_000  # the gradient has 12,000
