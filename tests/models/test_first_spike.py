import numpy as np
import pytest
import torch

from snn_synth.encoding import step_times
from snn_synth.errors import InputError
from snn_synth.functional import if_spike_times
from snn_synth.models import FirstSpikeClassifier
from snn_synth.ttfs import TTFSIFLinear

T = 12


@pytest.fixture
def net():
    torch.manual_seed(0)
    made = FirstSpikeClassifier(9, 6, 3, T)
    with torch.no_grad():
        made.hidden.weight.mul_(2)
        made.output.weight.mul_(2)
    return made


def images(count=40):
    pixels = torch.rand(count, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    return torch.where(pixels > 0.4, pixels, 0)


def simulate(net, times):
    """Step by step: who fires when, and how many have fired when the first output does."""
    layers = [net.hidden.weight.detach().double().numpy(), net.output.weight.detach().double().numpy()]
    out = [np.full(len(w), T) for w in layers]
    for t in range(T):
        for layer, (w, before) in enumerate(zip(layers, [times, out[0]], strict=True)):
            for j in range(len(w)):
                if out[layer][j] == T and w[j][before <= t].sum() > 1:
                    out[layer][j] = t + 1
    return out


def test_labels_decisions_and_spikes_are_those_of_a_simulation(net):
    times = step_times(images().flatten(1), T)
    out = net(times)
    decided = 0
    for b, sample in enumerate(times.numpy()):
        hidden, output = simulate(net, sample)
        np.testing.assert_array_equal(out.hidden[b].detach().numpy(), hidden)
        np.testing.assert_array_equal(out.times[b].detach().numpy(), output)
        first = output.min()
        decided += first < T
        assert out.decision[b] == first
        assert out.labels[b] == (list(output).index(first) if first < T else -1)
        decisive = (output == first) & (output < T)
        assert out.spikes[b] == (sample < first).sum() + (hidden < first).sum() + decisive.sum()
    assert 20 < decided < len(times)


def test_images_are_read_as_steps(net):
    assert torch.equal(net.classify(images()), net(step_times(images().flatten(1), T)).labels)


def test_steps_are_those_of_eight_bits():
    levels = torch.arange(256)
    for steps in (8, 64, 255, 256):
        expected = (255 - levels) * steps // 255
        assert torch.equal(step_times(levels / 255, steps).long(), expected)


def test_initial_potentials_end_at_the_gain_give_or_take_the_spread():
    torch.manual_seed(0)
    layer = TTFSIFLinear(500, 3000, 16, threshold=2.0, gain=3.0, spread=0.7)
    final = layer.weight.sum(1)
    assert final.mean().item() == pytest.approx(6.0, rel=0.02)
    assert final.std().item() == pytest.approx(1.4, rel=0.05)


def test_a_pulse_is_an_input_at_the_step_0():
    layer = TTFSIFLinear(3, 4, 8, gain=4.0, pulse=True)
    times = torch.tensor([[1.0, 5.0, 8.0], [8.0, 8.0, 8.0]])
    every = torch.cat([times, torch.zeros(2, 1)], 1)
    assert torch.equal(layer(times), if_spike_times(every, layer.weight, 1.0, 8))
    assert layer.weight.shape == (4, 4)


def test_s4nns_gradient_gives_each_sample_the_same_length():
    times = step_times(images().flatten(1), T)
    for smoothing, same in ((None, True), (12.0, False)):
        torch.manual_seed(0)
        out = FirstSpikeClassifier(9, 6, 3, T, smoothing)(times)
        (gradient,) = torch.autograd.grad((out.times**2).sum(), out.hidden)
        lengths = gradient.norm(dim=1)
        lengths = lengths[lengths > 0]
        assert (lengths.std() < 1e-6) == same


def test_saved_and_loaded_again(tmp_path, net):
    net.save_pretrained(tmp_path / "net")
    again = FirstSpikeClassifier.from_pretrained(tmp_path / "net")
    assert torch.equal(again.classify(images()), net.classify(images()))


def test_bad_input(net):
    with pytest.raises(InputError, match=r"Expected images .* with 9 pixels each, got \[2, 1, 4, 4\]"):
        net.classify(torch.zeros(2, 1, 4, 4))
    with pytest.raises(InputError, match="Expected a batch with a spike to fire upon, got none"):
        net.classify(torch.zeros(2, 1, 3, 3))
    with pytest.raises(InputError, match="got 0, 2 and 8"):
        TTFSIFLinear(0, 2, 8)
