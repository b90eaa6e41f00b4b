"""What a stack gives without gradients, where its layers may write no currents, beside what it gives with them."""

import copy
import pickle

import pytest
import torch
from torch import nn

from snn_synth.errors import InputError
from snn_synth.kernels import use
from snn_synth.models import SpikingStack
from snn_synth.neurons import SigmoidLeaky
from tests.kernels import emulated_amx

on_tiles = pytest.mark.usefixtures("amx")


@pytest.fixture
def amx(monkeypatch):
    emulated_amx.give_amx(monkeypatch)


@pytest.fixture
def net():
    torch.manual_seed(0)
    net = SpikingStack([100, 70, 90], alpha=0.5)
    with torch.no_grad():
        for weight in net.parameters():
            weight.copy_((64 * weight).round() / 16)  # sums of sixteenths are exact in any order
    return net


@pytest.fixture
def spikes():
    return (torch.rand(6, 37, 100, generator=torch.Generator().manual_seed(1)) < 0.3).float()


@on_tiles
@pytest.mark.parametrize("way", ["float32", "tiles"])
def test_the_same_with_and_without_gradients(net, spikes, way):
    with use("reference"):
        wanted = net(spikes)
    with torch.no_grad(), use("numba", way):
        found = net(spikes)
        for a, b in zip(found.layer_spikes, wanted.layer_spikes, strict=True):
            assert 0.01 < b.mean() < 0.9
            assert torch.equal(a, b)
        assert torch.equal(found.currents, wanted.currents)
        assert torch.equal(found.membrane, wanted.membrane)


@on_tiles
def test_late_currents_are_of_the_weights_of_then(net, spikes):
    with use("reference"):
        wanted = net(spikes)
    changes = (
        lambda weight: weight.mul_(2),
        lambda weight: weight.data.mul_(2),
        lambda weight: setattr(weight, "data", weight.data * 2),
    )
    for change in changes:
        changed = copy.deepcopy(net)
        with torch.no_grad(), use("numba", "tiles"):
            out = changed(spikes)
            change(changed.layers[1][0].weight)
        with use("numba", "float32"):
            assert torch.equal(out.membrane, wanted.membrane)
        assert torch.equal(out.spikes, wanted.spikes)


@on_tiles
def test_edited_hidden_spikes_are_refused(net, spikes):
    with torch.no_grad(), use("numba", "tiles"):
        out = net(spikes)
        out.hidden.zero_()
        with pytest.raises(InputError, match="Expected hidden spikes as they were"):
            _ = out.currents


@on_tiles
def test_copies_pickles_and_inference_mode(net, spikes):
    with use("reference"):
        wanted = net(spikes)
    with torch.inference_mode(), use("numba", "tiles"):
        inside = SpikingStack([100, 70, 90], alpha=0.5)
        inside.load_state_dict(net.state_dict())
        outputs = [inside(spikes), copy.deepcopy(net(spikes)), pickle.loads(pickle.dumps(net(spikes)))]
        for out in outputs:
            assert torch.equal(out.spikes, wanted.spikes)
            assert torch.equal(out.membrane, wanted.membrane)


@on_tiles
def test_an_input_that_is_filled_again_changes_nothing(spikes):
    torch.manual_seed(0)
    net, buffer = SpikingStack([100, 90], alpha=0.5), spikes.clone()
    with torch.no_grad(), use("numba", "tiles"):
        wanted = net(spikes).membrane
        out = net(buffer)
        buffer.zero_()
        assert torch.equal(out.membrane, wanted)


def test_a_factor_for_each_neuron_and_an_export_without_gradients():
    net = SpikingStack([4, 3])
    net.layers[0][1] = SigmoidLeaky(graded_spikes_factor=torch.tensor([1.0, 2.0, 1.0]))
    with torch.no_grad():
        assert net(torch.full((2, 1, 4), 9.0)).spikes.max() <= 2
        torch.export.export(SpikingStack([4, 3]), (torch.ones(2, 1, 4),))


@on_tiles
def test_what_waits_for_a_layer_is_called(net, spikes):
    seen = []
    for module in (net.layers[0][0], net.layers[1][1]):
        module.register_forward_hook(lambda *_: seen.append(1))
    with torch.no_grad(), use("numba", "tiles"):
        net(spikes).spikes  # noqa: B018
    assert len(seen) == 1 + 6  # the operator once, the neurons at each step


@on_tiles
def test_another_operator_or_a_bias_has_its_own_currents(spikes):
    torch.manual_seed(0)
    biased = SpikingStack([100, 70, 90], bias=True)
    nn.init.constant_(biased.layers[0][0].bias, 5.0)
    with torch.no_grad(), use("numba", "tiles"):
        assert biased(spikes).hidden.all()


@on_tiles
def test_values_that_are_no_spikes(net):
    x = torch.rand(6, 37, 100, generator=torch.Generator().manual_seed(1))
    with use("reference"):
        wanted = net(x).spikes
    with torch.no_grad(), use("numba", "tiles"):
        found = net(x).spikes
    assert (found != wanted).float().mean() < 1e-3  # rounding near the threshold alone
