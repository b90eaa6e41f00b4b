import copy
import gc
import pickle
import weakref

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from snn_synth.errors import InputError
from snn_synth.functional import lif_scan, membrane_loss
from snn_synth.neurons import SigmoidLeaky, reset_states
from snn_synth.surrogate import SigmoidCentered


def numpy_neuron(currents, decay, threshold, reset="zero"):
    """Eq. 1-2 in ten lines."""
    membrane = np.zeros_like(currents[0])
    spikes, membranes = [], []
    fired = np.zeros_like(currents[0])
    for current in currents:
        left = membrane * (1 - fired) if reset == "zero" else membrane
        membrane = decay * left + current - (threshold * fired if reset == "subtract" else 0)
        fired = (membrane >= threshold).astype(currents.dtype)
        spikes.append(fired)
        membranes.append(membrane)
    return np.stack(spikes), np.stack(membranes)


def _dyadic(seed=0):
    """Multiples of 1/4: sums with alpha = 1/2 are exact, and often hit the threshold itself."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-3, 6, (100, 4, 8), generator=generator) / 4


def _random(dtype):
    return 0.6 * torch.randn(60, 5, 30, generator=torch.Generator().manual_seed(1)).to(dtype)


@pytest.mark.parametrize(("reset", "alpha"), [("zero", 0.5), ("subtract", 0.0)])
@pytest.mark.parametrize("run", ["scan", "step"])
def test_ties_fire_as_in_a_numpy_loop(run, reset, alpha):
    currents, neuron = _dyadic(), SigmoidLeaky(alpha, reset=reset)
    expected_spikes, expected_membranes = numpy_neuron(currents.numpy(), 1 - alpha, 1.0, reset)
    assert (expected_membranes == 1.0).sum() > 50  # the test is about V == threshold
    if run == "scan":
        spikes, membranes = neuron.scan(currents)
    else:
        membrane, steps = None, []
        for current in currents:
            fired, membrane = neuron(current, membrane)
            steps.append((fired, membrane))
        spikes, membranes = (torch.stack(x) for x in zip(*steps, strict=True))
    np.testing.assert_array_equal(spikes.numpy(), expected_spikes)
    np.testing.assert_array_equal(membranes.numpy(), expected_membranes)


@pytest.mark.parametrize(("dtype", "decay"), [(torch.float64, 0.9), (torch.float32, np.float32(0.9))])
@pytest.mark.parametrize("threshold", [1.0, 0.5])
def test_alpha_is_exact_in_every_dtype(dtype, decay, threshold):
    currents = _random(dtype)
    spikes, membranes = SigmoidLeaky(alpha=0.1, threshold=threshold).to(dtype).scan(currents)
    expected_spikes, expected_membranes = numpy_neuron(currents.numpy(), decay, threshold)
    np.testing.assert_array_equal(spikes.numpy(), expected_spikes)
    np.testing.assert_array_equal(membranes.numpy(), expected_membranes)
    assert spikes.dtype == membranes.dtype == dtype


def test_alpha_survives_a_round_trip_through_float32():
    assert SigmoidLeaky(alpha=0.1).float().half().double().beta.item() == 0.9
    assert snn.Leaky(beta=0.9).double().beta.item() != 0.9  # why it is worth a test
    several = torch.tensor([0.1, 0.3, 0.7], dtype=torch.float64)
    neuron = SigmoidLeaky(alpha=several, threshold=several).float().half().double()
    assert torch.equal(neuron.beta, 1 - several)
    assert torch.equal(neuron.threshold, several)


def test_constants_are_the_same_after_a_time_on_a_device_without_values():
    several = torch.tensor([0.1, 0.3, 0.7], dtype=torch.float64)
    neuron = SigmoidLeaky(alpha=0.1, threshold=several).to("meta").to_empty(device="cpu")
    assert neuron.beta.item() == 0.9
    assert torch.equal(neuron.threshold, several)


def test_a_reset_that_is_assigned_or_loaded_is_checked():
    neuron = SigmoidLeaky()
    with pytest.raises(InputError, match=r"Expected a reset of \['zero', 'subtract'\], got 'none'"):
        neuron.reset_mechanism = "none"
    neuron.reset_mechanism = "subtract"
    assert neuron.scan(torch.full((2, 1, 1), 1.25))[1][1].item() == pytest.approx(0.9 * 1.25 + 1.25 - 1)
    subtracting, zero = SigmoidLeaky(reset="subtract"), SigmoidLeaky()
    subtracting.load_state_dict(SigmoidLeaky(reset="subtract").state_dict())
    with pytest.raises(InputError, match=r"neurons with reset='zero', got 'subtract' in it$"):
        zero.load_state_dict(subtracting.state_dict())
    with pytest.raises(InputError, match=r"neurons with reset='zero', got 'subtract' in 0\.$"):
        nn.Sequential(zero).load_state_dict(nn.Sequential(subtracting).state_dict())


def test_a_factor_of_zero_takes_every_spike_away():
    spikes, membranes = SigmoidLeaky(graded_spikes_factor=0.0).scan(torch.full((3, 1, 1), 1.5))
    assert (membranes > 1).all()
    assert not spikes.any()


def test_equals_stock_leaky_with_our_surrogate():
    currents = _dyadic(2)
    stock = snn.Leaky(beta=0.5, reset_mechanism="zero", spike_grad=SigmoidCentered())
    membrane = torch.zeros(4, 8)
    spikes, membranes = SigmoidLeaky(alpha=0.5).scan(currents)
    for t, current in enumerate(currents):
        fired, membrane = stock(current, membrane)
        assert torch.equal(fired, spikes[t])
        assert torch.equal(membrane, membranes[t])


def test_gradient_of_the_scan_is_the_hand_derived_one():
    currents = _random(torch.float64).requires_grad_()
    spikes, membranes = lif_scan(currents, decay=0.9)
    generator = torch.Generator().manual_seed(5)
    g_spikes = torch.randn(spikes.shape, generator=generator, dtype=torch.float64)
    g_membranes = torch.randn(spikes.shape, generator=generator, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((spikes * g_spikes + membranes * g_membranes).sum(), currents)

    v, a = membranes.detach().numpy(), spikes.detach().numpy()
    s = 1 / (1 + np.exp(-(v - 1)))
    expected, carried = np.zeros_like(v), np.zeros_like(v[0])
    for t in reversed(range(len(v))):  # dL/dV[t] = direct + (1 - alpha)(1 - A[t]) dL/dV[t+1]; the reset is a constant
        carried = g_membranes[t].numpy() + g_spikes[t].numpy() * s[t] * (1 - s[t]) + 0.9 * (1 - a[t]) * carried
        expected[t] = carried
    np.testing.assert_allclose(gradient.numpy(), expected, rtol=1e-12, atol=1e-14)


def test_a_call_without_membrane_starts_from_rest():
    neuron, current = SigmoidLeaky(alpha=0.1), torch.tensor([[0.4]])
    assert [neuron(current)[1].item() for _ in range(3)] == pytest.approx([0.4] * 3)
    assert neuron(current, neuron.reset_mem())[1].item() == pytest.approx(0.4)
    with pytest.raises(TypeError, match="`mem` should not be passed as an argument while `init_hidden=True`"):
        SigmoidLeaky(init_hidden=True)(current, torch.zeros(1, 1))


def test_scan_continues_from_a_given_membrane():
    currents, neuron = _random(torch.float32), SigmoidLeaky(alpha=0.2)
    spikes, membranes = neuron.scan(currents)
    later_spikes, later_membranes = neuron.scan(currents[20:], membranes[19])
    assert torch.equal(later_spikes, spikes[20:])
    assert torch.equal(later_membranes, membranes[20:])


@pytest.mark.parametrize("settings", [{}, {"learn_beta": True, "learn_threshold": True, "alpha": torch.ones(3) / 2}])
def test_a_neuron_is_made_on_the_default_device(settings):
    with torch.device("meta"):
        neuron = SigmoidLeaky(**settings)
    assert neuron.mem.device.type == "meta"
    assert {x.device.type for x in neuron.parameters()} <= {"meta"}


def test_hidden_state_in_a_sequential():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(6, 5),
        SigmoidLeaky(init_hidden=True),
        nn.Sequential(nn.Linear(5, 3), SigmoidLeaky(init_hidden=True, output=True)),
    )
    x = 3 * torch.rand(10, 4, 6)
    explicit1, _ = net[1].__class__().scan(net[0](x))
    explicit2, membrane2 = SigmoidLeaky().scan(net[2][0](explicit1))
    for _ in range(2):  # the second run starts from rest again
        outputs = [net(step) for step in x]
        assert torch.equal(torch.stack([spk for spk, _ in outputs]), explicit2)
        assert torch.equal(torch.stack([mem for _, mem in outputs]), membrane2)
        reset_states(net)
    other = SigmoidLeaky(init_hidden=True)
    other(torch.full((1, 1), 0.5))
    reset_states(net)
    assert other.mem.item() == 0.5  # another network keeps its state


def test_only_hidden_neurons_stay_in_the_registry():
    before = len(snn.SpikingNeuron.instances)
    neuron = SigmoidLeaky()
    gone = weakref.ref(neuron)
    hidden = SigmoidLeaky(init_hidden=True)
    assert snn.SpikingNeuron.instances[before:] == [hidden]
    del neuron
    gc.collect()
    assert gone() is None
    snn.SpikingNeuron.instances.remove(hidden)


def test_a_rejected_neuron_leaves_nothing_in_the_registry():
    before = list(snn.SpikingNeuron.instances)
    for bad in (
        {"alpha": 1.5},
        {"threshold": 0},
        {"slope": 0},
        {"beta": 0.9},
        {"reset_mechanism": "none"},
        {"reset": "none"},
        {"leek": 1},
    ):
        with pytest.raises(InputError):
            SigmoidLeaky(**bad)
    assert snn.SpikingNeuron.instances == before


def test_a_slope_that_another_surrogate_lacks_is_named():
    neuron = SigmoidLeaky(slope=3)
    assert neuron.slope == 3
    neuron.spike_grad = nn.Hardtanh()
    with pytest.raises(InputError, match="surrogate with a slope, SigmoidCentered, got Hardtanh"):
        _ = neuron.slope
    neuron.spike_grad = torch.sigmoid
    with pytest.raises(InputError, match="surrogate with a slope, SigmoidCentered, got"):
        _ = neuron.slope


def test_deepcopy_and_pickle_after_a_step_with_gradient():
    neuron = SigmoidLeaky(alpha=0.3, learn_beta=True)
    current = torch.ones(2, 2, requires_grad=True)
    neuron(neuron(current)[0])
    for copied in (copy.deepcopy(neuron), pickle.loads(pickle.dumps(neuron))):
        assert torch.equal(copied.scan(current[None])[1], neuron.scan(current[None])[1])


def test_learned_leak_and_threshold_get_gradients():
    neuron = SigmoidLeaky(alpha=0.3, threshold=1, learn_beta=True, learn_threshold=True)
    spikes, membranes = neuron.scan(_random(torch.float32))
    (spikes.sum() + membranes.sum()).backward()
    assert neuron.beta.grad.abs() > 0
    assert neuron.threshold.grad.abs() > 0
    assert neuron.beta.dtype == torch.float32


@pytest.mark.parametrize(("beta", "decay"), [(1.5, 1.0), (-0.5, 0.0), (0.75, 0.75)])
def test_a_learned_leak_that_training_has_moved_out_of_range_counts_as_its_end(beta, decay):
    neuron = SigmoidLeaky(alpha=0.5, learn_beta=True)
    assert neuron.decay.item() == 0.5
    with torch.no_grad():
        neuron.beta.fill_(beta)
    assert neuron.decay.item() == decay
    currents = _dyadic()
    spikes, membranes = numpy_neuron(currents.numpy(), decay, 1.0)
    scanned, (fired, left) = neuron.scan(currents), neuron(currents[1], neuron(currents[0])[1])
    for found, wanted in ((scanned[0], spikes), (scanned[1], membranes), (fired, spikes[1]), (left, membranes[1])):
        np.testing.assert_array_equal(found.detach().numpy(), wanted)


def test_step_compiles_in_one_graph():
    neuron = SigmoidLeaky(alpha=0.1)
    compiled = torch.compile(lambda z, v: neuron(z, v), backend="aot_eager", fullgraph=True)
    current, membrane = _random(torch.float32)[0], torch.full((5, 30), 0.9)
    for ours, theirs in zip(compiled(current, membrane), neuron(current, membrane), strict=True):
        assert torch.equal(ours, theirs)


def test_wrong_shapes_are_named():
    with pytest.raises(InputError, match=r"`mem` of shape \[2, 3\], got \[1, 3\]"):
        SigmoidLeaky()(torch.zeros(2, 3), torch.zeros(1, 3))
    with pytest.raises(InputError, match=r"membrane of shape \[2, 3\], got \[1, 3\]"):
        SigmoidLeaky().scan(torch.zeros(4, 2, 3), torch.zeros(1, 3))
    with pytest.raises(InputError, match="T >= 1"):
        SigmoidLeaky().scan(torch.zeros(0, 2, 3))
    with pytest.raises(InputError, match="plain neuron"):
        SigmoidLeaky(init_hidden=True, state_quant=torch.round).scan(torch.zeros(1, 2, 3))


def test_a_device_without_float64_is_never_handed_one():
    def to_such_a_device(tensor):  # as `.to("mps")` does
        assert tensor.dtype != torch.float64
        return tensor.clone()

    neuron = SigmoidLeaky(alpha=0.1)
    neuron._apply(to_such_a_device)
    assert neuron.beta.item() == 0.9


EACH = torch.tensor([0.25, 0.5, 0.75])
PLAIN = [
    {},
    {"alpha": 0.25, "threshold": 0.75},
    {"alpha": EACH, "threshold": EACH + 0.5},
    {"reset": "subtract", "alpha": 0.25},
    {"graded_spikes_factor": 2.5},
    {"graded_spikes_factor": EACH},
]


def _small(seed=0):
    return torch.rand(8, 4, 3, generator=torch.Generator().manual_seed(seed)) + 0.1


@pytest.mark.parametrize("settings", PLAIN)
def test_spikes_alone_are_those_of_a_scan(monkeypatch, settings):
    neuron, currents = SigmoidLeaky(**settings), _small()
    spikes = neuron.scan(currents)[0]
    monkeypatch.setattr("snn_synth.neurons.lif_scan", None)
    monkeypatch.setattr("snn_synth.functional.lif_scan", None)
    assert 0 < (spikes > 0).float().mean() < 0.9
    with torch.no_grad():
        assert torch.equal(neuron.spikes_alone(currents), spikes)


def _hooked(neuron):
    neuron.register_forward_hook(lambda *_: None)
    return neuron


def _watched(neuron):
    neuron.spike_grad.register_forward_hook(lambda *_: None)
    return neuron


def _other_surrogate(neuron):
    neuron.spike_grad = torch.nn.Hardtanh()
    return neuron


class OwnScan(SigmoidLeaky):
    def scan(self, currents, mem=None):
        return super().scan(2 * currents, mem)


class OwnStep(SigmoidLeaky):
    def forward(self, input_, mem=None):
        return super().forward(2 * input_, mem)


NOT_PLAIN = {
    "hook": lambda: _hooked(SigmoidLeaky()),
    "hook of the surrogate": lambda: _watched(SigmoidLeaky()),
    "surrogate": lambda: _other_surrogate(SigmoidLeaky()),
    "scan": OwnScan,
    "step": OwnStep,
    "inhibition": lambda: SigmoidLeaky(inhibition=True),
    "state_quant": lambda: SigmoidLeaky(state_quant=torch.round),
    "surrogate_disable": lambda: SigmoidLeaky(surrogate_disable=True),
    "reset_delay": lambda: SigmoidLeaky(reset_delay=False),
}


@pytest.mark.parametrize("make", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_what_changes_a_step_leaves_no_kernel_to_skip_it(monkeypatch, make):
    neuron, currents = make(), _small()
    monkeypatch.setattr("snn_synth.neurons.lif_spikes", None)
    monkeypatch.setattr("snn_synth.neurons.lif_scan_loss", None)
    monkeypatch.setattr("snn_synth.neurons.neuron_spikes", None)
    assert SigmoidLeaky().plain
    assert not neuron.plain
    with torch.no_grad():
        assert neuron.spikes_alone(currents) is None
        assert neuron.spikes_through(currents, torch.eye(3)) is None
    if not neuron.inhibition and neuron.reset_delay:
        targets = (_small(1) < 0.5).float()
        assert neuron.scan_loss(currents, targets) == membrane_loss(neuron.scan(currents)[1], targets)


@pytest.mark.parametrize("make", [SigmoidLeaky, NOT_PLAIN["hook"], NOT_PLAIN["inhibition"]])
def test_a_scan_takes_a_step_at_least_and_leaves_no_state(make):
    neuron, currents = make(), _small().requires_grad_()
    with pytest.raises(InputError, match=r"\[T, B, ...\] with T >= 1, got \[0, 4, 3\]"):
        neuron.scan(currents[:0])
    neuron.scan(currents)
    assert neuron.mem.numel() == 0  # nor its graph


def test_what_is_left_of_a_state_when_it_is_forgotten():
    """A hidden one keeps its shape; one that was noted for a hook leaves the next batch free to have another."""
    for neuron, shape in ((SigmoidLeaky(init_hidden=True), (4, 3)), (_hooked(SigmoidLeaky()), (0,))):
        neuron(_small()[0])
        assert neuron.mem.shape == (4, 3)
        assert neuron.mem.any()
        assert torch.equal(neuron.reset_mem(), torch.zeros(shape))
        assert torch.equal(neuron.mem, torch.zeros(shape))


def test_spikes_without_membranes_have_no_gradient_and_one_dtype():
    neuron, currents = SigmoidLeaky(), _small()
    assert neuron.spikes_alone(currents) is None
    assert neuron.spikes_through(currents, torch.eye(3)) is None
    with torch.no_grad():
        assert neuron.spikes_alone(currents.double()) is None
        assert neuron.spikes_through(currents.double(), torch.eye(3).double()) is None


def test_which_neurons_are_given_to_a_kernel_with_their_products(monkeypatch):
    monkeypatch.setattr("snn_synth.neurons.neuron_spikes", lambda *given: given)
    spikes, weight = (_small() < 0.4).float(), torch.rand(3, 3)
    with torch.no_grad():
        given = SigmoidLeaky(0.25, 0.75).spikes_through(spikes, weight)
        assert given[0] is spikes
        assert given[1] is weight
        assert given[2:] == (0.75, 0.75)
        for settings in (
            {"alpha": EACH},
            {"threshold": EACH},
            {"graded_spikes_factor": EACH},
            {"graded_spikes_factor": 2.0},
            {"reset": "subtract"},
        ):
            assert SigmoidLeaky(**settings).spikes_through(spikes, weight) is None, settings


@pytest.mark.parametrize("settings", [*PLAIN, {"learn_beta": True, "learn_threshold": True}])
def test_the_loss_of_a_scan_is_that_of_its_membranes(settings):
    neuron, currents, targets = SigmoidLeaky(**settings), _small(), (_small(1) < 0.5).float()
    membranes = neuron.scan(currents)[1]
    whole, masked = (membrane_loss(membranes, targets, neuron.threshold, mask) for mask in (False, True))
    assert masked < whole
    for run in (lambda *mask: neuron.scan_loss(currents, targets, *mask), lambda *m: _of_membranes(neuron, *m)):
        torch.testing.assert_close(run(), masked)
        torch.testing.assert_close(run(True), masked)
        torch.testing.assert_close(run(False), whole)


def _of_membranes(neuron, *mask):
    return neuron.membrane_loss(neuron.scan(_small())[1], (_small(1) < 0.5).float(), *mask)


@pytest.mark.parametrize("settings", [{"inhibition": True}, {"reset_delay": False}])
def test_membranes_that_do_not_tell_what_fires_have_no_loss(settings):
    neuron, currents = SigmoidLeaky(**settings), _small()
    for run in (neuron.scan_loss, neuron.membrane_loss):
        with pytest.raises(InputError, match="without inhibition and with reset_delay=True"):
            run(currents, torch.ones(8, 4, 3))
