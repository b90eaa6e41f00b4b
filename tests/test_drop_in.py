"""What people do to a snn.Leaky network, done to ours: dtypes, devices, compilers, probes, snnTorch's own helpers."""

import copy
import pickle

import numpy as np
import pytest
import snntorch as snn
import snntorch.functional as SF
import torch
from snntorch import utils
from snntorch.functional import probe, reg
from torch import nn
from torch.nn.utils import prune

from snn_synth.errors import InputError
from snn_synth.learning import bptt_loss, online_step
from snn_synth.losses import masked_membrane_loss
from snn_synth.models import ACSNN, AESNN, AudioToImage, SpikingStack
from snn_synth.neurons import SigmoidLeaky, reset_states
from tests.processes import exit_codes, free_port

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
ALPHAS, THRESHOLDS = torch.linspace(0.05, 0.9, 6, dtype=torch.float64), torch.linspace(0.3, 1.3, 6, dtype=torch.float64)


def spikes_of(*shape, seed=0, rate=0.4):
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < rate).float()


def network(sizes, gain=3.0, **neuron):
    torch.manual_seed(1)
    net = SpikingStack(sizes)
    for layer, weight in zip(net.layers, list(net.parameters()), strict=True):
        weight.data.mul_(gain)
        if neuron:
            layer[1] = SigmoidLeaky(**neuron)
    return net


def by_steps(net, spikes):
    """The plain loop of a snnTorch user: spikes of every layer, membranes of the last."""
    membranes, fired = [None] * len(net.layers), []
    for step in spikes:
        every = []
        for index, (operator, neuron) in enumerate(net.layers):
            step, membranes[index] = neuron(nn.functional.linear(step, operator.weight), membranes[index])
            every.append(step)
        fired.append((*every, membranes[-1]))
    return tuple(torch.stack(x) for x in zip(*fired, strict=True))


# Dtypes and devices


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("neuron", [{"alpha": ALPHAS}, {"threshold": THRESHOLDS}, {"graded_spikes_factor": ALPHAS}])
@pytest.mark.parametrize("convert", [False, True])
def test_the_results_have_the_dtype_of_the_input(dtype, neuron, convert):
    neuron = SigmoidLeaky(**neuron)
    neuron = neuron.to(dtype) if convert else neuron
    currents = torch.randn(9, 3, 6, generator=torch.Generator().manual_seed(0)).to(dtype)
    spikes, membranes = neuron.scan(currents)
    spk, mem = neuron(currents[0])
    assert {x.dtype for x in (spikes, membranes, spk, mem)} == {dtype}
    assert torch.equal(mem, membranes[0])


def test_float64_sees_the_alpha_of_each_neuron_exactly():
    currents = torch.randn(30, 3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for neuron in (SigmoidLeaky(ALPHAS), SigmoidLeaky(ALPHAS).half().double()):
        _, membranes = neuron.scan(currents)
        v, decay = np.zeros((3, 6)), 1 - ALPHAS.numpy()
        for current, membrane in zip(currents.numpy(), membranes.numpy(), strict=True):
            v = decay * (v * (v < 1)) + current
            np.testing.assert_array_equal(membrane, v)


def test_a_network_with_constants_of_each_neuron_stays_float32():
    net = network([5, 6, 6], alpha=ALPHAS, threshold=THRESHOLDS)
    out = net(spikes_of(9, 3, 5))
    *fired, membranes = by_steps(net, spikes_of(9, 3, 5))
    assert out.membrane.dtype == torch.float32
    for ours, theirs in zip((*out.layer_spikes, out.membrane), (*fired, membranes), strict=True):
        torch.testing.assert_close(ours, theirs)
    loss = bptt_loss(net, spikes_of(9, 3, 5), spikes_of(9, 3, 6, seed=1))
    assert loss.dtype == torch.float32


@pytest.mark.parametrize("settings", [{}, {"alpha": ALPHAS, "threshold": THRESHOLDS}, {"graded_spikes_factor": 2.0}])
def test_constants_survive_meta(settings):
    spikes = spikes_of(9, 3, 5)
    net = network([5, 6, 6], **settings)
    weights, wanted = net.state_dict(), net(spikes).spikes
    with torch.device("meta"):
        made = network([5, 6, 6], **settings)
    for empty in (copy.deepcopy(net).to("meta"), made):
        assert empty(spikes.to("meta")).spikes.shape == wanted.shape
        net = empty.to_empty(device="cpu")
        net.load_state_dict({name: x for name, x in weights.items() if name.endswith("weight")}, strict=False)
        assert torch.equal(net(spikes).spikes, wanted)


def test_copies_and_strict_state_dicts():
    net, x = network([5, 6, 4], threshold=0.75, alpha=0.25), spikes_of(9, 3, 5)
    bptt_loss(net, x, spikes_of(9, 3, 4)).backward()
    for again in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(again(x).membrane, net(x).membrane)
    stock = nn.Sequential(nn.Linear(5, 6), snn.Leaky(0.75, threshold=0.5, reset_mechanism="zero"))
    ours = nn.Sequential(nn.Linear(5, 6), SigmoidLeaky())
    ours.load_state_dict(stock.state_dict())
    assert (ours[1].beta, ours[1].threshold) == (0.75, 0.5)
    stock.load_state_dict(ours.state_dict())
    subtracts = nn.Sequential(nn.Linear(5, 6), snn.Leaky(0.75))
    with pytest.raises(InputError, match="reset='zero', got 'subtract' in 1"):
        ours.load_state_dict(subtracts.state_dict())
    with pytest.raises(InputError, match=r"reset of \['zero', 'subtract'\], got 'none'"):
        ours[1].reset_mechanism = "none"
    ours[1].reset_mechanism = "subtract"
    ours.load_state_dict(subtracts.state_dict())
    assert torch.equal(ours[1](torch.full((1, 6), 0.6), torch.full((1, 6), 1.5))[1], torch.full((1, 6), 0.725))


@pytest.mark.parametrize("name", ["alpha", "threshold", "slope", "graded_spikes_factor"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, "0.5", None, 1j, [float("nan"), 0.5]])
def test_what_is_no_number_is_refused_in_one_sentence(name, value):
    with pytest.raises(InputError, match=rf"Expected `{name}` to be [^\n]*got [^\n]*$"):
        SigmoidLeaky(**{name: value})


# Gradients of what is learned


def loop_loss(net, spikes, targets):
    *_, membranes = by_steps(net, spikes)
    threshold = net.layers[-1][1].threshold
    wrong = (membranes >= threshold) != (targets > 0)
    return 0.5 * ((threshold * targets - membranes) * wrong).square().sum() / (len(spikes) * spikes.shape[1])


LEARNED = [
    {"learn_threshold": True},
    {"learn_beta": True},
    {"learn_threshold": True, "learn_beta": True, "threshold": THRESHOLDS[:4], "alpha": ALPHAS[:4]},
    {"learn_graded_spikes_factor": True, "learn_threshold": True, "graded_spikes_factor": 1.5},
]


@pytest.mark.parametrize("settings", LEARNED)
@pytest.mark.parametrize("chunk", [None, 3])
def test_gradients_of_learned_neurons_are_those_of_the_plain_loop(settings, chunk):
    net = network([5, 4, 4], **settings).double()
    spikes, targets = spikes_of(10, 3, 5).double(), spikes_of(10, 3, 4, seed=1).double()
    wanted = torch.autograd.grad(loop_loss(net, spikes, targets), list(net.parameters()), allow_unused=True)
    ours = torch.autograd.grad(bptt_loss(net, spikes, targets, chunk=chunk), list(net.parameters()), allow_unused=True)
    for (name, _), a, b in zip(net.named_parameters(), ours, wanted, strict=True):
        if name == "layers.1.1.graded_spikes_factor":  # scales spikes that the loss does not see
            assert a is None
            continue
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)
        assert a.abs().sum() > 0, name


@pytest.mark.parametrize("name", ["threshold", "beta"])
def test_output_neurons_gradients_are_finite_differences(name):
    """No surrogate comes between an output neuron and the loss."""
    net = network([5, 4], learn_threshold=True, learn_beta=True, alpha=0.3, threshold=0.8).double()
    spikes, targets = spikes_of(10, 3, 5).double(), spikes_of(10, 3, 4, seed=1).double()
    parameter = getattr(net.layers[0][1], name)
    (ours,) = torch.autograd.grad(bptt_loss(net, spikes, targets), parameter)
    losses = []
    for step in (1e-6, -2e-6):
        parameter.data.add_(step)
        losses.append(bptt_loss(net, spikes, targets).item())
    assert ours.item() == pytest.approx((losses[0] - losses[1]) / 2e-6, rel=1e-5)


def _ddp(port, find_unused):
    torch.distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=0, world_size=1)
    net = network([5, 4, 4], learn_threshold=True, learn_beta=True)
    spikes, targets = spikes_of(10, 3, 5), spikes_of(10, 3, 4, seed=1)
    wanted = torch.autograd.grad(bptt_loss(net, spikes, targets), list(net.parameters()))
    for _ in range(2):
        net.zero_grad()
        wrapped = nn.parallel.DistributedDataParallel(net, find_unused_parameters=find_unused)
        bptt_loss(wrapped, spikes, targets).backward()
        del wrapped
    for parameter, gradient in zip(net.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
    torch.distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize("find_unused", [False, True])
def test_ddp_reduces_the_gradients_of_learned_neurons(find_unused, fresh_process, monkeypatch):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    assert exit_codes(fresh_process(_ddp, free_port(), find_unused)) == [0]


# Options under the two rules


class Recorder(torch.optim.SGD):
    """Keeps every gradient and moves nothing."""

    def __init__(self, net):
        super().__init__(net.parameters(), lr=0.0)
        self.gradients = []

    def step(self, closure=None):
        self.gradients.append([p.grad.clone() for p in self.param_groups[0]["params"]])


def stored_traces(net, spikes, targets):
    """The rule with a trace for each synapse and sample, whatever the neurons do at a step."""
    traces = [torch.zeros(spikes.shape[1], *operator.weight.shape, dtype=spikes.dtype) for operator, _ in net.layers]
    membranes, gradients = [None] * len(traces), []
    for step, target in zip(spikes, targets, strict=True):
        currents = []
        for index, (operator, neuron) in enumerate(net.layers):
            traces[index] = traces[index] * float(neuron.decay)
            if membranes[index] is not None:
                traces[index] = traces[index] * (1 - neuron.mem_reset(membranes[index]))[..., None]
            traces[index] = traces[index] + step.detach()[:, None]
            currents.append((step @ operator.weight.detach().T).requires_grad_())
            step, mem = neuron(currents[-1], membranes[index])
            membranes[index] = mem.detach()
        threshold = net.layers[-1][1].threshold
        wrong = (mem >= threshold) != (target > 0)
        loss = 0.5 * ((threshold * target - mem) * wrong).square().sum() / len(target)
        deltas = torch.autograd.grad(loss, currents)
        gradients.append([torch.einsum("bm,bmn->mn", d, e) for d, e in zip(deltas, traces, strict=True)])
    return gradients


@pytest.mark.parametrize(
    "change",
    [
        lambda net: setattr(net.layers[0][1], "spike_grad", snn.surrogate.atan()),
        lambda net: setattr(net.layers[0][1], "spike_grad", snn.surrogate.fast_sigmoid()),
        lambda net: net.layers[0].__setitem__(1, SigmoidLeaky(inhibition=True)),
        lambda net: net.layers[0].__setitem__(1, SigmoidLeaky(graded_spikes_factor=-2.0)),
        lambda net: net.layers[0].__setitem__(1, SigmoidLeaky(threshold=THRESHOLDS)),
        lambda net: net.layers[1].__setitem__(1, SigmoidLeaky(threshold=THRESHOLDS[:4])),
    ],
    ids=["atan", "fast sigmoid", "inhibition", "graded", "hidden thresholds", "output thresholds"],
)
def test_what_the_rules_take_has_the_gradients_of_stored_traces_and_of_the_loop(change):
    net = network([5, 6, 4])
    change(net)
    net = net.double()
    spikes, targets = spikes_of(12, 3, 5).double(), spikes_of(12, 3, 4, seed=1).double()
    recorder = Recorder(net)
    online_step(net, spikes, targets, recorder)
    for ours, theirs in zip(recorder.gradients, stored_traces(net, spikes, targets), strict=True):
        for a, b in zip(ours, theirs, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)
    assert sum(g[0].abs().sum() for g in recorder.gradients) > 0
    ours = torch.autograd.grad(bptt_loss(net, spikes, targets), list(net.parameters()))
    theirs = torch.autograd.grad(loop_loss(net, spikes, targets), list(net.parameters()))
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", ["pruned", "weight norm by a hook"])
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_online_rule_learns_through_what_makes_a_weight(kind):
    net, operator = network([5, 4]).double(), nn.Linear(5, 4, bias=False).double()
    operator.weight.data.mul_(3)
    if kind == "pruned":
        prune.random_unstructured(operator, "weight", amount=0.4)
    else:
        operator = nn.utils.weight_norm(operator)
    net.layers[0][0] = operator
    spikes, targets = spikes_of(12, 3, 5).double(), spikes_of(12, 3, 4, seed=1).double()
    recorder = Recorder(operator)
    online_step(net, spikes, targets, recorder)
    effective = operator(torch.eye(5, dtype=torch.float64)).T
    plain = network([5, 4]).double()
    plain.layers[0][0].weight.data.copy_(effective)
    for ours, (theirs,) in zip(recorder.gradients, stored_traces(plain, spikes, targets), strict=True):
        wanted = torch.autograd.grad(effective, list(operator.parameters()), theirs, retain_graph=True)
        torch.testing.assert_close(tuple(ours), wanted, rtol=1e-9, atol=1e-12)


class Halved(SigmoidLeaky):
    def forward(self, input_, mem=None):
        return super().forward(input_ / 2, mem)


UNFIT = [
    (0, {"reset_delay": False}, "reset_delay=False"),
    (1, {"reset_delay": False}, "reset_delay=False"),
    (1, {"inhibition": True}, "without inhibition"),
    (0, {"state_quant": torch.round}, "state_quant="),
    (0, {"surrogate_disable": True}, "surrogate_disable=True"),
    (0, {"init_hidden": True}, "init_hidden=True"),
    (0, {"alpha": ALPHAS}, "an alpha for each neuron"),
    (0, {"learn_threshold": True}, "got learned ones"),
]


@pytest.mark.parametrize(("layer", "settings", "named"), UNFIT)
def test_the_online_rule_refuses_what_it_would_get_wrong(layer, settings, named):
    net = network([5, 6, 4])
    net.layers[layer][1] = SigmoidLeaky(**settings)
    before = [p.clone() for p in net.parameters()]
    with pytest.raises(InputError, match=named):
        online_step(net, spikes_of(6, 3, 5), spikes_of(6, 3, 4), torch.optim.SGD(net.parameters(), lr=1.0))
    assert all(map(torch.equal, before, net.parameters()))
    reset_states(net)
    snn.SpikingNeuron.instances[:] = [n for n in snn.SpikingNeuron.instances if n not in set(net.modules())]


def test_the_online_rule_refuses_a_bias_and_another_step():
    for change, named in (
        (lambda net: net.layers[0].__setitem__(0, nn.Linear(5, 6)), "Linear with a bias"),
        (lambda net: net.layers[0].__setitem__(1, Halved()), "Halved with a step of its own"),
    ):
        net = network([5, 6, 4])
        change(net)
        with pytest.raises(InputError, match=named):
            online_step(net, spikes_of(6, 3, 5), spikes_of(6, 3, 4), torch.optim.SGD(net.parameters(), lr=1.0))


@pytest.mark.parametrize("settings", [{"reset_delay": False}, {"inhibition": True}])
@pytest.mark.parametrize("chunk", [None, 3])
def test_the_membrane_loss_refuses_outputs_that_it_would_misread(settings, chunk):
    net = network([5, 4], **settings)
    with pytest.raises(InputError, match="without inhibition and with reset_delay=True"):
        bptt_loss(net, spikes_of(6, 3, 5), spikes_of(6, 3, 4), chunk=chunk)


def test_networks_of_other_layers_are_refused():
    class Stock(nn.Module):
        def __init__(self, *layers):
            super().__init__()
            self.layers = nn.ModuleList(layers)

    x = spikes_of(6, 3, 5)
    for net in (Stock(nn.Linear(5, 5)), Stock(nn.ModuleList([nn.Linear(5, 5), snn.Leaky(0.9)])), Stock()):
        with pytest.raises(InputError, match=r"pairs of a linear operator and a SigmoidLeaky, got [^\n]*$"):
            bptt_loss(net, x, x)


@pytest.mark.parametrize("change", ["surrogate", "subclass", "method"])
@pytest.mark.parametrize("layer", [0, 1])
def test_another_step_is_not_ignored_by_scan(layer, change):
    net = network([5, 6, 4])
    plain = net(spikes_of(9, 3, 5)).membrane
    if change == "surrogate":
        net.layers[layer][1].spike_grad = snn.surrogate.fast_sigmoid()
    elif change == "subclass":
        net.layers[layer][1] = Halved()
    else:
        neuron = net.layers[layer][1]
        step = neuron.forward
        neuron.forward = lambda x, mem=None: step(x / 2, mem)
    out = net(spikes_of(9, 3, 5))
    *_, spikes, membranes = by_steps(net, spikes_of(9, 3, 5))
    torch.testing.assert_close((out.spikes, out.membrane), (spikes, membranes))
    if change != "surrogate":
        assert not torch.equal(out.membrane, plain)
    targets = spikes_of(9, 3, 4, seed=1)
    wanted = torch.autograd.grad(loop_loss(net, spikes_of(9, 3, 5), targets), list(net.parameters()))
    ours = torch.autograd.grad(bptt_loss(net, spikes_of(9, 3, 5), targets), list(net.parameters()))
    torch.testing.assert_close(ours, wanted)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("rule", ["bptt", "online"])
def test_half_precision_learns_under_both_rules(dtype, rule):
    spikes, targets = spikes_of(8, 4, 30), spikes_of(8, 4, 20, seed=1)
    gradients, losses = [], []
    for used in (torch.float32, dtype):
        net = network([30, 25, 20], gain=1.0).to(used)
        recorder = Recorder(net)
        if rule == "online":
            losses.append(online_step(net, spikes, targets, recorder))
        else:
            loss = bptt_loss(net, spikes, targets)
            loss.backward()
            recorder.step()
            losses.append(loss.detach())
        assert all(g.dtype == used for step in recorder.gradients for g in step)
        gradients.append([sum(step[i].double() for step in recorder.gradients) for i in (0, 1)])
    assert losses[1].dtype == torch.float32
    torch.testing.assert_close(losses[1], losses[0], rtol=0.1, atol=0)
    for full, half in zip(*gradients, strict=True):
        assert 0 < (full - half).norm() < 0.2 * full.norm()


def test_the_loss_of_large_half_precision_membranes_is_finite():
    membranes = torch.full((2, 3, 100), 300.0, dtype=torch.float16, requires_grad=True)
    loss = masked_membrane_loss()(membranes, torch.zeros(2, 3, 100))
    loss.backward()
    assert loss.item() == pytest.approx(100 * 300**2 / 2)
    assert torch.equal(membranes.grad, torch.full_like(membranes, 50.0))


# Compilers


class Both(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, spikes):
        out = self.net(spikes)
        return out.spikes, out.membrane


class Decoder(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, hidden):
        return self.net.decode(hidden)


NETWORKS = [
    (lambda: network([6, 5, 4], alpha=ALPHAS[0], threshold=0.75, graded_spikes_factor=2.0), 6),
    (lambda: AESNN(6, 5), 6),
    (lambda: AudioToImage(ACSNN(6, 5, 4), AESNN(9, 4), (1, 3, 3)).audiocoder, 6),
    (lambda: Decoder(AudioToImage(ACSNN(6, 5, 4), AESNN(9, 4), (1, 3, 3)).autoencoder), 4),
    (lambda: SigmoidLeaky(), 6),
]


@pytest.mark.parametrize(("make", "inputs"), NETWORKS)
def test_networks_export_and_give_the_same_spikes(make, inputs, tmp_path):
    torch.manual_seed(0)
    net = make()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(3)
    step = isinstance(net, SigmoidLeaky)
    example, other = (3 * spikes_of(*(() if step else (7,)), 3, inputs, seed=seed) for seed in (0, 1))
    program = torch.export.export(net, (example,), dynamic_shapes=({0 if step else 1: torch.export.Dim("batch")},))
    torch.export.save(program, tmp_path / "net.pt2")
    loaded = torch.export.load(tmp_path / "net.pt2").module()
    x = torch.cat([other, example], 0 if step else 1)
    for ours, wanted in zip(*map(torch.utils._pytree.tree_leaves, (loaded(x), net(x))), strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-6, atol=1e-6)
        assert wanted.any()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_networks_compile_in_one_graph_and_trace():
    net, x, other = Both(network([6, 5, 4])), spikes_of(7, 3, 6), spikes_of(7, 3, 6, seed=1)
    compiled = torch.compile(net, backend="aot_eager", fullgraph=True)
    traced = torch.jit.trace(net, (x,))
    for run in (compiled, traced, torch.compile(net.net.layers[0][1].scan, backend="eager", fullgraph=True)):
        wanted = net(other) if run in (compiled, traced) else net.net.layers[0][1].scan(other)
        torch.testing.assert_close(tuple(run(other)), wanted)
    hidden = nn.Sequential(nn.Linear(6, 5), SigmoidLeaky(init_hidden=True))
    reference = copy.deepcopy(hidden)
    compiled = torch.compile(hidden, backend="eager")
    assert all(torch.equal(compiled(step), reference(step)) for step in other)
    snn.SpikingNeuron.instances.remove(hidden[1])


def test_vmap_over_networks_and_samples():
    nets, x = [network([6, 5, 4], gain=gain) for gain in (2.0, 3.0)], spikes_of(7, 3, 6)
    parameters, buffers = torch.func.stack_module_state(nets)

    def run(parameters, buffers):
        return torch.func.functional_call(nets[0], (parameters, buffers), (x,))

    out = torch.func.vmap(run)(parameters, buffers)
    for index, net in enumerate(nets):
        torch.testing.assert_close(out.spikes[index], net(x).spikes)
        torch.testing.assert_close(out.membrane[index], net(x).membrane)
    targets = spikes_of(7, 3, 4, seed=1)

    def loss(parameters):
        return masked_membrane_loss()(torch.func.functional_call(nets[0], parameters, (x,)).membrane, targets)

    gradients = torch.func.grad(loss)(dict(nets[0].named_parameters()))
    bptt_loss(nets[0], x, targets).backward()
    for name, parameter in nets[0].named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad, rtol=1e-4, atol=1e-6)


# Empty batches


@pytest.mark.parametrize("settings", [{}, {"alpha": ALPHAS[:4]}, {"learn_threshold": True}])
def test_no_samples_is_an_empty_result_and_no_number(settings):
    net = network([5, 4, 4], **settings)
    x, targets = spikes_of(6, 0, 5), spikes_of(6, 0, 4)
    assert net(x).spikes.shape == net(x).membrane.shape == (6, 0, 4)
    assert torch.nn.functional.mse_loss(x, x).isnan()  # whom we follow
    for chunk in (None, 4):
        net.zero_grad()
        loss = bptt_loss(net, x, targets, chunk=chunk)
        loss.backward()
        assert loss.isnan()
        assert not any(p.grad is not None and p.grad.any() for p in net.parameters() if p.dim() == 2)
    assert masked_membrane_loss()(targets, targets).isnan()
    assert masked_membrane_loss(reduction="none")(targets, targets).shape == (0,)
    assert masked_membrane_loss(reduction="sum")(targets, targets) == 0
    if not settings:
        before = [p.clone() for p in net.parameters()]
        assert online_step(net, x, targets, torch.optim.SGD(net.parameters(), lr=1.0)).isnan()
        assert all(map(torch.equal, before, net.parameters()))
    assert SigmoidLeaky().scan(torch.zeros(3, 2, 0))[0].shape == (3, 2, 0)
    assert SigmoidLeaky()(torch.zeros(0, 4))[0].shape == (0, 4)


def test_no_time_step_is_refused_and_one_is_enough():
    net = network([5, 4])
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    none, nothing = spikes_of(0, 3, 5), spikes_of(0, 3, 4)
    for run in (
        lambda: net(none),
        lambda: bptt_loss(net, none, nothing),
        lambda: bptt_loss(net, none, nothing, chunk=2),
        lambda: online_step(net, none, nothing, optimizer),
        lambda: SigmoidLeaky().scan(none),
        lambda: masked_membrane_loss()(nothing, nothing),
    ):
        with pytest.raises(InputError, match=r"\[0, 3, [45]\]"):
            run()
    one, target = spikes_of(1, 3, 5), spikes_of(1, 3, 4)
    assert net(one).spikes.shape == (1, 3, 4)
    torch.testing.assert_close(bptt_loss(net, one, target).detach(), online_step(net, one, target, optimizer))


# Hooks and monitors


def test_monitors_record_each_step_and_change_nothing():
    net, x = network([5, 6, 4]), spikes_of(9, 3, 5)
    plain = net(x)
    loss = bptt_loss(net, x, spikes_of(9, 3, 4, seed=1))
    loss.backward()
    gradients = [p.grad.clone() for p in net.parameters()]
    net.zero_grad()
    monitors = [
        probe.OutputMonitor(net, instance=snn.Leaky),
        probe.InputMonitor(net, instance=snn.Leaky),
        probe.AttributeMonitor("mem", False, net, instance=snn.Leaky),
        probe.GradInputMonitor(net, instance=snn.Leaky),
        probe.GradOutputMonitor(net, instance=snn.Leaky),
    ]
    out = net(x)
    outputs, inputs, membranes, by_inputs, by_outputs = monitors
    for monitor in (outputs, inputs, membranes):
        assert [len(monitor[name]) for name in ("layers.0.1", "layers.1.1")] == [9, 9]
    assert torch.equal(torch.stack([spk for spk, _ in outputs["layers.0.1"]]), out.hidden)
    assert torch.equal(torch.stack([spk for spk, _ in outputs["layers.1.1"]]), out.spikes)
    assert torch.equal(torch.stack(membranes["layers.1.1"]), out.membrane)
    torch.testing.assert_close(torch.stack([current for current, _ in inputs["layers.1.1"]]), out.currents)
    assert torch.equal(out.spikes, plain.spikes)
    torch.testing.assert_close(out.membrane, plain.membrane)
    for monitor in monitors:
        monitor.clear_recorded_data()
    hooked = bptt_loss(net, x, spikes_of(9, 3, 4, seed=1))
    hooked.backward()
    torch.testing.assert_close(hooked, loss)
    torch.testing.assert_close([p.grad for p in net.parameters()], gradients)
    for monitor in monitors:
        assert len(monitor["layers.0.1"]) == 9
    assert all(len(monitor["layers.1.1"]) == 9 for monitor in (outputs, by_inputs, by_outputs))
    for monitor in monitors:
        monitor.remove_hooks()
    copy.deepcopy(net)  # nothing of a graph is left behind
    assert all(neuron.plain for _, neuron in net.layers)


def test_hooks_of_every_kind_and_of_operators_fire():
    net, x, calls = network([5, 6, 4]), spikes_of(9, 3, 5), []
    operator, neuron = net.layers[0]
    handles = [
        neuron.register_forward_pre_hook(lambda *_: calls.append("before")),
        neuron.register_full_backward_pre_hook(lambda *_: calls.append("backward")),
        neuron.spike_grad.register_forward_hook(lambda *_: calls.append("surrogate")),
        operator.register_forward_hook(lambda *_: calls.append("operator")),
        operator.register_full_backward_hook(lambda *_: calls.append("operator backward")),
    ]
    with pytest.warns(UserWarning, match="no inputs require gradients"):  # of any first layer with such a hook
        bptt_loss(net, x, spikes_of(9, 3, 4)).backward()
    assert {name: calls.count(name) for name in calls} == {
        "before": 9,
        "backward": 9,
        "surrogate": 18,
        "operator": 1,
        "operator backward": 1,
    }
    for handle in handles:
        handle.remove()
    everywhere = nn.modules.module.register_module_forward_hook(lambda module, *_: calls.append(type(module).__name__))
    calls.clear()
    _ = net(x).spikes
    everywhere.remove()
    assert calls.count("SigmoidLeaky") == 18
    reset = neuron.register_forward_hook(lambda *_: None)
    mem = None
    for batch in (3, 2):  # a last batch that is smaller, while someone watches
        mem = neuron.reset_mem()
        _, mem = neuron(torch.zeros(batch, 6), mem)
    reset.remove()


def test_hooks_change_what_they_return():
    net, x = network([5, 6, 4]), spikes_of(9, 3, 5)
    net.layers[0][1].register_forward_hook(lambda module, inputs, out: (torch.zeros_like(out[0]), out[1]))
    assert not net(x).spikes.any()


def test_a_hidden_state_and_hooks_in_a_scan_are_refused():
    neuron = SigmoidLeaky(init_hidden=True)
    neuron.register_forward_hook(lambda *_: None)
    with pytest.raises(InputError, match="Expected a plain neuron in `scan` with init_hidden=True, got hooks"):
        neuron.scan(torch.zeros(3, 2, 4))
    snn.SpikingNeuron.instances.remove(neuron)


# The loss


def test_reductions_and_weights_of_the_membrane_loss():
    generator = torch.Generator().manual_seed(0)
    membranes, targets = 1.5 * torch.rand(6, 4, 3, generator=generator), spikes_of(6, 4, 3)
    weight = torch.tensor([1.0, 0.5, 3.0])
    wrong = (membranes >= 1) != (targets > 0)
    squares = ((targets - membranes) * wrong).square() / 2
    for weights in (None, weight):
        each = (squares if weights is None else squares * weights).sum(2).mean(0)
        for reduction, wanted in (("none", each), ("mean", each.mean()), ("sum", each.sum())):
            loss = masked_membrane_loss(reduction=reduction, weight=weights)(membranes, targets)
            torch.testing.assert_close(loss, wanted)
    for call, message in (
        (lambda: masked_membrane_loss(membranes, targets), r"call masked_membrane_loss\(\)\(mem_out, targets\)"),
        (lambda: masked_membrane_loss(reduction="max"), "`reduction` of"),
        (lambda: masked_membrane_loss(threshold=float("inf")), "`threshold` to be positive"),
        (lambda: masked_membrane_loss(weight=torch.ones(2))(membranes, targets), r"of shape \[3\], got \[2\]"),
        (lambda: masked_membrane_loss(weight="balanced"), "Expected `weight`"),
    ):
        with pytest.raises(InputError, match=message):
            call()


# snnTorch's own helpers


def _classifier():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 20, bias=False),
        SigmoidLeaky(init_hidden=True),
        nn.Linear(20, 4, bias=False),
        SigmoidLeaky(init_hidden=True, output=True),
    )


@pytest.fixture
def registry():
    before = list(snn.SpikingNeuron.instances)
    snn.SpikingNeuron.instances[:] = []
    yield snn.SpikingNeuron.instances
    snn.SpikingNeuron.instances[:] = before


@pytest.mark.parametrize("helper", ["BPTT", "TBPTT", "RTRL"])
@pytest.mark.parametrize("loss", ["spikes", "membranes"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_snntorchs_training_helpers_train_our_neurons(helper, loss, registry):
    from snntorch import backprop

    net = _classifier()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    labels = torch.arange(20) % 4
    data = 0.3 * torch.rand(8, 20, 6, generator=torch.Generator().manual_seed(0)) + nn.functional.one_hot(labels, 6)
    ours = spikes_of(8, 1, 4).expand(8, 20, 4)
    # The other two helpers of snnTorch 1.0.0 fail on inputs that vary over time, with any neuron.
    static = {} if helper == "BPTT" else {"time_var": False, "num_steps": 8}
    options = static | ({"K": 4} if helper == "TBPTT" else {})
    batches = [(data[0] if static else data, labels if loss == "spikes" else ours)]
    criterion = SF.ce_rate_loss() if loss == "spikes" else masked_membrane_loss()
    train, penalty = getattr(backprop, helper), reg.l1_rate_sparsity(1e-6)
    losses = [train(net, batches, optimizer, criterion, regularization=penalty, **options).item() for _ in range(25)]
    assert losses[-1] < 0.95 * losses[0]


def test_snntorchs_hidden_states_reset_and_detach(registry):
    net, x = _classifier(), 2 * torch.rand(5, 3, 6, generator=torch.Generator().manual_seed(0))
    assert registry == [net[1], net[3]]
    spk = [net(step)[0] for step in x]
    assert net[1].mem.grad_fn is not None
    snn.Leaky.detach_hidden()
    assert net[1].mem.grad_fn is None
    assert net[1].mem.any()
    snn.Leaky.reset_hidden()
    assert not net[1].mem.any()
    assert torch.equal(torch.stack([net(step)[0] for step in x]), torch.stack(spk))
    utils.reset(net)
    assert torch.equal(torch.stack([net(step)[0] for step in x]), torch.stack(spk))
    with pytest.raises(TypeError, match="should not be passed"):
        net[1](torch.zeros(3, 20), torch.zeros(3, 20))
    spikes = torch.stack(spk)
    labels = torch.tensor([0, 1, 2])
    assert 0 <= SF.accuracy_rate(spikes, labels) <= 1
    assert 0 <= SF.accuracy_temporal(spikes, labels) <= 1
    assert (net[1](torch.zeros(7, 20)).shape, net[1].mem.shape) == ((7, 20), (7, 20))  # another batch size
