"""Autoencoders of convolutions and of several layers: against NumPy, one time step and one place after the other."""

import numpy as np
import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.learning import bptt_loss, online_step
from snn_synth.models import AESNN, AudioToImage, ConvACSNN, ConvAESNN, SpikingAutoencoder
from snn_synth.synapses import SpikeConv2d, SpikeConvTranspose2d
from tests.models.test_audiocoder import numpy_conv, spikes
from tests.test_neurons import numpy_neuron

MAKE = {
    "convolutional": lambda **settings: ConvAESNN((5, 12), [4, 3], slope=2.0, **settings),
    "deep": lambda **settings: AESNN(60, [30, 20, 9], slope=2.0, **settings),
}


def numpy_back(x, up):
    """``[T, B, rows * columns * maps]``: each place adds its weights around where it lands, by definition."""
    weight = up.weight.detach().numpy()
    maps = x.reshape(*x.shape[:2], *up.size, -1)
    out = np.zeros((*x.shape[:2], *up.out_size, weight.shape[1]))
    for i, j in np.ndindex(*up.size):
        for k, m in np.ndindex(*up.kernel_size):
            row, column = i * up.stride[0] + k - up.padding[0], j * up.stride[1] + m - up.padding[1]
            if 0 <= row < up.out_size[0] and 0 <= column < up.out_size[1]:
                out[:, :, row, column] += maps[:, :, i, j] @ weight[:, :, k, m]
    return out.reshape(*x.shape[:2], -1)


def numpy_layers(network, x):
    for operator, neuron in network.layers:
        if isinstance(operator, SpikeConvTranspose2d):
            currents = numpy_back(x, operator)
        elif isinstance(operator, SpikeConv2d):
            currents = numpy_conv(x, operator)
        else:
            currents = x @ operator.weight.detach().numpy().T
        decay, threshold = (number.detach().numpy() for number in (neuron.decay, neuron.threshold))
        x, membrane = numpy_neuron(currents, decay, threshold, neuron.reset_mechanism)
        yield x, membrane


def trained(kind, **settings):
    torch.manual_seed(0)
    network = MAKE[kind](**settings).double()
    with torch.no_grad():
        for operator, _ in network.layers:
            operator.weight.mul_(3 if kind == "convolutional" else 6)  # so that deep layers fire
    optimizer = torch.optim.Adam(network.parameters(), lr=0.005)
    for seed in range(5):
        optimizer.zero_grad()
        bptt_loss(network, spikes(seed=seed), spikes(seed=seed)).backward()
        optimizer.step()
    return network


@pytest.mark.parametrize("settings", [{}, {"reset": "subtract", "learned": True}, {"alpha": 0.3, "threshold": 0.7}])
@pytest.mark.parametrize("kind", MAKE)
def test_a_network_equals_its_layers_in_numpy(kind, settings, tmp_path):
    network, x = trained(kind, **settings), spikes(steps=20, seed=9)
    expected = list(numpy_layers(network, x.numpy()))
    assert all(0.02 < fired.mean() < 0.9 for fired, _ in expected)
    network.save_pretrained(tmp_path / "saved")
    for net in (network, SpikingAutoencoder.from_pretrained(tmp_path / "saved").double()):
        out = net(x)
        for ours, (theirs, _) in zip(out.layer_spikes, expected, strict=True):
            np.testing.assert_array_equal(ours.detach().numpy(), theirs)
        np.testing.assert_allclose(out.membrane.detach().numpy(), expected[-1][1], rtol=1e-4, atol=1e-5)
        code = expected[net.depth - 1][0]
        assert code.shape[-1] == net.code
        np.testing.assert_array_equal(net.code_of(out).detach(), code)
        np.testing.assert_array_equal(net.encode(x).detach(), code)
        np.testing.assert_array_equal(net.decode(net.encode(x)).detach(), expected[-1][0])
    assert network.neurons == sum(fired.shape[-1] for fired, _ in expected)


@pytest.mark.parametrize("kind", MAKE)
def test_the_online_rule_learns_every_layer(kind):
    """Its loss on one batch falls to less than half."""
    network, x = trained(kind).float(), spikes().float()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    before = [weight.clone() for weight in network.parameters()]
    losses = [online_step(network, x, x, optimizer).item() for _ in range(60)]
    assert losses[-1] < 0.5 * losses[0]
    assert all(not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


@pytest.mark.parametrize(("size", "stride", "out"), [((4, 3), (2, 4), (7, 9)), ((4, 3), (2, 4), (8, 12))])
def test_the_fan_out_of_a_transposed_convolution_is_the_number_of_neurons_that_a_spike_reaches(size, stride, out):
    up = SpikeConvTranspose2d(size, 2, 3, kernel_size=(3, 5), stride=stride, out_size=out)
    torch.nn.init.ones_(up.weight)
    reached = up(torch.eye(size[0] * size[1] * 2)).count_nonzero(1)
    assert torch.equal(up.fan_out, reached.float())
    assert 0 < reached.min() < reached.max()


def test_wrong_sizes_are_one_sentence():
    with pytest.raises(InputError, match=r"`out_size` that a stride of \[2, 2\] leads to from \[4, 4\], got \[9, 8\]"):
        SpikeConvTranspose2d((4, 4), 2, 3, (3, 3), (2, 2), (9, 8))
    with pytest.raises(InputError, match=r"at least one of `widths`, all at least 1, got \[28, 28\] and \[\]"):
        ConvAESNN(widths=[])
    with pytest.raises(InputError, match=r"Expected spikes of shape \[T, B, 60\], got \[2, 1, 61\]"):
        MAKE["convolutional"]()(torch.zeros(2, 1, 61))


@pytest.mark.parametrize("kind", MAKE)
def test_any_autoencoder_draws_what_an_audiocoder_says(kind):
    autoencoder = trained(kind).float()
    model = AudioToImage(ConvACSNN(6, 10, [4, 5], autoencoder.code), autoencoder, (1, 5, 12))
    sounds = torch.rand(2, 6, 10, generator=torch.Generator().manual_seed(0))
    stages = model(sounds, 9, torch.Generator().manual_seed(0))
    assert stages.images.shape == (2, 1, 5, 12)
    assert torch.equal(stages.images.flatten(1), autoencoder.decode(stages.hidden).mean(0))
