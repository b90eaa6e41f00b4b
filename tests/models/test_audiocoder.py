"""Batch norm and convolutions: against NumPy, one time step, one sample and one place after the other."""

import numpy as np
import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.kernels import backend
from snn_synth.learning import bptt_loss, online_step
from snn_synth.models import ACSNN, Audiocoder, ConvACANN, ConvACSNN, SpikingStack
from snn_synth.synapses import SpikeConv2d
from tests.test_neurons import numpy_neuron

STACKS = {
    "fully connected": lambda **settings: ACSNN(60, 20, 9, slope=2.0, **settings),
    "convolutional": lambda **settings: ConvACSNN(6, 10, [4, 5], 9, **settings),
}


def spikes(steps=12, batch=3, inputs=60, seed=1):
    return (torch.rand(steps, batch, inputs, generator=torch.Generator().manual_seed(seed)) < 0.4).double()


def trained(make, **settings):
    """A network whose running means and weights are not those that it started with."""
    torch.manual_seed(0)
    network = make(**settings).double()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
    for seed in range(4):
        optimizer.zero_grad()
        bptt_loss(network, spikes(seed=seed), spikes(inputs=9, seed=seed)).backward()
        optimizer.step()
    return network


def numpy_conv(x, conv):
    """``[T, B, rows * columns * maps]``, by the definition of a convolution."""
    weight, (rows, columns) = conv.weight.detach().numpy(), conv.size
    maps = x.reshape(*x.shape[:2], rows, columns, -1)
    out = np.zeros((*x.shape[:2], *conv.out_size, len(weight)))
    for i, j in np.ndindex(*conv.out_size):
        for k, m in np.ndindex(*conv.kernel_size):
            row, column = i * conv.stride[0] + k - conv.padding[0], j * conv.stride[1] + m - conv.padding[1]
            if 0 <= row < rows and 0 <= column < columns:
                out[:, :, i, j] += maps[:, :, row, column] @ weight[:, :, k, m].T
    return out.reshape(*x.shape[:2], -1)


def numpy_network(network, x):
    """Spikes and membranes of all layers, each batch norm by its running means."""
    layers = []
    for operator, neuron in network.layers:
        operator, norm = getattr(operator, "operator", operator), getattr(operator, "norm", None)
        is_conv = isinstance(operator, torch.nn.Conv2d)
        currents = numpy_conv(x, operator) if is_conv else x @ operator.weight.detach().numpy().T
        rows = currents.reshape(-1, len(operator.weight))
        if norm is not None:
            mean, var, scale, shift = (
                v.detach().numpy() for v in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
            )
            rows = scale * (rows - mean) / np.sqrt(var + norm.eps) + shift
        if operator.bias is not None:
            rows = rows + operator.bias.detach().numpy()
        decay, threshold = (number.detach().numpy() for number in (neuron.decay, neuron.threshold))
        x, membranes = numpy_neuron(rows.reshape(currents.shape), decay, threshold, neuron.reset_mechanism)
        layers.append((x, membranes))
    return layers


@pytest.mark.parametrize("settings", [{"norm": True}, {"norm": False}, {"norm": False, "bias": True}])
@pytest.mark.parametrize("kind", STACKS)
def test_a_network_equals_its_layers_in_numpy_and_folded_it_fires_the_same(kind, settings):
    network = trained(STACKS[kind], **settings).eval()
    x = spikes(steps=20, seed=9)
    expected = numpy_network(network, x.numpy())
    assert all(0.02 < fired.mean() < 0.9 for fired, _ in expected)
    for net in (network, network.folded()):
        out = net(x)
        for ours, (theirs, _) in zip(out.layer_spikes, expected, strict=True):
            np.testing.assert_array_equal(ours.detach().numpy(), theirs)
        np.testing.assert_allclose(out.membrane.detach().numpy(), expected[-1][1], rtol=1e-9)


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("kind", STACKS)
def test_learned_neurons_move_are_saved_and_are_folded(kind, norm, reset, tmp_path):
    network = trained(STACKS[kind], reset=reset, learned=True, norm=norm).eval()
    for _, neuron in network.layers:
        assert neuron.decay.shape == neuron.threshold.shape == neuron.beta.shape
        for number, start in ((neuron.beta, 0.9), (neuron.threshold, 1.0)):
            assert (number - start).abs().max() > 0.01
            assert number.std() > 0.001
    x = spikes(steps=20, seed=9)
    expected = numpy_network(network, x.numpy())
    network.save_pretrained(tmp_path / "saved")
    for net in (network, network.folded(), Audiocoder.from_pretrained(tmp_path / "saved").double()):
        for ours, (theirs, _) in zip(net(x).layer_spikes, expected, strict=True):
            np.testing.assert_array_equal(ours.detach().numpy(), theirs)
    with torch.no_grad():
        assert torch.equal(network.float()(x.float()).spikes.double(), torch.as_tensor(expected[-1][0]))


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("wrong", [{"alpha": None}, {"alpha": 1.5}, {"threshold": "high"}, {"reset": "none"}])
def test_neurons_that_cannot_be_are_refused_in_one_sentence(wrong, learned):
    with pytest.raises(InputError, match=r"^Expected [^\n]*got [^\n]*$"):
        ACSNN(60, 20, 9, learned=learned, **wrong)


@pytest.mark.parametrize("kind", STACKS)
def test_folding_leaves_weights_and_a_bias_that_can_be_saved(kind, tmp_path):
    network = trained(STACKS[kind], norm=True).float().train()
    folded = network.folded()
    assert network.training
    assert folded.config == network.config | {"norm": False, "bias": True}
    assert not folded.training
    assert {name.rpartition(".")[2] for name, _ in folded.named_parameters()} == {"weight", "bias"}
    folded.save_pretrained(tmp_path / "folded", torch.float16)
    again = Audiocoder.from_pretrained(tmp_path / "folded")
    for ours, theirs in zip(again.parameters(), folded.parameters(), strict=True):
        assert torch.equal(ours, theirs.half().float())
    assert folded.folded() is not folded
    assert torch.equal(folded.folded()(spikes().float()).spikes, folded(spikes().float()).spikes)


@pytest.mark.parametrize("kind", STACKS)
def test_in_training_currents_are_normalized_over_time_samples_and_places(kind):
    torch.manual_seed(0)
    network = STACKS[kind](norm=True).double()
    operator = network.layers[0][0]
    maps = operator.norm.num_features
    currents = operator(spikes()).reshape(-1, maps).detach().numpy()
    np.testing.assert_allclose(currents.mean(0), np.full(maps, 0.15), atol=1e-9)
    np.testing.assert_allclose(currents.std(0), np.full(maps, 0.4), rtol=1e-3)  # eps counts a little


@pytest.mark.parametrize("kind", STACKS)
def test_an_audiocoder_says_its_sizes(kind):
    network = STACKS[kind]()
    assert isinstance(network, Audiocoder)
    assert (network.inputs, network.code) == (60, 9)
    out = network(spikes().float())
    assert network.neurons == sum(layer.shape[-1] for layer in out.layer_spikes)


def test_the_neurons_of_a_convolution_take_the_kernel_and_its_currents_are_flat():
    network = ConvACSNN(6, 10, [4, 5], 9)
    assert backend(network.layers[0][0](spikes().float())) == "numba"
    assert [operator.in_features for operator, _ in network.layers] == [60, 3 * 3 * 4, 2 * 2 * 5]
    assert sum(p.numel() for p in ConvACSNN().parameters()) == 470_620


@pytest.mark.parametrize("kind", STACKS)
@pytest.mark.parametrize("settings", [{"norm": True}, {"norm": False}])
def test_a_constant_input_gives_what_it_gives_step_by_step(kind, settings):
    values = torch.rand(3, 60, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = []
    for shown in (values.expand(12, -1, -1), values.repeat(12, 1, 1)):
        network = trained(STACKS[kind], **settings)
        out = network(shown)
        out.membrane.sum().backward()
        found.append([out.membrane.detach(), *(p.grad for p in network.parameters())])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_what_batch_norm_cannot_do_is_said_in_a_sentence():
    network = ConvACSNN(6, 10, [2], 9)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    x, y = spikes().float(), spikes(inputs=9).float()
    with pytest.raises(InputError, match=r"online rule, got batch norm.*norm=False"):
        online_step(network, x, y, optimizer)
    with pytest.raises(InputError, match=r"no `chunk` for a network with batch norm.*got 4"):
        bptt_loss(network, x, y, chunk=4)
    with pytest.raises(InputError, match=r"without bias.*SpikeConv2d with a bias"):
        online_step(ConvACSNN(6, 10, [2], 9, norm=False, bias=True), x, y, optimizer)
    with pytest.raises(InputError, match="`norm` or `bias`, got both"):
        SpikingStack([4, 3], norm=True, bias=True)
    with pytest.raises(InputError, match="more than one time step or sample"):
        SpikingStack([4, 3], norm=True)(torch.ones(1, 1, 4))
    with pytest.raises(InputError, match=r"at least 1, got 39, 100, 196 and \[\]"):
        ConvACSNN(widths=[])
    with pytest.raises(InputError, match=r"\[T, B, 60\], got \[12, 3, 61\]"):
        network(torch.zeros(12, 3, 61))


@pytest.mark.parametrize(("value", "found"), [(torch.nan, "nan"), (-1.0, "-1")])
def test_averages_that_cannot_be_are_named(value, found, tmp_path):
    network = ConvACSNN(6, 10, [2], 9)
    network.layers[1][0].norm.running_var[3] = value
    network.save_pretrained(tmp_path / "net")
    with pytest.raises(InputError, match=f"got {found} in `layers.1.0.norm.running_var`"):
        Audiocoder.from_pretrained(tmp_path / "net")


def test_the_conventional_counterpart_has_the_sizes_of_the_spiking_one():
    spiking, conventional = ConvACSNN(6, 10, [4, 5], 9), ConvACANN(6, 10, [4, 5], 9).eval()

    def shapes(network):
        return sorted(tuple(p.shape) for p in network.parameters() if p.dim() > 1)

    assert shapes(spiking) == shapes(conventional)
    x = torch.rand(3, 60, generator=torch.Generator().manual_seed(0))
    maps = x.reshape(3, 1, 6, 10)
    for conv, norm, _ in zip(*[iter(conventional.layers[1:-2])] * 3, strict=True):
        maps = torch.nn.functional.conv2d(maps, conv.weight, stride=conv.stride, padding=conv.padding)
        maps = (maps / (1 + norm.eps) ** 0.5).clamp_min(0)  # running means at their start
    last = conventional.layers[-1]
    torch.testing.assert_close(conventional(x), maps.flatten(1) @ last.weight.T + last.bias)
    with pytest.raises(InputError, match="at least one of `widths` to be at least 1, got 6, 10, 9 and"):
        ConvACANN(6, 10, [], 9)


def test_the_fan_out_of_a_convolution_is_the_number_of_weights_that_a_spike_passes():
    """Of each neuron alone: the places and maps of the layer above that its spike reaches."""
    convolution = SpikeConv2d((7, 9), 2, 3, kernel_size=(3, 5), stride=(2, 4))
    torch.nn.init.ones_(convolution.weight)
    reached = convolution(torch.eye(7 * 9 * 2)).count_nonzero(1)
    assert torch.equal(convolution.fan_out, reached.float())
    assert 0 < reached.min() < reached.max()
