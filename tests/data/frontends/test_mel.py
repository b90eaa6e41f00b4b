import numpy as np
import pytest
import torch

from snn_synth.data import MelSpectrogram
from snn_synth.errors import InputError


def mel(frequency):
    return 2595 * np.log10(1 + frequency / 700)


def numpy_mel(waveform, rate, channels, window, hop):
    """Power in triangular bands, equally spaced in mel (HTK), of frames around t * hop."""
    size = 2 * window
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    frame_window = np.pad(hann, (size - window) // 2)
    padded = np.pad(waveform, size // 2)
    corners = 700 * (10 ** (np.linspace(0, mel(rate / 2), channels + 2) / 2595) - 1)
    frequencies = np.arange(size // 2 + 1) * rate / size
    bank = np.array(
        [
            np.clip(np.minimum((frequencies - low) / (mid - low), (high - frequencies) / (high - mid)), 0, None)
            for low, mid, high in zip(corners[:-2], corners[1:-1], corners[2:], strict=True)
        ]
    )
    frames = [padded[t * hop : t * hop + size] * frame_window for t in range(1 + len(waveform) // hop)]
    return bank @ np.abs(np.fft.rfft(frames, axis=1).T) ** 2


@pytest.mark.parametrize("range_db", [60.0, 30.0])
def test_against_numpy(range_db):
    random = np.random.default_rng(0)
    time = np.arange(3200) / 8000
    waveform = np.sin(2 * np.pi * 700 * time) * np.exp(-5 * time) + 0.01 * random.standard_normal(3200)
    waveform /= np.abs(waveform).max()
    decibel = 10 * np.log10(numpy_mel(waveform, 8000, 39, window=200, hop=40))
    expected = np.clip(1 + (decibel - decibel.max()) / range_db, 0, 1)
    front_end = MelSpectrogram(window_ms=25, hop_ms=5, dynamic_range_db=range_db, fit="pad", frames=81, trim_db=100)
    found = front_end(torch.from_numpy(waveform), 8000).numpy()
    assert np.abs(found - expected).max() < 1e-4
    assert found.max() == 1

    stretched = MelSpectrogram(window_ms=25, hop_ms=5, dynamic_range_db=range_db, frames=100, trim_db=100)
    at = np.linspace(0, 80, 100)
    expected = np.stack([np.interp(at, np.arange(81), row) for row in expected])
    assert np.abs(stretched(torch.from_numpy(waveform), 8000).numpy() - expected).max() < 1e-4


@pytest.mark.parametrize("frequency", [300, 1000, 3000])
def test_a_tone_is_brightest_in_its_band(frequency):
    picture = MelSpectrogram()(torch.sin(2 * torch.pi * frequency * torch.arange(8000) / 8000), 8000)
    centres = 700 * (10 ** (np.linspace(0, mel(4000), 41)[1:-1] / 2595) - 1)
    assert abs(int(picture.mean(1).argmax()) - int(np.abs(centres - frequency).argmin())) <= 1


def test_no_band_is_empty():
    noise = torch.randn(8000, generator=torch.Generator().manual_seed(0))
    assert (MelSpectrogram()(noise, 8000).amax(1) > 0.3).all()


@pytest.mark.parametrize("setting", ["channels", "window_ms", "hop_ms", "dynamic_range_db"])
def test_settings_are_positive(setting):
    with pytest.raises(InputError, match=setting):
        MelSpectrogram(**{setting: 0})


@pytest.mark.parametrize(("window_ms", "window"), [(1000, 8000), (0.001, 1)])
@pytest.mark.parametrize(("hop_ms", "hop"), [(1000, 8000), (0.001, 1)])
@pytest.mark.filterwarnings("ignore:At least one mel filterbank")
def test_a_spectrogram_may_have_as_many_points_as_the_limit(window_ms, window, hop_ms, hop, monkeypatch):
    """Frames at 0, hop, 2 hop, ... up to the end, each of window + 1 frequencies, as its window is doubled."""
    front_end = MelSpectrogram(channels=5, window_ms=window_ms, hop_ms=hop_ms)
    for samples in (2 * hop - 1, 2 * hop):
        frames = samples // hop + 1
        monkeypatch.setattr("snn_synth.data.frontends.mel.MAX_POINTS", frames * (window + 1))
        assert front_end.analyse(torch.ones(samples)).shape == (5, frames)
        monkeypatch.setattr("snn_synth.data.frontends.mel.MAX_POINTS", frames * (window + 1) - 1)
        with pytest.raises(InputError, match=rf", got {frames * (window + 1)}: "):
            front_end.analyse(torch.ones(samples))


def test_filters_may_have_as_many_weights_as_the_limit(monkeypatch):
    monkeypatch.setattr("snn_synth.data.frontends.mel.MAX_WEIGHTS", 200 * 39)
    assert MelSpectrogram().shape == (39, 100)
    with pytest.raises(InputError, match="at most 7800, got 200 and 40"):
        MelSpectrogram(channels=40)


def test_a_click_that_no_window_holds_gives_no_nan():
    click = torch.zeros(1600)
    click[400] = 1
    assert MelSpectrogram(channels=3, window_ms=10, hop_ms=100).analyse(click).isfinite().all()
