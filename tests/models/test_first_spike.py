import numpy as np
import pytest
import torch

from snn_synth.encoding import step_times
from snn_synth.errors import InputError
from snn_synth.models import FirstSpikeClassifier
from snn_synth.ttfs import TTFSIFLinear

T = 12


@pytest.fixture
def net():
    torch.manual_seed(0)
    return FirstSpikeClassifier(9, 6, 3, T, gains=(4.0, 3.0))


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
        assert out.labels[b] == list(output).index(first)
        assert out.spikes[b] == (sample < first).sum() + (hidden < first).sum() + (output <= first).sum()
    assert decided > 20


def test_images_are_read_as_steps(net):
    assert torch.equal(net.classify(images()), net(step_times(images().flatten(1), T)).labels)


def test_steps_are_those_of_eight_bits():
    levels = torch.arange(256)
    for steps in (8, 64, 255, 256):
        expected = (255 - levels) * steps // 255
        assert torch.equal(step_times(levels / 255, steps).long(), expected)


def test_initial_potentials_end_at_the_gain():
    torch.manual_seed(0)
    layer = TTFSIFLinear(500, 300, 16, threshold=2.0, gain=3.0)
    assert layer.weight.sum(1).mean().item() == pytest.approx(6.0, rel=0.01)
    assert layer.weight.min() >= 0


def test_saved_and_loaded_again(tmp_path, net):
    net.save_pretrained(tmp_path / "net")
    again = FirstSpikeClassifier.from_pretrained(tmp_path / "net")
    assert torch.equal(again.classify(images()), net.classify(images()))


def test_bad_input(net):
    with pytest.raises(InputError, match="Expected images of 9 pixels, got 16"):
        net.classify(torch.zeros(2, 1, 4, 4))
    with pytest.raises(InputError, match="got 0, 2 and 8"):
        TTFSIFLinear(0, 2, 8)
