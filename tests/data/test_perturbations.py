import numpy as np
import pytest
import torch

from snn_synth.data.perturbations import add_noise, at_rate, change_speed, gain, noise, surround, twice
from snn_synth.errors import InputError

RATE = 8000
WORD = torch.from_numpy(np.random.default_rng(0).standard_normal(3001).astype(np.float32)) / 10


def decibel(power):
    return 10 * np.log10(power)


def test_gain_clips():
    assert np.allclose(gain(WORD, 5), np.clip(5 * WORD.numpy(), -1, 1), atol=1e-7)


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ("white", lambda f: np.zeros_like(f)),
        ("low-passed", lambda f: -decibel(1 + (f / 500) ** 8)),
        ("pink", lambda f: -decibel(f)),
    ],
)
def test_the_spectrum_of_noise(colour, expected):
    samples = noise(400_000, RATE, colour, seed=3).numpy().astype(float)
    assert np.mean(samples**2) == pytest.approx(1, abs=1e-4)
    power = np.abs(np.fft.rfft(samples.reshape(-1, 800) * np.hanning(800))) ** 2
    found = decibel(power.mean(0)[5:200])  # 50 to 2,000 Hz
    difference = found - expected(10.0 * np.arange(5, 200))
    kept = expected(10.0 * np.arange(5, 200)) > -40
    assert np.ptp(difference[kept]) < 4  # 500 periodograms: 0.2 dB each, and the window's leakage at the edge


def test_noise_is_seeded():
    assert torch.equal(noise(100, RATE, seed=1), noise(100, RATE, seed=1))
    assert not torch.equal(noise(100, RATE, seed=1), noise(100, RATE, seed=2))


@pytest.mark.parametrize("samples", [1, 2, 3])
@pytest.mark.parametrize("colour", ["white", "low-passed", "pink"])
def test_little_noise(samples, colour):
    assert noise(samples, RATE, colour).isfinite().all()


def test_another_colour_is_refused():
    with pytest.raises(InputError, match="got 'blue'"):
        noise(10, RATE, "blue")


@pytest.mark.parametrize("colour", ["white", "pink"])
@pytest.mark.parametrize("snr", [20, 10, -5])
def test_the_signal_to_noise_ratio(snr, colour):
    added = (add_noise(WORD, RATE, snr, colour) - WORD).numpy()
    assert decibel(np.mean(WORD.numpy() ** 2) / np.mean(added**2)) == pytest.approx(snr, abs=0.01)


@pytest.mark.parametrize("colour", ["white", "low-passed"])
@pytest.mark.parametrize("level", [-30, -10])
def test_background_lies_around_and_under_the_word(level, colour):
    recording = surround(WORD, RATE, level, colour)
    assert len(recording) == 4000 + 3001 + 4000
    background = recording.clone()
    background[4000:7001] -= WORD
    assert decibel((background.square().mean() / WORD.square().mean()).item()) == pytest.approx(level, abs=0.01)
    for part in (background[:4000], background[4000:7001], background[7001:]):
        assert decibel((part.square().mean() / WORD.square().mean()).item()) == pytest.approx(level, abs=1.5)


@pytest.mark.parametrize("factor", [0.7, 0.85, 1.2, 1.4])
def test_speed_moves_a_tone(factor):
    tone = torch.sin(2 * torch.pi * 500 * torch.arange(RATE) / RATE)
    changed = change_speed(tone, RATE, factor)
    assert len(changed) == pytest.approx(RATE / factor, abs=1)
    spectrum = np.abs(np.fft.rfft(changed.numpy() * np.hanning(len(changed)), 1 << 17))
    assert np.argmax(spectrum) * RATE / (1 << 17) == pytest.approx(500 * factor, rel=1e-3)


@pytest.mark.parametrize("factor", [0, -1, 0.05, 11, float("nan")])
def test_absurd_speeds_are_refused(factor):
    with pytest.raises(InputError, match=r"from 0\.1 to 10"):
        change_speed(WORD, RATE, factor)


def test_another_rate_and_the_word_twice():
    waveform, rate = at_rate(WORD, RATE, 16_000)
    assert (len(waveform), rate) == (6002, 16_000)
    said = twice(WORD, RATE, pause=0.25)
    assert np.array_equal(said, np.concatenate([WORD, np.zeros(2000, np.float32), WORD]))


@pytest.mark.parametrize("samples", [3, 8, 1001])
def test_noise_is_that_of_its_seed_with_another_spectrum(samples):
    f = np.fft.rfftfreq(samples, 1 / RATE)
    weights = {
        "white": np.ones_like(f),
        "low-passed": 1 / np.sqrt(1 + (f / 500) ** 8),
        "pink": 1 / np.sqrt(np.maximum(f, f[1])),
    }
    for seed, others in ((0, {}), (7, {"seed": 7})):
        white = torch.randn(samples, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).numpy()
        for colour, weight in weights.items():
            shaped = np.fft.irfft(np.fft.rfft(white) * weight, samples)
            found = noise(samples, RATE, colour, **others).numpy()
            assert np.allclose(found, shaped / np.sqrt(np.mean(shaped**2)), atol=1e-6)


@pytest.mark.parametrize("seed", [0, 7])
def test_noise_is_added_as_it_is_drawn(seed):
    others = {"seed": seed} if seed else {}
    loudness = WORD.square().mean().sqrt()
    expected = WORD + loudness / 10 * noise(len(WORD), RATE, seed=seed)
    assert torch.allclose(add_noise(WORD, RATE, 20, **others), expected, atol=1e-6)
    longer = torch.cat([torch.zeros(2000), WORD, torch.zeros(2000)])
    expected = longer + loudness / 10 * noise(len(longer), RATE, seed=seed)
    assert torch.allclose(surround(WORD, RATE, -20, seconds=0.25, **others), expected, atol=1e-6)


@pytest.mark.parametrize("factor", [0.1, 10])
def test_speeds_up_to_the_limits(factor):
    assert len(change_speed(WORD, RATE, factor)) == pytest.approx(3001 / factor, abs=1)


def test_the_pause_is_of_four_tenths_of_a_second():
    assert len(twice(WORD, RATE)) == 2 * 3001 + 3200
