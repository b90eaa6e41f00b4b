"""The loss of a whole network in one node: beside NumPy in float64, and bit for bit beside a node for each kernel."""

import functools
import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses import FakeTensorMode
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from snn_synth import kernels
from snn_synth.errors import InputError
from snn_synth.kernels.cpu import layer as cpu_layer
from snn_synth.kernels.cpu import lif, products, sparse, together
from snn_synth.kernels.layer import Layer
from snn_synth.learning import bptt, bptt_loss, bptt_step, online_step
from snn_synth.models import AESNN, SpikingStack
from snn_synth.neurons import SigmoidLeaky
from snn_synth.synapses import SpikeLinear
from tests.kernels import emulated_amx
from tests.kernels.guarded import walls


@pytest.fixture(params=[None, "float32", "listed", "tiles"])
def way(request, monkeypatch):
    if request.param == "tiles":
        emulated_amx.give_amx(monkeypatch)
    return request.param


def spikes_of(*shape, seed=0, rate=0.3):
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < rate).float()


def stack(sizes, make=SpikingStack, **settings):
    torch.manual_seed(0)
    net = make(list(sizes), **settings)
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(4)
    return net


def by_hand(weights, spikes, targets, mask, decay, threshold, slope):
    """Eq. 1-9 in NumPy, one sample and one time step at a time, and their gradients by the chain rule."""
    weights = [weight.detach().double().numpy() for weight in weights]
    spikes, targets = spikes.double().numpy(), targets.double().numpy()
    steps, batch = spikes.shape[:2]
    loss, gradients, decay = 0.0, [np.zeros_like(w) for w in weights], float(np.float32(decay))
    for b in range(batch):
        inputs, membranes = [spikes[:, b]], []
        for w in weights:
            v = np.zeros((steps, len(w)))
            before = np.zeros(len(w))
            for t in range(steps):
                v[t] = decay * np.where(before >= threshold, 0, before) + w @ inputs[-1][t]
                before = v[t]
            membranes.append(v)
            inputs.append((v >= threshold).astype(float))
        wrong = inputs[-1] != targets[:, b] if mask else np.ones_like(targets[:, b])
        error = wrong * (threshold * targets[:, b] - membranes[-1])
        loss += 0.5 * (error**2).sum() / (steps * batch)
        passed = -error / (steps * batch)
        for i in reversed(range(len(weights))):
            for t in reversed(range(steps - 1)):
                passed[t] += decay * np.where(membranes[i][t] >= threshold, 0, passed[t + 1])
            gradients[i] += passed.T @ inputs[i]
            if i:
                s = 1 / (1 + np.exp(-slope * (membranes[i - 1] - threshold)))
                passed = (passed @ weights[i]) * slope * s * (1 - s)
    return loss, gradients


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize(
    ("sizes", "steps", "batch", "threads"),
    [((3, 2), 1, 1, 1), ((70, 130, 65), 6, 9, 2), ((70, 40, 5, 66), 12, 3, 2), ((1500, 80, 100), 4, 5, 2)],
)
def test_loss_and_gradients_are_those_of_the_equations(sizes, steps, batch, threads, way, mask, monkeypatch):
    net = stack(sizes, alpha=0.2, threshold=0.75, slope=3.0)
    spikes, targets = spikes_of(steps, batch, sizes[0]), spikes_of(steps, batch, sizes[-1], seed=1)
    layers = [Layer(weight, 0.8, 0.75, 3.0) for weight in net.parameters()]
    guarded = lif, products, sparse, products.tiles, cpu_layer.tile_scans
    with walls(threads, monkeypatch, *guarded), kernels.use("numba", way):
        loss, membranes, finite = kernels.network_loss(layers, spikes, targets, mask)
        gradients = torch.autograd.grad(loss, list(net.parameters()))
    wanted, by_weight = by_hand(net.parameters(), spikes, targets, mask, 0.8, 0.75, 3.0)
    assert finite
    assert loss.item() == pytest.approx(wanted, rel=1e-5)
    assert [m.shape for m in membranes] == [(steps, batch, size) for size in sizes[1:-1]]
    for ours, theirs in zip(gradients, by_weight, strict=True):
        assert_close(ours.double(), torch.from_numpy(theirs), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("precision", "least", "most"), [("float32", 0, 5e-7), ("mixed", 1e-4, 5e-3)])
def test_a_training_step_on_tiles_is_that_in_float64(precision, least, most, monkeypatch):
    """All its products are on tiles, three with a scan; in mixed precision those going backward are rounded."""
    emulated_amx.give_amx(monkeypatch)
    found = []

    def note(module, name):
        function = getattr(module, name)

        def noted(a, b, *settings):
            found.append((name, *a.shape, *b.shape))
            if name == "product":
                assert settings[2] is None, "a gradient need not look whether inputs are spikes"
            return function(a, b, *settings)

        monkeypatch.setattr(module, name, noted)

    note(products.tiles, "product")
    for name in ("forward", "loss", "backward"):
        note(cpu_layer.tile_scans, name)
    net, spikes, targets = stack((300, 200, 250), alpha=0.5), spikes_of(8, 30, 300), spikes_of(8, 30, 250, seed=1)
    with kernels.use("numba", "tiles"), kernels.precision(precision):
        loss = bptt_loss(net, spikes, targets)
        loss.backward()
    assert found == [
        ("forward", 8, 30, 300, 200, 300),
        ("loss", 8, 30, 200, 250, 200),
        ("product", 250, 240, 240, 200),
        ("backward", 8, 30, 250, 250, 200),
        ("product", 200, 240, 240, 300),
    ]
    gradients = [weight.grad.double() for weight in net.parameters()]
    with kernels.use("reference"):
        wanted = bptt_loss(net.double(), spikes.double(), targets.double())
        by_weight = torch.autograd.grad(wanted, list(net.parameters()))
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-6)
    for ours, theirs in zip(gradients, by_weight, strict=True):
        assert least <= (ours - theirs).norm() / theirs.norm() < most


def test_inputs_that_are_no_spikes_are_not_rounded(way):
    net, inputs, targets = stack((300, 200, 250), alpha=0.5), 0.3 * spikes_of(8, 30, 300), spikes_of(8, 30, 250, seed=1)
    with kernels.use("numba", way):
        loss = bptt_loss(net, inputs, targets)
        gradients = torch.autograd.grad(loss, list(net.parameters()))
    with kernels.use("reference"):
        wanted = bptt_loss(net.double(), inputs.double(), targets.double())
        by_weight = torch.autograd.grad(wanted, list(net.parameters()))
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-6)
    for ours, theirs in zip(gradients, by_weight, strict=True):
        assert (ours.double() - theirs).norm() / theirs.norm() < 1e-6


def test_errors_of_the_output_layer_alone_are_said_to_fade_and_by_its_leak(monkeypatch):
    net, told, way_by_spikes = stack((70, 40, 80, 66)), [], products.way_by_spikes
    monkeypatch.setattr(products, "way_by_spikes", lambda *given: told.append(given[4]) or way_by_spikes(*given))
    layers = [Layer(w, decay, 1.0, 1.0) for w, decay in zip(net.parameters(), (0.7, 0.8, 0.9), strict=True)]
    loss, _, _ = kernels.network_loss(layers, spikes_of(5, 3, 70), spikes_of(5, 3, 66), True)
    loss.backward()
    assert told == [(3, 0.9), None]


def several(net, spikes, targets, mask=True):
    """The loss by a node for each kernel, as it is computed where a hook waits for the network."""
    handle = net.register_forward_hook(lambda *_: None)
    try:
        return bptt_loss(net, spikes, targets, mask)
    finally:
        handle.remove()


def is_one(loss):
    return type(loss.grad_fn).__name__ == "_NetworkLossBackward"


@pytest.mark.parametrize("precision", ["float32", "mixed", "bfloat16"])
def test_the_bits_are_those_of_a_node_for_each_kernel(way, precision):
    """But where errors are listed by what is new in them, which a node of its own does not know."""
    net, spikes, targets = stack((300, 200, 250)), spikes_of(8, 30, 300), spikes_of(8, 30, 250, seed=1)
    found = []
    for loss_of in (bptt_loss, several):
        with kernels.use("numba", way), kernels.precision(precision):
            loss = loss_of(net, spikes, targets)
            assert is_one(loss) == (loss_of is bptt_loss)
            found.append((loss.detach(), *torch.autograd.grad(2.5 * loss, list(net.parameters()))))
    lists = way in (None, "listed") and precision != "bfloat16"
    for ours, theirs in zip(*found, strict=True):
        assert_close(ours, theirs, rtol=1e-4 * lists, atol=1e-5 * lists)
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][-1], found[1][-1])


class SubNeuron(SigmoidLeaky):
    """Its loss is another."""

    def scan_loss(self, currents, targets, mask=True):
        return 3 * super().scan_loss(currents, targets, mask)


def own(name, wraps=False):
    """A network with a method of its own; of a class that goes when the test ends, as models are known by class."""

    def make(sizes):
        original = getattr(SpikingStack, name)

        def method(self, spikes, *given, **named):
            return original(self, 1 - spikes, *given, **named)

        return type("Own", (SpikingStack,), {name: functools.wraps(original)(method) if wraps else method})(sizes)

    return partial(stack, make=make)


def sub_neuron(net):
    net.layers[1][1] = SubNeuron()


def another_forward(net):
    net.forward = lambda spikes: SpikingStack.forward(net, 1 - spikes)


def another_run(net):
    net.run = lambda spikes: SpikingStack.run(net, 1 - spikes)


def another_scan(net):
    neuron = net.layers[0][1]
    neuron.scan = lambda currents, mem=None: SigmoidLeaky.scan(neuron, currents / 2, mem)


def another_loss(net):
    neuron = net.layers[1][1]
    neuron.scan_loss = lambda *given: 3 * SigmoidLeaky.scan_loss(neuron, *given)


def compiled_in_place(net):
    net.compile(backend="eager")


def another_forward_of_a_layer(net):
    operator = net.layers[0][0]
    operator.forward = lambda spikes: type(operator).forward(operator, 1 - spikes)


def hooked(module_of, net):
    module_of(net).register_forward_hook(lambda module, given, out: None)


SEVERAL = {
    "another forward pass": (own("forward"), None),
    "another `run`": (own("run"), None),
    "another call": (own("__call__"), None),
    "a decorated forward pass": (own("forward", wraps=True), None),  # which has the attributes of what it wraps
    "another function in its place": (stack, another_forward),
    "another function in the place of `run`": (stack, another_run),
    "a scan in the place of a neuron's": (stack, another_scan),
    "a loss in the place of a neuron's": (stack, another_loss),
    "torch.compile": (stack, compiled_in_place),
    "another function in a layer's place": (stack, another_forward_of_a_layer),
    "a neuron with a loss of its own": (stack, sub_neuron),
    "a hook of the network": (stack, partial(hooked, lambda net: net)),
    "a hook of an operator": (stack, partial(hooked, lambda net: net.layers[0][0])),
    "a hook of a neuron": (stack, partial(hooked, lambda net: net.layers[0][1])),
    "reset by subtraction": (partial(stack, reset="subtract"), None),
    "learned neurons": (partial(stack, learned=True), None),
    "a bias": (partial(stack, bias=True), None),
    "batch norm": (partial(stack, norm=True), None),
    "a layer of nn.Linear": (stack, lambda net: net.layers[0].__setitem__(0, nn.Linear(70, 40, bias=False))),
    "double": (stack, lambda net: net.double()),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_what_asks_for_more_gets_a_node_for_each_kernel(name):
    make, change = SEVERAL[name]
    net = make((70, 40, 66))
    if change:
        change(net)
    spikes, targets = spikes_of(5, 3, 70), spikes_of(5, 3, 66, seed=1)
    loss = bptt_loss(net, spikes, targets)
    assert not is_one(loss)
    out = net(spikes.to(next(net.parameters()).dtype))
    wanted = net.layers[-1][1].membrane_loss(out.membrane, targets.to(out.membrane.dtype))
    assert_close(loss, 3 * wanted if "loss" in name else wanted)


def test_so_do_inputs_that_ask_for_more():
    net, spikes, targets = stack((70, 40, 66)), spikes_of(5, 3, 70), spikes_of(5, 3, 66, seed=1)
    assert is_one(bptt_loss(net, spikes, targets))
    loss = bptt_loss(net, spikes.clone().requires_grad_(), targets)
    assert not is_one(loss)
    assert not is_one(bptt_loss(net, spikes[:1].expand(2, 3, 70), targets[:2]))  # one product for all time steps
    assert is_one(bptt_loss(net, spikes[:1].expand(1, 3, 70), targets[:1]))
    with kernels.use("reference"):
        assert not is_one(bptt_loss(net, spikes, targets))
    with torch.autocast("cpu", torch.bfloat16):
        assert not is_one(bptt_loss(net, spikes, targets))
    with torch.no_grad():
        assert bptt_loss(net, spikes, targets).grad_fn is None


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (SpikeLinear, "forward"),
        (SigmoidLeaky, "scan"),
        (SigmoidLeaky, "scan_loss"),
        (SpikingStack, "forward"),
        (nn.Module, "__call__"),
    ],
)
def test_so_does_a_class_with_another_method(kind, name, monkeypatch):
    """As profilers and tests do."""
    net, spikes, called = stack((70, 40, 66)), spikes_of(5, 3, 70), []
    original = getattr(kind, name)

    @functools.wraps(original)
    def method(self, *given, **named):
        called.append(self)
        return original(self, *given, **named)

    monkeypatch.setattr(kind, name, method)
    assert not is_one(bptt_loss(net, spikes, spikes_of(5, 3, 66)))
    assert called


@pytest.mark.filterwarnings("ignore:While compiling, we found certain side effects")  # on snnTorch's buffers
def test_it_is_compiled_and_exported_as_one_graph():
    net, spikes, targets = stack((70, 40, 66)), spikes_of(5, 3, 70), spikes_of(5, 3, 66, seed=1)
    wanted = bptt_loss(net, spikes, targets)

    class Loss(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, spikes, targets):
            return bptt_loss(self.net, spikes, targets)

    compiled = torch.compile(Loss(), fullgraph=True, backend="eager")
    assert_close(compiled(spikes, targets), wanted)
    for strict in (True, False):
        exported = torch.export.export(Loss(), (spikes, targets), strict=strict)
        assert_close(exported.module()(spikes, targets), wanted)


def test_shapes_alone_are_computed_on_meta_and_fake_tensors():
    net, spikes, targets = stack((70, 40, 66)), spikes_of(5, 3, 70), spikes_of(5, 3, 66, seed=1)
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert bptt_loss(net, spikes, targets).shape == ()
    net.to("meta")
    loss = bptt_loss(net, spikes.to("meta"), targets.to("meta"))
    loss.backward()
    assert (loss.device.type, net.layers[0][0].weight.grad.shape) == ("meta", (40, 70))
    online = online_step(net, spikes.to("meta"), targets.to("meta"), torch.optim.Adam(net.parameters()))
    assert online.device.type == "meta"


def test_gradients_come_from_the_output_down():
    """One weight in three layers is given their sum in the order of a node for each kernel; so are hooks."""
    net, spikes, seen = stack((70, 70, 70, 70)), spikes_of(5, 3, 70), []
    for weight in net.parameters():
        weight.register_post_accumulate_grad_hook(lambda weight: seen.append(weight))
    bptt_loss(net, spikes, spikes).backward()
    first, second, third = net.parameters()
    assert [id(weight) for weight in seen] == [id(third), id(second), id(first)]
    for layer in net.layers:
        layer[0].weight = first
    ours, theirs = (torch.autograd.grad(loss_of(net, spikes, spikes), first)[0] for loss_of in (bptt_loss, several))
    assert torch.equal(ours, theirs)


def test_hooks_see_every_call():
    net, seen = stack((70, 40, 66)), []
    net.register_forward_hook(lambda module, given, out: seen.append(out.hidden.shape))
    bptt_loss(net, spikes_of(5, 3, 70), spikes_of(5, 3, 66))
    assert seen == [(5, 3, 40)]


def test_functions_of_torch_func_differentiate_it():
    net, spikes = stack((7, 5, 6)), spikes_of(4, 3, 7)
    targets = spikes_of(4, 3, 6, seed=1)
    weights = dict(net.named_parameters())

    def loss_of(given):
        with torch.nn.utils.stateless._reparametrize_module(net, given):
            return bptt_loss(net, spikes, targets)

    gradients = torch.func.grad(loss_of)(weights)
    wanted = torch.autograd.grad(bptt_loss(net, spikes, targets), list(net.parameters()))
    for ours, theirs in zip(gradients.values(), wanted, strict=True):
        assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("learning", [(0,), (1,), (2,), (0, 2), ()])
def test_layers_that_do_not_learn_get_no_gradient(learning, monkeypatch):
    net, spikes, targets = stack((70, 40, 80, 66)), spikes_of(5, 3, 70), spikes_of(5, 3, 66, seed=1)
    wanted = torch.autograd.grad(bptt_loss(net, spikes, targets), list(net.parameters()))
    for i, weight in enumerate(net.parameters()):
        weight.requires_grad_(i in learning)
    passed, way_by_spikes = [], products.way_by_spikes
    monkeypatch.setattr(products, "way_by_spikes", lambda *given: passed.append(1) or way_by_spikes(*given))
    loss = bptt_loss(net, spikes, targets)
    if not learning:
        assert not loss.requires_grad
        return
    loss.backward()
    for i, weight in enumerate(net.parameters()):
        assert torch.equal(weight.grad, wanted[i]) if i in learning else weight.grad is None
    assert len(passed) == 2 - min(learning)  # errors are passed down to the lowest layer that learns


def test_a_graph_that_is_kept_gives_its_gradient_again():
    net, spikes, targets = stack((70, 40, 66)), spikes_of(5, 3, 70), spikes_of(5, 3, 66, seed=1)
    loss, weights = bptt_loss(net, spikes, targets), list(net.parameters())
    first, second = (torch.autograd.grad(loss, weights, retain_graph=True) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)


def test_two_losses_at_once_keep_what_is_theirs():
    net = stack((70, 40, 66))
    weights = list(net.parameters())
    batches = [(spikes_of(5, 3, 70, seed=i), spikes_of(5, 3, 66, seed=9 + i)) for i in range(2)]
    alone = [torch.autograd.grad(bptt_loss(net, *batch), weights) for batch in batches]
    together = torch.autograd.grad(sum(bptt_loss(net, *batch) for batch in batches), weights)
    for whole, *parts in zip(together, *alone, strict=True):
        assert_close(whole, sum(parts))


def test_one_weight_in_two_layers_gets_both_gradients():
    net, spikes = stack((70, 70, 70)), spikes_of(5, 3, 70)
    net.layers[1][0].weight = net.layers[0][0].weight
    tied = stack((70, 70, 70))
    tied.layers[1][0].weight = nn.Parameter(tied.layers[0][0].weight.detach().clone())
    apart = torch.autograd.grad(bptt_loss(tied, spikes, spikes), list(tied.parameters()))
    (found,) = torch.autograd.grad(bptt_loss(net, spikes, spikes), list(net.parameters()))
    assert_close(found, sum(apart))


@pytest.mark.parametrize("what", ["weight", "spikes"])
def test_what_is_changed_before_the_backward_pass_is_noticed(what):
    net, spikes, targets = stack((70, 40, 66)), spikes_of(5, 3, 70), spikes_of(5, 3, 66, seed=1)
    with kernels.use("numba", "float32"):
        loss = bptt_loss(net, spikes, targets)
        with torch.no_grad():
            (net.layers[1][0].weight if what == "weight" else spikes).mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()


def test_currents_and_targets_of_the_caller_stay_as_they_are():
    """The gradient takes the place of currents that nobody else has, and of no others."""
    currents, targets = torch.rand(4, 3, 70), spikes_of(4, 3, 70)
    before = currents.clone()
    kernels.lif_scan_loss(currents, targets)
    assert torch.equal(currents, before)
    wanted = lif.loss(currents, targets, 0.9, 1.0, False, True, 0.25, False)
    found = lif.loss(currents, targets, 0.9, 1.0, False, True, 0.25, False, currents)
    assert found[1] is currents
    assert torch.equal(found[0], wanted[0])
    assert torch.equal(found[1], wanted[1])


def test_there_is_no_second_derivative():
    net, spikes = stack((7, 5, 7)), spikes_of(4, 3, 7)
    with pytest.raises(InputError, match="create_graph"):
        torch.autograd.grad(bptt_loss(net, spikes, spikes), list(net.parameters()), create_graph=True)


@pytest.mark.parametrize("layer", [0, 1])
def test_weights_that_are_not_finite_are_named(layer):
    net, spikes = stack((7, 5, 7)), torch.ones(4, 3, 7)
    with torch.no_grad():
        net.layers[layer][0].weight[1, 2] = math.nan
    with pytest.raises(InputError, match=f"got nan in `layers.{layer}.0.weight`"):
        bptt_loss(net, spikes, spikes)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 3e38])
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_membrane_that_is_not_finite_is_known(value, layer):
    """Of one neuron at one time step; numbers whose sum is too large are looked at once more."""
    weights = [torch.zeros(4, 4) for _ in range(3)]
    for weight in weights:
        weight.fill_diagonal_(1)
    spikes = torch.zeros(3, 2, 4)
    spikes[1, 1] = 1
    weights[layer][2, 2] = value
    layers = [Layer(weight, 0.5, 1.0, 1.0) for weight in weights]
    with torch.no_grad():
        loss, membranes, finite = kernels.network_loss(layers, spikes, torch.zeros(3, 2, 4), True)
    all_are = all(x.isfinite().all() for x in (loss, *membranes))
    assert finite <= all_are
    assert finite or not all_are or value == 3e38


def test_an_interrupted_step_learns_nothing(monkeypatch):
    """Ctrl-C while gradients are computed, with Adam's step waiting behind them."""
    net, spikes = stack((300, 200, 300)), spikes_of(8, 33, 300)
    optimizer = torch.optim.Adam(net.parameters(), fused=True)
    bptt_step(net, spikes, spikes, optimizer)
    before = [x.clone() for w in net.parameters() for x in (w.detach(), *optimizer.state[w].values())]

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(lif, "_backward", lambda *given: together.start(interrupted, *given))
        with pytest.raises(KeyboardInterrupt):
            bptt_step(net, spikes, spikes, optimizer)
    after = [x for w in net.parameters() for x in (w, *optimizer.state[w].values())]
    assert all(map(torch.equal, before, after))
    bptt_step(net, spikes, spikes, optimizer)
    assert not torch.equal(before[0], after[0])


def test_shapes_that_do_not_fit_are_refused_as_before():
    net = stack((7, 5, 6))
    with pytest.raises(InputError, match=r"Expected spikes of shape \[T, B, 7\]"):
        bptt_loss(net, torch.ones(4, 3, 8), torch.ones(4, 3, 6))
    assert (
        kernels.network_loss([Layer(torch.ones(2, 3), 0.9, 1.0, 1.0)], torch.ones(0, 1, 3), torch.ones(0, 1, 2), True)
        is None
    )
    with pytest.raises(InputError, match="Expected"):
        bptt_loss(net, torch.ones(4, 3, 7), torch.ones(4, 3, 5))


def steps_of(net, batches, optimizer, graph):
    """Losses, weights, gradients and the optimizer's state after steps with or without autograd."""
    losses = []
    for spikes, targets in batches:
        if graph:
            optimizer.zero_grad()
            loss = bptt_loss(net, spikes, targets)
            loss.backward()
            optimizer.step()
        else:
            loss = bptt_step(net, spikes, targets, optimizer)
            assert not loss.requires_grad
        losses.append(loss.detach())
    state = [x for one in optimizer.state.values() for x in one.values() if isinstance(x, torch.Tensor)]
    return [*losses, *net.parameters(), *(w.grad for w in net.parameters()), *state]


@pytest.fixture
def graphs(monkeypatch):
    """Calls of autograd's node for a network."""
    made, loss_of = [], bptt.network_loss
    monkeypatch.setattr(bptt, "network_loss", lambda *given: made.append(1) or loss_of(*given))
    return made


@pytest.mark.parametrize(
    "make",
    [
        partial(torch.optim.Adam, fused=True),
        partial(torch.optim.AdamW, fused=True, weight_decay=0.1, betas=(0.8, 0.9)),
        torch.optim.Adam,
        torch.optim.SGD,
    ],
    ids=["fused Adam", "fused AdamW", "Adam", "SGD"],
)
def test_a_step_without_a_graph_ends_where_one_with_it_does(make, way, graphs):
    batches = [(spikes_of(8, 30, 300, seed=i), spikes_of(8, 30, 250, seed=9 + i)) for i in range(3)]
    found = []
    for graph in (True, False):
        net = stack((300, 200, 250))
        with kernels.use("numba", way):
            found.append(steps_of(net, batches, make(net.parameters(), lr=1e-2), graph))
        assert len(graphs) == 3
    for with_graph, without in zip(*found, strict=True):
        assert torch.equal(with_graph, without)


def test_weights_that_lie_by_columns_learn_as_others_do(way):
    """PyTorch's fused Adam pairs weights and gradients as they lie, which autograd sees to."""
    spikes, found = spikes_of(8, 30, 300), []
    for graph in (True, False):
        net = stack((300, 200, 300))
        for weight in net.parameters():
            weight.data = weight.data.T.contiguous().T
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-2, fused=True)
        with kernels.use("numba", way):
            found.append(steps_of(net, [(spikes, spikes)] * 3, optimizer, graph))
    for with_graph, without in zip(*found, strict=True):
        assert torch.equal(with_graph, without)


def test_training_after_a_pass_in_inference_mode(way):
    """As in Lightning's check of the validation before the first step."""
    net, spikes = stack((300, 200, 300)), spikes_of(8, 33, 300)
    with kernels.use("numba", way):
        with torch.inference_mode():
            net(spikes)
        bptt_loss(net, spikes, spikes).backward()
        several(net, spikes, spikes).backward()
    assert all(weight.grad.isfinite().all() for weight in net.parameters())


def frozen(net):
    net.layers[0][0].weight.requires_grad_(False)


def tied(net):
    net.layers[1][0].weight = net.layers[0][0].weight


def hooked(net):
    net.layers[0][0].weight.register_hook(lambda gradient: 2 * gradient)


def hooked_afterwards(net):
    net.layers[0][0].weight.register_post_accumulate_grad_hook(lambda weight: setattr(weight, "grad", 2 * weight.grad))


def computed(net):
    torch.nn.utils.parametrizations.orthogonal(net.layers[0][0])


def of_another_optimizer(net):
    net.layers[0][0].weight.grad = torch.ones_like(net.layers[0][0].weight)


@pytest.mark.parametrize("change", [frozen, tied, hooked, hooked_afterwards, computed, of_another_optimizer])
def test_autograd_is_asked_where_somebody_waits_for_gradients_or_they_add_up(change):
    spikes, found = spikes_of(5, 3, 70), []
    for graph in (True, False):
        net = stack((70, 70, 70))
        change(net)
        learning = [weight for weight in net.parameters() if weight.requires_grad]
        if change is of_another_optimizer:
            learning = [net.layers[1][0].weight]
        found.append(steps_of(net, [(spikes, spikes)], torch.optim.SGD(learning, lr=0.1), graph))
    for with_graph, without in zip(*found, strict=True):
        assert with_graph is without or torch.equal(with_graph, without)


def test_anomalies_are_looked_for_by_autograd(graphs):
    net, spikes = stack((7, 5, 7)), spikes_of(4, 3, 7)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with torch.autograd.set_detect_anomaly(True):
        bptt_step(net, spikes, spikes, optimizer)
    assert graphs == [1]
    with torch.no_grad(), pytest.raises(RuntimeError, match="does not require grad"):
        bptt_step(net, spikes, spikes, optimizer)


def test_a_step_that_is_refused_leaves_weights_without_gradients():
    net, spikes = stack((7, 5, 7)), spikes_of(4, 3, 7)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    bptt_step(net, spikes, spikes, optimizer)
    before = [weight.detach().clone() for weight in net.parameters()]
    with pytest.raises(InputError, match="target spikes"):
        bptt_step(net, spikes, spikes * torch.nan, optimizer)
    assert all(weight.grad is None for weight in net.parameters())
    assert all(map(torch.equal, before, net.parameters()))


def test_an_autoencoder_learns_by_it():
    torch.manual_seed(0)
    net, spikes = AESNN(20, 10), spikes_of(10, 8, 20)
    assert is_one(bptt_loss(net, spikes, spikes))
    assert not bptt.only_layers(nn.Linear(2, 2))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    losses = [bptt_step(net, spikes, spikes, optimizer).item() for _ in range(60)]
    assert losses[-1] < 0.5 * losses[0]


class Copies(TorchDispatchMode):
    """Counts the tensors that are copied."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.count += operation is torch.ops.aten.clone.default
        return operation(*args, **(kwargs or {}))


@pytest.mark.parametrize("product", ["float32", "listed"])
def test_inputs_are_copied_once_if_their_memory_is_in_another_order(product):
    layers = [Layer(torch.randn(64, 40), 0.9, 1.0, 1.0), Layer(torch.randn(66, 64), 0.9, 1.0, 1.0)]
    inputs, targets = spikes_of(5, 7, 40).transpose(0, 1), spikes_of(7, 5, 66)
    with kernels.use("numba", product), torch.no_grad(), Copies() as copies:
        found = kernels.network_gradients(layers, inputs, targets, True)
    assert copies.count == 1
    wanted = kernels.network_gradients(layers, inputs.contiguous(), targets, True)
    assert_close(found[0], wanted[0])
