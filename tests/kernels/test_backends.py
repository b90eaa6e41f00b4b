"""The dispatch, and what stands on it: the same losses and gradients on every backend."""

import inspect
import os
import signal
import subprocess
import sys
import threading

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch.utils.data import DataLoader

from snn_synth import functional, kernels
from snn_synth.encoding import poisson_encode, sample_keys
from snn_synth.errors import InputError
from snn_synth.kernels import lif_scan, lif_scan_loss
from snn_synth.kernels.cpu import choice, memory
from snn_synth.kernels.dispatch import forced_product, has_hooks
from snn_synth.learning import bptt_loss
from snn_synth.models import SpikingStack
from snn_synth.neurons import SigmoidLeaky


def rand(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def network(sizes, gain=3.0, **neuron):
    torch.manual_seed(1)
    net = SpikingStack(sizes, **neuron)
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(gain)
    return net


def gradients(loss, parameters):
    return torch.autograd.grad(loss, list(parameters))


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize(
    ("sizes", "neuron"), [([20, 9], {}), ([20, 30, 9], {"alpha": 0.3}), ([20, 30, 25, 9], {"slope": 3.0})]
)
def test_loss_and_gradients_of_a_network_equal_the_references(sizes, neuron, mask):
    net = network(sizes, **neuron)
    spikes, targets = (rand(12, 7, 20) < 0.4).float(), (rand(12, 7, 9, seed=1) < 0.3).float()
    with kernels.use("reference"):
        wanted = bptt_loss(net, spikes, targets, mask)
        wanted_gradients = gradients(wanted, net.parameters())
        rates = [s.mean().item() for s in net(spikes).layer_spikes]
    assert all(0.02 < rate < 0.9 for rate in rates)
    for chunk in (None, 1, 5, 12):
        loss = bptt_loss(net, spikes, targets, mask, chunk)
        assert_close(loss, wanted, rtol=1e-6, atol=0)
        for ours, theirs in zip(gradients(loss, net.parameters()), wanted_gradients, strict=True):
            assert_close(ours, theirs, rtol=1e-4, atol=1e-6 * theirs.abs().max().item())


def test_one_neuron_over_time_is_scanned_too():
    """Currents of [T], without a batch, which the kernels do not take."""
    currents = 2 * rand(9)
    spikes, membranes = lif_scan(currents, decay=0.5)
    with kernels.use("reference"):
        wanted = lif_scan(currents[:, None, None], decay=0.5)
    assert 0 < spikes.sum() < 9
    for found, one in zip((spikes, membranes, kernels.lif_spikes(currents, 0.5)), (*wanted, wanted[0]), strict=True):
        assert torch.equal(found, one.flatten())


def test_leaks_and_thresholds_of_each_sample_are_taken_too():
    """Of [B, N], where the kernels take one number or [N]."""
    currents, decay, threshold = 2 * rand(6, 3, 4), rand(3, 4, seed=1), 0.5 + rand(3, 4, seed=2)
    spikes, membranes = lif_scan(currents, decay=decay, threshold=threshold)
    alone = kernels.lif_spikes(currents, decay, threshold)
    assert 0 < spikes.sum() < spikes.numel()
    assert torch.equal(alone, spikes)
    for b in range(3):
        fired, risen = lif_scan(currents[:, b : b + 1], decay=decay[b], threshold=threshold[b])
        assert torch.equal(spikes[:, b], fired[:, 0])
        assert torch.equal(membranes[:, b], risen[:, 0])


def test_float32_stays_float32_whatever_is_the_default():
    currents, targets = rand(6, 4, 3).requires_grad_(), (rand(6, 4, 3, seed=1) < 0.5).float()
    times, weight = (9 * rand(4, 3)).round(), rand(2, 3, seed=1).requires_grad_()
    layer = torch.randn(3, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()

    def results():
        loss = lif_scan_loss(currents, targets)
        late = kernels.if_spike_times(times, weight, 1.0, 9)
        step = kernels.online_rule([kernels.Layer(layer, 0.9, 1.0, 1.0)], targets, targets, True)(
            targets[0], targets[0]
        )
        return *gradients(loss, [currents]), late, *gradients(late.sum(), [weight]), *gradients(step, [layer])

    wanted, before = results(), torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        ours = results()
    finally:
        torch.set_default_dtype(before)
    for x, y in zip(ours, wanted, strict=True):
        assert_close(x, y, rtol=0, atol=0)


def test_truncated_gradients_are_those_of_chunks_that_start_from_a_given_state():
    net = network([6, 5, 4])
    spikes, targets = (rand(8, 3, 6) < 0.5).float(), (rand(8, 3, 4, seed=1) < 0.4).float()
    ours = gradients(bptt_loss(net, spikes, targets, chunk=3, truncate=True), net.parameters())
    total, states = 0, [None, None]
    for first in (0, 3, 6):
        fired = spikes[first : first + 3]
        for index, (operator, neuron) in enumerate(net.layers):
            current, membrane, steps = operator(fired), states[index], []
            for z in current:
                spike, membrane = neuron(z, membrane)
                steps.append((spike, membrane))
            fired, states[index] = torch.stack([s for s, _ in steps]), membrane.detach()
        membranes = torch.stack([v for _, v in steps])
        wrong = (membranes >= 1) != (targets[first : first + 3] > 0)
        total = total + 0.5 * ((targets[first : first + 3] - membranes) * wrong).square().sum() / (8 * 3)
    for a, b in zip(ours, gradients(total, net.parameters()), strict=True):
        assert_close(a, b, rtol=1e-4, atol=1e-6)
    whole = gradients(bptt_loss(net, spikes, targets), net.parameters())
    assert (ours[0] - whole[0]).abs().max() > 1e-3  # something was cut off


def test_chunks_keep_fewer_activations():
    net = network([8, 400, 8])
    spikes = (rand(64, 4, 8) < 0.5).float()

    def kept(**settings):
        saved = {}

        def note(x):
            saved[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
            return x

        with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
            loss = bptt_loss(net, spikes, spikes, **settings)
        loss.backward()
        return sum(saved.values())

    assert kept(chunk=8) < kept() / 4


@pytest.mark.parametrize("block", [lambda: kernels.precision("bfloat16"), lambda: kernels.use("reference")])
def test_chunks_are_computed_again_as_they_were_also_in_another_thread(block):
    """The backward pass on a GPU has a thread of its own, which knows no `with` block."""
    net = network([20, 30, 9])
    spikes, targets = (rand(12, 7, 20) < 0.4).float(), (rand(12, 7, 9, seed=1) < 0.3).float()
    with block():
        wanted = gradients(bptt_loss(net, spikes, targets, chunk=5), net.parameters())
        loss = bptt_loss(net, spikes, targets, chunk=5)
    thread = threading.Thread(target=loss.backward)
    thread.start()
    thread.join()
    assert all(torch.equal(weight.grad, grad) for weight, grad in zip(net.parameters(), wanted, strict=True))


@pytest.mark.parametrize(("chunk", "truncate"), [(0, False), (None, True)])
def test_chunks_that_cannot_be(chunk, truncate):
    net, spikes = network([3, 3]), torch.zeros(2, 1, 3)
    with pytest.raises(InputError, match="chunk"):
        bptt_loss(net, spikes, spikes, chunk=chunk, truncate=truncate)


@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("shape", [(6, 3), (6, 3, 4), (6, 2, 3, 5, 5), (1, 1, 1)])
def test_scan_of_any_shape_with_a_start(shape, reset):
    currents, start = (2 * rand(*shape)).requires_grad_(), (2 * rand(*shape[1:], seed=1)).requires_grad_()
    a, b = rand(*shape, seed=2), rand(*shape, seed=3)

    def everything():
        spikes, membranes = lif_scan(currents, start, 0.9, 1.0, 2.0, reset)
        return spikes, membranes, *torch.autograd.grad((spikes * a + membranes * b).sum(), [currents, start])

    with kernels.use("reference"):
        wanted = everything()
    ours = everything()
    assert torch.equal(ours[0], wanted[0])
    assert torch.equal(ours[1], wanted[1])
    assert_close(ours[2:], wanted[2:], rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        assert all(not x.requires_grad for x in lif_scan(currents, start))


def test_a_start_at_the_threshold_itself_has_fired():
    """So nothing of it is left, and it has no gradient; just below, the leak's share of it is left."""
    start = torch.tensor([[0.5, 0.5 - 2**-20]], requires_grad=True)
    _, membranes = lif_scan(torch.zeros(1, 1, 2), start, 0.75, 0.5)
    assert membranes.flatten().tolist() == [0, 0.75 * (0.5 - 2**-20)]
    (gradient,) = torch.autograd.grad(membranes.sum(), start)
    assert gradient.tolist() == [[0, 0.75]]


def test_what_passes_no_gradient_back_leaves_none():
    class Unlearned(torch.autograd.Function):
        @staticmethod
        def forward(ctx, spikes, membranes):
            return spikes.sum() + membranes.sum()

        @staticmethod
        def backward(ctx, grad):
            return None, None

    currents = (2 * rand(4, 2, 3)).requires_grad_()
    loss = Unlearned.apply(*lif_scan(currents))
    assert torch.autograd.grad(loss, currents, allow_unused=True) == (None,)  # no zeros, by which momentum would move


@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("numbers", ["one each", "one for all", "leak of each, threshold of all"])
def test_learned_leaks_and_thresholds_take_the_kernel(monkeypatch, numbers, reset):
    currents, targets = (2 * rand(6, 3, 4, 2)).requires_grad_(), (rand(6, 3, 4, 2, seed=4) < 0.5).float()
    one = numbers == "one for all"
    decay = torch.tensor(0.75) if one else 0.5 + 0.5 * rand(4, 2, seed=1)
    threshold = 0.5 + rand(4, 2, seed=2) if numbers == "one each" else torch.tensor(0.75)
    learned, weights = [decay.requires_grad_(), threshold.requires_grad_()], rand(2, 6, 3, 4, 2, seed=3)

    def everything():
        spikes, membranes = lif_scan(currents, None, *learned, 2.0, reset)
        first = torch.autograd.grad((weights[0] * spikes + weights[1] * membranes).sum(), [currents, *learned])
        loss = lif_scan_loss(currents, targets, *learned, reset=reset)
        return spikes, membranes, *first, loss.detach(), *torch.autograd.grad(3 * loss, [currents, *learned])

    with kernels.use("reference"):
        wanted = everything()
    monkeypatch.setattr("snn_synth.functional.lif_scan", None)
    ours = everything()
    assert torch.equal(ours[0], wanted[0])
    assert_close(ours[1:], wanted[1:], rtol=1e-4, atol=1e-5)
    assert torch.equal(kernels.lif_spikes(currents, *learned, reset=reset), wanted[0])


@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("size", [(), (4,)])
@pytest.mark.parametrize("learned", ["leak", "threshold"])
def test_one_number_is_learned_beside_another_that_is_fixed(monkeypatch, learned, size, reset):
    """And nothing else: not even the currents have a gradient."""
    currents, targets = 2 * rand(6, 3, 4), (rand(6, 3, 4, seed=4) < 0.5).float()
    numbers = {"leak": 0.5 + 0.5 * rand(*size, seed=1), "threshold": 0.5 + rand(*size, seed=2)}
    weights, wanted_of = rand(2, 6, 3, 4, seed=3), numbers[learned].requires_grad_()

    def everything():
        spikes, membranes = lif_scan(currents, None, *numbers.values(), 2.0, reset)
        total = (weights[0] * spikes + weights[1] * membranes).sum()
        loss = lif_scan_loss(currents, targets, *numbers.values(), reset=reset)
        return [*gradients(total, [wanted_of]), *gradients(loss, [wanted_of])]

    with kernels.use("reference"):
        wanted = everything()
    monkeypatch.setattr("snn_synth.functional.lif_scan", None)
    assert all(gradient.abs().min() > 0 for gradient in wanted)
    assert_close(everything(), wanted, rtol=1e-4, atol=1e-5)


def test_a_strided_input_and_gradient():
    currents = (2 * rand(4, 5, 3)).transpose(1, 2).requires_grad_()
    (gradient,) = torch.autograd.grad(lif_scan(currents)[0].transpose(0, 2).sum(), currents)
    with kernels.use("reference"):
        (wanted,) = torch.autograd.grad(lif_scan(currents)[0].sum(), currents)
    assert_close(gradient, wanted, rtol=1e-5, atol=1e-7)


def test_the_loss_takes_a_factor_and_a_second_backward():
    currents, targets = (2 * rand(4, 2, 3)).requires_grad_(), (rand(4, 2, 3, seed=1) < 0.5).float()
    loss = lif_scan_loss(currents, targets)
    (once,) = torch.autograd.grad(loss, currents, retain_graph=True)
    (twice,) = torch.autograd.grad(2 * loss, currents, retain_graph=True)
    (none,) = torch.autograd.grad(0 * loss, currents, retain_graph=True)
    (again,) = torch.autograd.grad(loss, currents)
    assert not none.any()
    assert_close(twice, 2 * once)
    assert torch.equal(again, once)
    assert again.data_ptr() == once.data_ptr() != twice.data_ptr()  # a factor of 1 takes no pass over memory


def test_targets_that_are_learned_have_their_gradient():
    """Which no kernel gives: of a network that makes the targets of another, say."""
    currents, targets = 2 * rand(4, 2, 3), (rand(4, 2, 3, seed=1) < 0.5).float().requires_grad_()
    membranes = lif_scan(currents, None, 0.5, 0.75)[1]
    error = ((membranes >= 0.75) != (targets > 0)) * (0.75 * targets - membranes)
    (gradient,) = torch.autograd.grad(lif_scan_loss(currents, targets, 0.5, 0.75), targets)
    assert_close(gradient, 0.75 * error.detach() / 8)
    assert gradient.any()


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("numbers", ["plain", (), (1,), "one each"])
@pytest.mark.parametrize("shape", [(1, 1), (6, 3), (1, 1, 1), (4, 3, 5), (4, 3, 2, 5)])
def test_what_kernels_take_is_given_to_them(monkeypatch, shape, numbers, learned):
    currents, decay, threshold = 2 * rand(*shape), 0.5, 0.75
    if numbers != "plain":
        size = shape[2:] if numbers == "one each" else numbers
        decay, threshold = (torch.full(size, x).requires_grad_(learned) for x in (0.5, 0.75))
    with kernels.use("reference"):
        spikes, membranes = (x.detach() for x in lif_scan(currents, None, decay, threshold))
        loss = lif_scan_loss(currents, spikes, decay, threshold, mask=False) if len(shape) > 2 else None
    monkeypatch.setattr("snn_synth.functional.lif_scan", None)
    found = lif_scan(currents, None, decay, threshold)
    assert torch.equal(found[0], spikes)
    assert_close(found[1].detach(), membranes)
    assert torch.equal(kernels.lif_spikes(currents, decay, threshold), spikes)
    if loss is not None:
        found = lif_scan_loss(currents, spikes, decay, threshold, mask=False)
        assert_close(found.detach(), loss.detach())


@pytest.mark.parametrize("name", ["alpha_spike_times", "if_spike_times"])
def test_first_spikes_are_given_to_a_kernel(monkeypatch, name):
    times, weight = (9 * rand(4, 3)).round(), 5 + rand(2, 3, seed=1)
    wanted = getattr(functional, name)(times, weight)
    empty = getattr(kernels, name)(times[:0], weight), getattr(kernels, name)(times, weight[:0])
    assert [x.shape for x in empty] == [(0, 2), (4, 0)]
    monkeypatch.setattr(f"snn_synth.functional.{name}", None)
    assert wanted.isfinite().all()
    assert_close(getattr(kernels, name)(times, weight), wanted)
    assert_close(getattr(kernels, name)(times[:1], weight[:1]), wanted[:1, :1])


@pytest.mark.parametrize("shape", [(3, 0, 4), (3, 2, 0)])
def test_no_sample_and_no_neuron_have_the_shapes_of_some(shape):
    nothing = torch.zeros(shape, requires_grad=True)
    spikes, membranes = lif_scan(nothing)
    assert spikes.shape == membranes.shape == kernels.lif_spikes(nothing).shape == shape
    (gradient,) = torch.autograd.grad(membranes.sum(), nothing)
    assert gradient.shape == shape
    with pytest.raises(InputError, match="T >= 1"):
        kernels.lif_spikes(torch.zeros(0, 2, 3))


STANDING_FOR_ANOTHER = [
    (function, function.__wrapped__)
    for function in vars(kernels).values()
    if getattr(function, "__wrapped__", None) in vars(functional).values()
]


@pytest.mark.parametrize(
    ("function", "reference"),
    [
        *STANDING_FOR_ANOTHER,
        (kernels.encode, functional.poisson_encode),
        (kernels.lif_spikes, functional.lif_scan),
        (kernels.lif_scan_loss, functional.lif_scan),
        (kernels.lif_scan_loss, functional.membrane_loss),
    ],
)
def test_what_is_not_given_is_what_the_reference_takes(function, reference):
    """`inspect.signature` alone would show the reference's own parameters for a function that wraps it."""
    ours = inspect.signature(function, follow_wrapped=False).parameters
    theirs = inspect.signature(reference).parameters
    if reference is getattr(function, "__wrapped__", None):
        assert list(ours) == list(theirs)
    both = ours.keys() & theirs.keys()
    assert len(both) >= 2
    assert {name: ours[name].default for name in both} == {name: theirs[name].default for name in both}


def test_every_function_that_stands_for_another_is_compared():
    names = {function.__name__ for function, _ in STANDING_FOR_ANOTHER}
    spikes = {"lif_scan", "alpha_spike_times", "if_spike_times"}
    assert names == spikes | {"poisson_encode", "low_discrepancy_encode", "even_encode"}


def test_what_kernels_do_not_take_goes_to_the_reference():
    currents = 2 * rand(4, 2, 3)
    with kernels.use("reference"):
        assert kernels.backend(currents) == "reference"
    with kernels.use("triton"):
        assert kernels.backend(currents) == "reference"
    with torch.inference_mode():
        assert kernels.backend(torch.zeros(2)) == "numba"
    assert kernels.backend(currents.double()) == kernels.backend(currents, currents.double()) == "reference"
    assert kernels.backend(torch.zeros(2, device="meta")) == "reference"
    scans = torch.func.vmap(lambda z: lif_scan(z)[1])(torch.stack([currents, currents / 2]))
    assert torch.equal(scans[1], lif_scan(currents / 2)[1])
    learned = SigmoidLeaky(learn_beta=True)
    learned.scan(currents)[1].sum().backward()
    assert learned.beta.grad.abs() > 0
    decays = torch.tensor([0.9, 0.5, 0.0])
    assert torch.equal(lif_scan(currents, decay=decays)[1][..., 2], currents[..., 2])
    with pytest.raises(InputError, match="backend"):
        kernels.use("cuda").__enter__()


def test_a_block_leaves_what_was_before_it():
    x = torch.zeros(2)

    def now():
        return kernels.backend(x), forced_product(), kernels.products._precision.get()

    with kernels.use("numba", "listed"), kernels.precision("mixed"):
        with kernels.use("reference"), kernels.precision("bfloat16"):
            assert now() == ("reference", None, "bfloat16")
        assert now() == ("numba", "listed", "mixed")
        with pytest.raises(ZeroDivisionError), kernels.use("reference"), kernels.precision("float32"):
            _ = 1 / 0
        assert now() == ("numba", "listed", "mixed")
    assert now() == ("numba", None, "float32")


@pytest.mark.parametrize("kind", ["forward_hook", "forward_pre_hook", "full_backward_hook", "full_backward_pre_hook"])
@pytest.mark.parametrize("everywhere", [False, True])
def test_hooks_of_a_module_and_of_all_are_seen(kind, everywhere):
    module = nn.Identity()
    assert not has_hooks(module)
    owner, name = (nn.modules.module, f"register_module_{kind}") if everywhere else (module, f"register_{kind}")
    handle = getattr(owner, name)(lambda *_: None)
    seen = has_hooks(module)
    handle.remove()
    assert seen
    assert not has_hooks(module)


def test_another_function_in_the_place_of_forward_is_seen():
    module = nn.Identity()
    module.forward = lambda x: 2 * x
    assert has_hooks(module)
    del module.forward
    assert not has_hooks(module)


def test_differentiating_twice_says_so():
    currents = (2 * rand(4, 2, 3)).requires_grad_()
    with pytest.raises(InputError, match="create_graph"):
        torch.autograd.grad(lif_scan(currents)[0].sum(), currents, create_graph=True)
    with kernels.use("reference"):
        (gradient,) = torch.autograd.grad(lif_scan(currents)[0].sum(), currents, create_graph=True)
    assert torch.autograd.grad(gradient.sum(), currents)[0].abs().max() > 0


def _online(weight):
    spikes, layers = torch.ones(4, 2, 3), [kernels.Layer(weight, 0.9, 1.0, 1.0)]
    return kernels.online_rule(layers, spikes, spikes, mask=False)(spikes[0], spikes[0])


def _network(weight):
    spikes, layers = torch.ones(4, 2, 3), [kernels.Layer(weight, 0.9, 1.0, 1.0)]
    return kernels.network_loss(layers, spikes, torch.zeros(4, 2, 3), mask=False)[0]


ONCE = {
    "loss": lambda x: lif_scan_loss(x.expand(2, 3, 3), torch.zeros(2, 3, 3)),
    "spikes of a product": lambda x: kernels.spike_linear(x, torch.ones(2, 3)).sum(),
    "weight of a product": lambda x: kernels.spike_linear(torch.ones(5, 3), x).sum(),
    "online rule": _online,
    "network": _network,
}


@pytest.mark.parametrize("run", ONCE.values(), ids=ONCE)
def test_every_kernel_with_a_gradient_says_that_there_is_no_second(run):
    x = rand(3, 3).requires_grad_()
    (gradient,) = torch.autograd.grad(run(x), x)
    assert gradient.any()
    with pytest.raises(InputError, match="create_graph"):
        torch.autograd.grad(run(x), x, create_graph=True)


class Encoded(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return poisson_encode(torch.full((1, 5000), 0.5), 3, keys=sample_keys(index))


def test_forked_processes_compute_too():
    """GNU OpenMP ends a forked child that starts threads after its parent did."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        here = [Encoded()[index] for index in range(4)]
        for spikes, wanted in zip(DataLoader(Encoded(), batch_size=None, num_workers=2), here, strict=True):
            assert torch.equal(spikes, wanted)
        child = os.fork()
        if child == 0:
            os._exit(0 if torch.equal(Encoded()[0], here[0]) else 1)
        assert os.waitpid(child, 0)[1] == 0
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("module", ["memory", "choice"])
def test_a_lock_that_is_held_at_a_fork_stops_no_child(module):
    """By a thread of the parent that is not there in the child."""
    lock = {"memory": memory, "choice": choice}[module]._lock
    held, go_on = threading.Event(), threading.Event()

    def hold():
        with lock:
            held.set()
            go_on.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        memory.empty(1000)
        choice.fastest(f"after a fork, {module}", (3,), 1.0, ["one"], lambda *_: {"one": lambda: None})
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    go_on.set()
    thread.join()


def test_without_numba_s_compiler_the_reference_runs():
    code = "import torch, snn_synth; from snn_synth.kernels import lif_scan, backend; x = torch.ones(3, 1, 2); "
    code += "print(backend(x), lif_scan(x)[0].sum().item())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.split() == ["reference", "6.0"], done.stderr


def test_threads_of_one_program_do_not_disturb_each_other():
    wanted, results = lif_scan(currents := 2 * rand(30, 8, 300))[0], []
    threads = [threading.Thread(target=lambda: results.append(lif_scan(currents)[0])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert all(torch.equal(spikes, wanted) for spikes in results)


def test_a_layer_of_another_kind_still_learns():
    class Doubled(nn.Module):
        """Has `.layers`, and an output that is not a StackOutput."""

        def __init__(self):
            super().__init__()
            self.layers = [(nn.Linear(3, 2, bias=False), SigmoidLeaky())]

        def forward(self, spikes):
            operator, neuron = self.layers[0]
            spikes, membrane = neuron.scan(2 * operator(spikes))
            return type("Output", (), {"spikes": spikes, "membrane": membrane})()

    net, x = Doubled(), torch.ones(3, 1, 3)
    loss = bptt_loss(net, x, x[..., :2])
    membrane = net(x).membrane
    assert_close(loss, 0.5 * ((1 - membrane) * (membrane < 1)).square().sum() / 3)
