import pytest
import torch

from snn_synth.encoding import spike_times
from snn_synth.errors import InputError
from snn_synth.functional import alpha_spike_times
from snn_synth.models import TemporalCodingAE
from snn_synth.ttfs import AlphaTTFSLinear


@pytest.fixture
def images():
    pixels = torch.rand(6, 1, 4, 5, generator=torch.Generator().manual_seed(0))
    return torch.where(pixels > 0.3, pixels, 0)


def test_pulses_are_inputs_that_every_sample_has():
    torch.manual_seed(0)
    layer = AlphaTTFSLinear(5, 4, n_pulses=3).double()
    assert layer.pulse_times.tolist() == pytest.approx([0.25, 0.5, 0.75])
    times = torch.rand(2, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    every = torch.cat([times, layer.pulse_times.expand(2, 3)], 1)
    expected = alpha_spike_times(every, layer.weight, 0.2, 0.8, 300.0)
    torch.testing.assert_close(layer(times), expected)
    layer(times).sum().backward()
    assert (layer.pulse_times.grad != 0).all()


def test_a_pulse_never_comes_before_the_time_0():
    layer = AlphaTTFSLinear(5, 4, n_pulses=2)
    with torch.no_grad():
        layer.pulse_times.copy_(torch.tensor([-0.3, 0.7]))
    layer.keep_pulses()
    assert layer.pulse_times.tolist() == pytest.approx([0, 0.7])


def test_initial_weights_have_the_means_of_their_kind():
    torch.manual_seed(0)
    weight = AlphaTTFSLinear(800, 300, n_pulses=100, init_mean=-2.0, init_pulse_mean=3.0).weight
    deviation = (2 / 1200) ** 0.5
    assert (weight[:, :800].mean() / deviation).item() == pytest.approx(-2, abs=0.02)
    assert (weight[:, 800:].mean() / deviation).item() == pytest.approx(3, abs=0.03)
    assert (weight[:, :800].std() / deviation).item() == pytest.approx(1, abs=0.02)


def test_images_are_what_fires_within_a_span_after_the_latency(images):
    torch.manual_seed(0)
    ae = TemporalCodingAE(20, 6, latency=2.0)
    out = ae(spike_times(images.flatten(1)))
    assert out.embedding.shape == (6, 6)
    expected = (1 - (out.times - 2).clamp(0, 1)).reshape(images.shape)
    torch.testing.assert_close(ae.reconstruct(images), expected)


def test_saved_and_loaded_again(tmp_path, images):
    ae = TemporalCodingAE(20, 6, latency=2.0, n_pulses=4)
    ae.save_pretrained(tmp_path / "ae")
    again = TemporalCodingAE.from_pretrained(tmp_path / "ae")
    assert again.config == ae.config
    torch.testing.assert_close(again.reconstruct(images), ae.reconstruct(images), rtol=0, atol=0)


def test_potentials_peak_after_the_last_output_is_due_at_every_latency():
    pixels = torch.rand(8, 784, generator=torch.Generator().manual_seed(0))
    for latency in (1.0, 4.0, 16.0):
        torch.manual_seed(0)
        ae = TemporalCodingAE(latency=latency)
        assert ae.decoder.decay_rate * (latency + 1) == pytest.approx(0.4)
        assert ae.decoder.threshold == pytest.approx(0.4 * (latency + 1))
        late = ae(spike_times(pixels)).times.median().item()
        assert 0.5 * latency < late < 1.5 * (latency + 1), "from the start, outputs are near where they are due"
    assert TemporalCodingAE(4, 2, decay_rate=0.3, threshold=0.5).config["decay_rate"] == 0.3


def test_a_pulse_before_0_says_what_to_call():
    layer = AlphaTTFSLinear(3, 2, n_pulses=2)
    with torch.no_grad():
        layer.pulse_times[1] = -0.25
    with pytest.raises(InputError, match=r"got -0\.25: call `keep_pulses\(\)`"):
        layer(torch.rand(4, 3))
    layer.keep_pulses()
    assert layer(torch.rand(4, 3)).shape == (4, 2)
    with pytest.raises(InputError, match=r"Expected times of shape \[B, 3\], got \[2, 5\]"):
        layer(torch.rand(2, 5))


def test_no_images_are_no_spikes():
    assert TemporalCodingAE(4, 2).reconstruct(torch.zeros(0, 1, 2, 2)).shape == (0, 1, 2, 2)


def test_bad_input(images):
    with pytest.raises(InputError, match=r"Expected a `latency` of at least 1, .*got 0\.5"):
        TemporalCodingAE(20, 6, latency=0.5)
    with pytest.raises(InputError, match=r"Expected images .* with 784 pixels each, got \[\d+, 1, 4, 5\]"):
        TemporalCodingAE().reconstruct(images)
    with pytest.raises(InputError, match="Expected a batch with a spike to fire upon, got none"):
        AlphaTTFSLinear(3, 2, n_pulses=0)(torch.full((2, 3), torch.inf))
    with pytest.raises(InputError, match="got 0, 2 and 10"):
        AlphaTTFSLinear(0, 2)
    with pytest.raises(InputError, match=r"Expected spike times of at least 0 .*, got NaN"):
        AlphaTTFSLinear(3, 2)(torch.full((2, 3), torch.nan))
