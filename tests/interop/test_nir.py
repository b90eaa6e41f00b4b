"""The graphs that we write: NIR's own equation gives our spikes, and reading them gives our network."""

import copy

import nir
import numpy as np
import pytest
import torch
from torch import nn

from snn_synth.errors import InputError
from snn_synth.interop.nir import from_nir, to_nir
from snn_synth.models import ACSNN, AESNN, AudioToImage, ConvACSNN, ConvAESNN, SpikingGAN, SpikingStack
from snn_synth.neurons import SigmoidLeaky, reset_states
from snn_synth.synapses import SpikeLinear
from tests.interop import nir_equation

DIALECTS = ["nir", "norse", "sinabs", "spikingjelly"]


def spikes_of(seed, *shape, rate=0.4):
    return (torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < rate).float()


def lively(network, seed=0):
    """Weights that let neurons fire now and then; numbers of each neuron that differ, if they are learned."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, x in network.named_parameters():
            if name.endswith("weight") and x.dim() > 1:
                inputs = x[0].numel()
                x.copy_((torch.randn(x.shape, generator=generator) * 1.5 + 0.3) / inputs**0.5)
            elif name.endswith("bias"):
                x.copy_(torch.rand(x.shape, generator=generator) * 0.1)
            elif name.endswith(("beta", "threshold")):
                x.mul_(0.7 + 0.3 * torch.rand(x.shape, generator=generator))
    return network.eval()


MODELS = {
    "stack": lambda: SpikingStack([20, 30, 12, 8], alpha=0.3, threshold=0.7),
    "ae": lambda: AESNN(20, 10, slope=2.0),
    "ac": lambda: ACSNN(20, 15, 9, alpha=0.05, bias=True),
    "no leak": lambda: SpikingStack([20, 30, 12], alpha=0.0),
    "no memory": lambda: SpikingStack([20, 30, 12], alpha=1.0),
    "an odd leak": lambda: SpikingStack([20, 30, 12], alpha=0.123),
    "learned": lambda: AESNN(20, 10, learned=True),
    "norm": lambda: ACSNN(20, 15, 9, norm=True),
    "conv": lambda: ConvACSNN(9, 14, widths=[3, 4], code=6),
    "conv learned": lambda: ConvACSNN(9, 14, widths=[3, 4], code=6, learned=True),
    "a2i": lambda: AudioToImage(ConvACSNN(9, 14, widths=[3, 4], code=6), AESNN(12, 6), image_shape=(1, 3, 4)),
    "conv ae": lambda: ConvAESNN((9, 14), widths=[3, 4]),
    "conv ae learned": lambda: ConvAESNN((9, 14), widths=[3, 4], learned=True),
    "deep ae": lambda: AESNN(20, [16, 10], slope=2.0),
    "deep a2i": lambda: AudioToImage(ACSNN(126, 15, 6), AESNN(12, [9, 6]), image_shape=(1, 3, 4)),
}
UNREAD = {("learned", "spikingjelly"), ("conv learned", "spikingjelly"), ("no memory", "spikingjelly")}
UNREAD |= {(name, "sinabs") for name in ("conv", "conv learned", "conv ae", "conv ae learned", "a2i")}
UNREAD |= {("conv ae learned", "spikingjelly")}


def our_spikes(network, spikes):
    with torch.no_grad():
        if isinstance(network, AudioToImage):
            return network.autoencoder.decode(network.audiocoder(spikes).spikes)
        return network(spikes).spikes


def step_by_step(network, spikes):
    reset_states(network)
    with torch.no_grad():
        return torch.stack([network(step) for step in spikes])


@pytest.fixture(params=MODELS)
def model(request):
    torch.manual_seed(0)
    network = lively(MODELS[request.param]())
    shape = (9 * 14,) if hasattr(network, "audiocoder") or isinstance(network, ConvACSNN | ConvAESNN) else (20,)
    return request.param, network, spikes_of(1, 20, 10, *shape)


def shaped(graph, spikes):
    return spikes.reshape(*spikes.shape[:2], *graph.nodes["input"].input_type["input"])


def test_nirs_own_equation_gives_our_spikes(model):
    _, network, spikes = model
    expected = our_spikes(network, spikes)
    graph = to_nir(network, dt=2e-3)
    found, _ = nir_equation.run(graph, shaped(graph, spikes), dt=2e-3)
    np.testing.assert_array_equal(found, expected.numpy())
    assert 0.02 < expected.mean() < 0.98, "the test needs a network that fires"


@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.3, 0.5, 1.0])
def test_a_potential_that_just_meets_the_threshold_fires_there_too(alpha):
    generator = torch.Generator().manual_seed(3)
    network = SpikingStack([16, 40, 20], alpha=alpha)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(torch.randint(-3, 6, weight.shape, generator=generator) / 8)
    spikes = spikes_of(2, 1 if alpha in (0.1, 0.3) else 20, 50, 16)  # after a decay that is rounded nothing is equal
    graph = to_nir(network)
    found, close = nir_equation.run(graph, spikes, dt=1e-4)
    np.testing.assert_array_equal(found, our_spikes(network, spikes).numpy())
    assert close > 30


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_file_gives_the_model_back_bit_for_bit(model, dialect, tmp_path):
    name, network, spikes = model
    if (name, dialect) in UNREAD:
        with pytest.raises(InputError, match="Expected"):
            to_nir(network, dialect)
        return
    expected = our_spikes(network, spikes)
    nir.write(tmp_path / "network.nir", to_nir(network, dialect))
    again = from_nir(tmp_path / "network.nir")
    if isinstance(network, AudioToImage):
        graph = nir.read(tmp_path / "network.nir")
        assert torch.equal(step_by_step(again, shaped(graph, spikes)), expected)
        return
    folded = network.folded() if isinstance(network, ACSNN | ConvACSNN) else network
    assert type(again) is type(network)
    assert not again.training
    assert again.state_dict().keys() == folded.state_dict().keys()
    assert all(torch.equal(x, again.state_dict()[key]) for key, x in folded.state_dict().items())
    assert again.describe() == folded.describe()
    assert torch.equal(our_spikes(again, spikes), our_spikes(folded, spikes))


def test_a_transposed_convolution_is_the_matrix_of_its_synapses():
    """By the docstring's sum: from place (k, m) to place (i, j) it is the kernel at (i - 2k + 2, j - 2m + 2)."""
    graph = to_nir(network := lively(ConvAESNN((9, 14), widths=[3, 4])))
    kernel = network.layers[2][0].weight.detach().numpy()  # [4, 3, 5, 5], from 3 x 4 places to 5 x 7
    expected = np.zeros((5, 7, 3, 4, 3, 4), np.float32)
    for i, j, u, c, k, m in np.ndindex(expected.shape):
        at = i - 2 * k + 2, j - 2 * m + 2
        if all(0 <= x < 5 for x in at):
            expected[i, j, u, c, k, m] = kernel[c, u, *at]
    np.testing.assert_array_equal(graph.nodes["linear"].weight, expected.reshape(105, 48))


def test_a_matrix_that_no_longer_is_a_kernels_is_read_as_a_matrix_without_the_metadata():
    graph = to_nir(lively(ConvAESNN((9, 14), widths=[3, 4])))
    weight = graph.nodes["linear_1"].weight
    weight[np.abs(weight) < 0.1] = 0
    with pytest.raises(InputError, match="without the graph's metadata it is read as a matrix"):
        from_nir(graph)
    graph.metadata = {}
    assert torch.equal(from_nir(graph)[7].weight, torch.as_tensor(weight))


def test_a_transposed_convolution_that_is_too_large_as_a_matrix_is_refused():
    with pytest.raises(InputError, match="at most 16,777,216 synapses"):
        to_nir(ConvAESNN((96, 96), widths=[16]))


@pytest.mark.parametrize("alpha", [0.1, 0.3, 0.05, 0.123, 1.0, 0.0])
@pytest.mark.parametrize("dialect", ["nir", "norse"])
def test_without_our_metadata_weights_leak_and_spikes_are_the_same(alpha, dialect):
    network = lively(SpikingStack([20, 30, 12], alpha=alpha, threshold=0.7))
    graph = to_nir(network, dialect)
    for node in (graph, *graph.nodes.values()):
        node.metadata = {}
    again = from_nir(graph)
    assert isinstance(again, nn.Sequential)
    for layer, (operator, neuron) in enumerate(network.layers):
        assert torch.equal(again[2 * layer].weight, operator.weight)
        assert torch.equal(again[2 * layer + 1].beta, neuron.beta)
        assert again[2 * layer + 1].threshold.item() == pytest.approx(0.7, rel=2e-7)
    spikes = spikes_of(4, 20, 10, 20)
    assert torch.equal(step_by_step(again, spikes), our_spikes(network, spikes))


def sequential():
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(2, 4, (3, 5), stride=(1, 2), padding=(1, 2)),
        SigmoidLeaky(0.2, init_hidden=True),
        nn.AvgPool2d(2),
        nn.Sequential(nn.Conv2d(4, 4, 3, dilation=2, padding=2, bias=False), SigmoidLeaky(init_hidden=True)),
        nn.AvgPool2d(2, divisor_override=1),
        nn.Flatten(),
        nn.Linear(4 * 2 * 2, 12),
        SigmoidLeaky(torch.linspace(0.1, 0.5, 12), init_hidden=True),
        SpikeLinear(12, 5),
        SigmoidLeaky(0.0, 0.5, init_hidden=True),
    )
    return lively(network)


def test_a_sequential_goes_and_comes_back(tmp_path):
    network, spikes = sequential(), spikes_of(5, 15, 8, 2, 8, 16)
    graph = to_nir(network, input_shape=(2, 8, 16))
    expected = step_by_step(network, spikes)
    found, _ = nir_equation.run(graph, spikes, dt=1e-4)
    np.testing.assert_array_equal(found, expected.numpy())
    assert expected.any()
    nir.write(tmp_path / "network.nir", graph)
    again = from_nir(tmp_path / "network.nir")
    assert [x.shape for x in again.parameters()] == [x.shape for x in network.parameters()]
    assert all(torch.equal(x, y) for x, y in zip(again.parameters(), network.parameters(), strict=True))
    assert torch.equal(step_by_step(again, spikes), expected)


def test_a_kernel_is_written_square_and_the_packages_own_shapes_are_right():
    graph = to_nir(lively(ConvACSNN(9, 14, widths=[3, 4], code=6)))
    assert graph.nodes["conv2d"].weight.shape == (3, 1, 7, 7)
    assert graph.check_types()


def test_what_another_tool_has_changed_counts_not_the_metadata():
    network = lively(AESNN(6, 4))
    graph = to_nir(network)
    graph.nodes["lif"].tau = graph.nodes["lif"].tau * 2
    again = from_nir(graph)
    assert isinstance(again, nn.Sequential)
    assert again[1].beta.item() == pytest.approx(0.95)
    graph.nodes["lif"].tau, graph.nodes["linear"].weight = graph.nodes["lif"].tau / 2, np.ones((4, 6), np.float32)
    assert torch.equal(from_nir(graph).layers[0][0].weight, torch.ones(4, 6))


def refused_neuron(**options):
    return lambda: nn.Sequential(nn.Linear(4, 3), SigmoidLeaky(**options))


def other_surrogate():
    network = nn.Sequential(nn.Linear(4, 3), SigmoidLeaky())
    network[1].spike_grad = nn.ReLU()
    return network


def with_weights(value, dtype=torch.float32):
    network = SpikingStack([4, 3]).to(dtype)
    nn.init.constant_(network.layers[0][0].weight, value)
    return network


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (refused_neuron(reset="subtract"), 'reset="subtract"'),
        (refused_neuron(reset_delay=False), "reset_delay=False"),
        (refused_neuron(inhibition=True), "inhibition=True"),
        (refused_neuron(state_quant=lambda x: x), "state_quant"),
        (refused_neuron(graded_spikes_factor=2.0), "graded_spikes_factor=2.0"),
        (refused_neuron(alpha=torch.tensor([0.0, 0.1, 0.2])), "a leak of 0 for some"),
        (refused_neuron(alpha=torch.full((2,), 0.1)), r"each neuron of \[3\], got \[2\]"),
        (other_surrogate, r"another surrogate: .* assign SigmoidCentered\(\)"),
        (lambda: AESNN(4, 3, reset="subtract", learned=True), 'reset="subtract"'),
        (lambda: nn.Sequential(nn.Linear(4, 4), nn.ConvTranspose2d(1, 1, 2)), "ConvTranspose2d"),
        (lambda: nn.Sequential(nn.Linear(4, 4), nn.ReLU()), "ReLU"),
        (lambda: nn.Sequential(nn.Linear(4, 4), nn.Linear(3, 4)), r"a Linear for \[4\]"),
        (lambda: nn.Sequential(nn.Conv2d(1, 1, 3), SigmoidLeaky()), "`input_shape`"),
        (lambda: nn.Sequential(), "`input_shape`"),
        (lambda: with_weights(float("nan")), "finite weights"),
        (lambda: with_weights(1.0, torch.float64), "float32"),
        (lambda: SpikingGAN(6, 4, 8), "a SpikingGAN"),
        (lambda: nn.Linear(4, 3), "a Linear"),
        (lambda: None, "a NoneType"),
    ],
)
def test_what_nir_has_no_node_for_is_named(network, said):
    with pytest.raises(InputError, match=f"Expected .*{said}"):
        to_nir(network())


@pytest.mark.parametrize(
    ("layers", "shape", "dialect", "said"),
    [
        ([nn.Conv2d(1, 1, (2, 3))], (1, 8, 8), "nir", "an even number"),
        ([nn.Conv2d(1, 1, 3, padding="same")], (1, 8, 8), "nir", "by a number"),
        ([nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular")], (1, 8, 8), "nir", "circular"),
        ([nn.Conv2d(2, 2, 3, groups=2)], (2, 8, 8), "nir", "2 groups"),
        ([nn.Conv2d(1, 1, 9)], (1, 8, 8), "nir", "a Conv2d for"),
        ([nn.Flatten(2)], (1, 8, 8), "nir", "axes 2 to -1"),
        ([nn.AvgPool2d(2, ceil_mode=True)], (1, 8, 8), "nir", "other options"),
        ([nn.AvgPool2d(2)], (1, 8, 8), "norse", "AvgPool2d"),
        ([nn.AvgPool2d(2, divisor_override=1)], (1, 8, 8), "spikingjelly", "SumPool2d"),
    ],
)
def test_options_of_layers_that_nir_or_a_reader_lacks_are_named(layers, shape, dialect, said):
    with pytest.raises(InputError, match=said):
        to_nir(nn.Sequential(*layers), dialect, input_shape=shape)


@pytest.mark.parametrize("options", [{"dialect": "lava"}, {"dt": 0.0}, {"dt": float("nan")}, {"dt": -1e-3}])
def test_an_unknown_dialect_and_no_time_step_are_refused(options):
    with pytest.raises(InputError, match=r"Expected .* got"):
        to_nir(AESNN(4, 3), **options)


def test_the_exported_network_is_left_as_it_was():
    network = lively(ConvACSNN(9, 14, widths=[3], code=6)).train()
    before = copy.deepcopy(network.state_dict())
    to_nir(network)
    assert network.training
    assert all(torch.equal(x, before[name]) for name, x in network.state_dict().items())
