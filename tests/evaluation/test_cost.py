import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from snn_synth.errors import InputError
from snn_synth.evaluation import (
    energy,
    fan_out,
    inference_layers,
    inference_spikes,
    layer_costs,
    spiking_cost,
    total_cost,
)
from snn_synth.models import ACSNN, AEANN, AESNN, AudioToImage, ConvACSNN, ConvAESNN, TemporalCodingAE


def test_spikes_with_a_time_axis_are_refused():
    with pytest.raises(InputError, match=r"summed over time, got \[5, 2, 3\]"):
        spiking_cost((torch.ones(5, 2, 3), 4))


@pytest.mark.parametrize(
    "operator",
    [
        nn.Conv2d(2, 3, 3, 2, 1),
        nn.ConvTranspose2d(2, 3, 3, 2, 1, output_padding=1, bias=False),
        nn.Sequential(nn.Flatten(), nn.Linear(50, 7)),
    ],
)
def test_the_fan_out_is_how_many_outputs_an_input_moves(operator):
    """Each input in turn: outputs that differ from those of no input at all."""
    shape = (2, 5, 5)
    found, nothing = fan_out(operator, shape), operator(torch.zeros(1, *shape))
    for place in range(50):
        one = torch.zeros(50)
        one[place] = 1
        moved = (operator(one.view(1, *shape)) != nothing).sum()
        assert found.flatten()[place] == moved


def test_a_spike_costs_as_many_operations_as_it_reaches_neurons():
    fired = torch.tensor([[2.0, 0.0, 1.0], [0.0, 4.0, 0.0]])
    reached = torch.tensor([10.0, 20.0, 30.0])
    found = spiking_cost((fired, reached), (torch.ones(2, 5), 0))
    assert found == {"spikes": (2 + 1 + 4) / 2 + 5, "operations": (20 + 30 + 80) / 2}


def costs_of(model, spikes):
    operators = [operator for operator, _ in inference_layers(model)]
    return layer_costs(inference_spikes(model, spikes), [operator.fan_out for operator in operators])


def random_spikes(steps, samples, neurons):
    return (torch.rand(steps, samples, neurons, generator=torch.Generator().manual_seed(0)) < 0.3).float()


def test_a_layer_costs_what_its_spikes_add_to_the_next():
    ae = AESNN(60, 20, alpha=0.1, threshold=0.2)
    spikes = random_spikes(7, 3, 60)
    with torch.no_grad():
        out = ae(spikes)
    found = costs_of(ae, spikes)
    assert list(found) == ["input", "hidden", "output"]
    fired = [int(one.count_nonzero()) for one in (spikes, out.hidden, out.spikes)]
    assert fired[1] > 0
    assert [one["spikes"] * 3 for one in found.values()] == pytest.approx(fired)
    assert [one["operations"] * 3 for one in found.values()] == pytest.approx([fired[0] * 20, fired[1] * 60, 0])
    assert [one["updates"] for one in found.values()] == [0, 7 * 20, 7 * 60]


def test_the_multiply_accumulates_are_those_that_pytorch_counts_in_a_conventional_network():
    with FlopCounterMode(display=False) as counter:
        AEANN(60, 20)(torch.zeros(1, 60))
    assert total_cost(costs_of(AESNN(60, 20), random_spikes(2, 1, 60)))["macs"] == counter.get_total_flops() / 2


def test_both_networks_of_an_audio_to_image_are_counted_and_its_encoder_is_not():
    model = AudioToImage(ConvACSNN(channels=6, frames=10, widths=[2, 3], code=8), AESNN(9, 8), (1, 3, 3)).eval()
    found = costs_of(model, random_spikes(5, 2, 60))
    assert [one["neurons"] for one in found.values()] == [60, 18, 12, 8, 9]
    assert found["code"]["macs"] == 8 * 9
    convolution = model.audiocoder.layers[0][0].operator
    assert found["input"]["macs"] == fan_out(convolution, (60,)).sum()
    generator = torch.Generator().manual_seed(0)
    stages = model(torch.rand(2, 60), 5, generator)
    spikes = inference_spikes(model, stages.input_spikes)
    assert torch.equal(spikes["code"], stages.hidden)
    assert torch.equal(spikes["output"], stages.output_spikes)


def test_energy_is_that_of_a_sum_for_each_operation_and_of_a_sum_and_a_product_for_each_update():
    costs = costs_of(AESNN(60, 20, threshold=0.2), random_spikes(7, 3, 60))
    total = total_cost(costs)
    assert total["energy"] == pytest.approx((0.9 * (total["operations"] + 560) + 3.7 * 560) / 1000)
    assert total["conventional_energy"] == pytest.approx(2400 * 4.6 / 1000)
    assert energy(1, 1) == pytest.approx(0.0046)


def test_a_network_without_layers_in_time_steps_is_refused():
    with pytest.raises(InputError, match=r"Expected a network with `\.layers` .* got TemporalCodingAE"):
        inference_layers(TemporalCodingAE(4, 2))
    with pytest.raises(InputError, match="Expected a fan-out for each of 3 layers but the last, got 1"):
        layer_costs({name: torch.zeros(2, 1, 3) for name in "abc"}, [3])


def test_the_layers_of_an_audiocoder_of_two_layers():
    assert [operator.in_features for operator, _ in inference_layers(ACSNN(60, 12, 8))] == [60, 12]


def test_a_deep_autoencoder_and_its_decoder_behind_an_audiocoder():
    ae = ConvAESNN(size=(8, 8), widths=[2, 3], threshold=0.2)
    found = costs_of(ae, random_spikes(5, 2, 64))
    assert list(found) == ["input", "hidden1", "hidden2", "hidden3", "output"]
    for (operator, _), cost in zip(ae.layers, found.values(), strict=False):
        assert cost["macs"] == fan_out(operator, (operator.in_features,)).sum()
    model = AudioToImage(ACSNN(60, 12, ae.code, threshold=0.2), ae, (1, 8, 8)).eval()
    stages = model(torch.rand(2, 60), 5, torch.Generator().manual_seed(0))
    spikes = inference_spikes(model, stages.input_spikes)
    assert list(spikes) == ["input", "hidden", "code", "decoder", "output"]
    assert torch.equal(spikes["output"], stages.output_spikes)
