from time import perf_counter

import numpy as np
import pytest
import scipy.signal
import soundfile
import torch

from snn_synth.data import find_words, read_audio, resample, trim_silence
from snn_synth.data._torchaudio import load_torchaudio
from snn_synth.data.audio import _terms
from snn_synth.errors import InputError
from tests.fuzz.harness import bounded

TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)).astype(np.float32)


@pytest.fixture
def write(tmp_path):
    def write(samples, rate=8000, name="word.wav", **options):
        soundfile.write(tmp_path / name, samples, rate, **options)
        return tmp_path / name

    return write


@pytest.mark.parametrize(
    ("name", "format"), [("a.wav", "WAV"), ("a.flac", "FLAC"), ("a.WAV", "NIST"), ("a.aiff", "AIFF")]
)
@pytest.mark.parametrize("rate", [8000, 12500, 44100])
def test_formats_and_rates(write, name, format, rate):
    waveform, found = read_audio(write(TONE, rate, name, format=format, subtype="PCM_16"))
    assert found == rate
    assert waveform.dtype == torch.float32
    assert np.abs(waveform.numpy() - TONE).max() <= 1 / 32768


def test_channels_are_averaged(write):
    waveform, _ = read_audio(write(np.stack([TONE, 0.5 * TONE, 0 * TONE], axis=1), subtype="FLOAT"))
    assert np.allclose(waveform.numpy(), 0.5 * TONE, atol=1e-7)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=f"no file at {tmp_path / 'none.wav'}"):
        read_audio(tmp_path / "none.wav")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputError, match="no file"):
        read_audio(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"just some text, no sound at all\n" * 50, b"\x89PNG\r\n\x1a\n" * 99]
)
def test_what_is_no_audio_is_named(tmp_path, content):
    (tmp_path / "word.wav").write_bytes(content)
    with pytest.raises(InputError, match=r"Expected a sound file.*word\.wav"):
        read_audio(tmp_path / "word.wav")


def test_no_samples(write):
    with pytest.raises(InputError, match="got none"):
        read_audio(write(TONE[:0]))


@pytest.mark.parametrize("level", [0.0, 0.9e-4])
def test_silence(write, level):
    with pytest.raises(InputError, match="got silence"):
        read_audio(write(2 * level * TONE, subtype="FLOAT"))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_a_number(write, value):
    samples = TONE.copy()
    samples[4000] = value
    with pytest.raises(InputError, match="NaN or infinity"):
        read_audio(write(samples, subtype="FLOAT"))


def test_ten_minutes_are_refused_before_decoding(write, monkeypatch):
    path = write(np.ones(60_000) * 0.1, rate=100)
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *_, **__: pytest.fail("decoded"))
    with pytest.raises(InputError, match=r"at most 30 seconds, got 600\.0 seconds"):
        read_audio(path)


def test_the_limit_can_be_moved(write):
    path = write(TONE)
    with pytest.raises(InputError, match=r"at most 0\.5 seconds, got 1\.0"):
        read_audio(path, max_seconds=0.5)
    assert len(read_audio(path, max_seconds=1.0)[0]) == 8000


@pytest.mark.parametrize(("format", "keep"), [("WAV", 6000), ("WAV", 15_000), ("NIST", 6000), ("FLAC", 2000)])
def test_a_file_that_is_cut_short(write, format, keep):
    path = write(TONE, format=format, subtype="PCM_16")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"word\.wav"):
        read_audio(path)


def test_a_wav_from_a_pipe_states_no_length(write):
    path = write(TONE, subtype="PCM_16")
    content = bytearray(path.read_bytes())
    at = content.index(b"data")
    content[at + 4 : at + 8] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert len(read_audio(path)[0]) == 8000


@pytest.mark.parametrize(("from_rate", "to_rate"), [(8000, 12500), (22050, 8000), (44100, 12500), (8000, 8000)])
def test_resampling_a_tone_gives_the_tone_at_the_other_rate(from_rate, to_rate):
    def tone(rate):
        return torch.sin(2 * torch.pi * 440 * torch.arange(rate) / rate)

    found = resample(tone(from_rate), from_rate, to_rate)
    assert len(found) == to_rate
    middle = slice(to_rate // 10, -to_rate // 10)  # the ends see the silence outside
    assert (found - tone(to_rate))[middle].abs().max() < 2e-3


USUAL = [8000, 11025, 12500, 16000, 22050, 24000, 32000, 44100, 48000, 96000, 192_000]


@pytest.mark.parametrize("from_rate", USUAL)
def test_usual_rates_are_resampled_by_their_exact_ratio(from_rate):
    noise = torch.randn(2000, generator=torch.Generator().manual_seed(from_rate))
    for to_rate in USUAL:
        exact = load_torchaudio().transforms.Resample(from_rate, to_rate)
        assert torch.equal(resample(noise, from_rate, to_rate), exact(noise))


def test_no_ratio_is_more_than_a_thousandth_off():
    for from_rate in range(1000, 384_000, 97):
        from_term, to_term = _terms(from_rate, 8000)
        assert abs(from_term / to_term * 8000 / from_rate - 1) < 1e-3
        assert from_term * to_term <= 1e6


COPRIME = [1001, 3999, 7993, 8001, 11127, 22255, 44101, 47999, 95999, 191_999, 336_174, 383_999]


@pytest.mark.parametrize("from_rate", COPRIME)
def test_any_rate_is_resampled_in_little_time_and_memory(from_rate, monkeypatch):
    """A tone keeps its frequency to 0.1 % and its amplitude to 1 %; one above the new range is gone."""
    monkeypatch.setattr("tests.fuzz.harness.MEMORY", 100 << 20)
    time = torch.arange(from_rate, dtype=torch.float64) / from_rate
    frequency = 0.11 * min(from_rate, 8000)
    tone = (0.5 * torch.sin(2 * torch.pi * frequency * time)).float()
    seconds = []
    for _ in range(3):
        start = perf_counter()
        with bounded():
            found = resample(tone, from_rate, 8000)
        seconds.append(perf_counter() - start)
    assert min(seconds) < 0.5  # 5 ms alone on a core; the exact ratio's kernel takes up to 33 s
    assert abs(len(found) - 8000) <= 8
    middle = found[500:-500].double()
    crossings = torch.nonzero((middle[:-1] < 0) & (middle[1:] >= 0)).flatten()
    zeros = crossings - middle[crossings] / (middle[crossings + 1] - middle[crossings])
    period = (zeros[-1] - zeros[0]) / (len(zeros) - 1)
    assert (8000 / period).item() == pytest.approx(frequency, rel=1e-3)
    assert (middle.square().mean() * 2).sqrt().item() == pytest.approx(0.5, rel=0.01)
    if from_rate > 12_000:
        alias = resample((0.5 * torch.sin(2 * torch.pi * 5500 * time)).float(), from_rate, 8000)
        assert alias[500:-500].abs().max() < 0.005


def test_a_rate_of_one_hertz_is_one():
    assert resample(torch.ones(2), 1, 1000).shape == (2000,)
    assert resample(torch.ones(2), 1, 1).tolist() == [1, 1]


@pytest.mark.parametrize(("from_rate", "to_rate"), [(0, 8000), (8000, -1), (7, 8000), (2**32 - 1, 8000)])
def test_absurd_rates_are_refused(from_rate, to_rate):
    with pytest.raises(InputError, match=f"none over 1000 times the other, got {from_rate} and {to_rate}"):
        resample(torch.zeros(10), from_rate, to_rate)


def test_silence_is_trimmed_frame_by_frame():
    quiet, loud = torch.full((400,), 0.01), torch.full((160,), 0.5)  # -34 dB
    word = torch.cat([quiet, loud, quiet, loud, quiet])
    assert len(trim_silence(word, 8000, threshold_db=30)) == 160 + 400 + 160
    assert len(trim_silence(word, 8000, threshold_db=40)) == len(word)


def test_trimming_keeps_pure_silence():
    assert len(trim_silence(torch.zeros(100), 8000)) == 100
    assert find_words(torch.zeros(100), 8000) == []


def spoken(*seconds, rate=8000):
    """A tone that falls by 20 dB in each stretch, silence in the negative ones."""
    parts = []
    for length in seconds:
        time = torch.arange(round(abs(length) * rate)) / rate
        tone = torch.sin(2 * torch.pi * 300 * time) * 10 ** (-time / max(length, 0.01))
        parts.append(tone if length > 0 else torch.zeros(len(time)))
    return torch.cat(parts)


def in_background(waveform, decibel, kind="white", rate=8000, seed=0):
    """Background all through, so many dB under the mean power of what sounds."""
    noise = np.random.default_rng(seed).standard_normal(len(waveform))
    if kind == "low-passed":
        noise = scipy.signal.lfilter([1], [1, -0.9], noise)
    elif kind == "hum":
        time = np.arange(len(waveform)) / rate
        noise = sum(np.sin(2 * np.pi * 50 * k * time + k) / k for k in range(1, 6))
    elif kind == "offset":
        noise = np.ones(len(waveform))
    power = waveform[waveform != 0].square().mean().item() * 10 ** (decibel / 10)
    return waveform + torch.from_numpy(noise * np.sqrt(power / np.mean(noise**2))).float()


def seconds_of(words, rate=8000):
    return [(start / rate, end / rate) for start, end in words]


@pytest.mark.parametrize("rate", [8000, 11025, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("kind", ["white", "low-passed", "hum", "offset"])
@pytest.mark.parametrize("decibel", [-60, -30, -20, -15])
def test_a_word_is_found_in_steady_background(decibel, kind, rate):
    waveform = in_background(spoken(-0.5, 0.4, -0.5, rate=rate), decibel, kind, rate)
    ((start, end),) = seconds_of(find_words(waveform, rate), rate)
    assert start == pytest.approx(0.5, abs=0.031)
    assert 0.7 <= end <= 0.931
    assert len(trim_silence(waveform, rate)) == pytest.approx((end - start) * rate, abs=1)


def test_the_rule_is_the_peaks_where_nothing_is_steady():
    """Against NumPy: first and last frame of 10 ms that lie less than 30 dB under the loudest."""
    random = np.random.default_rng(0)
    for _ in range(50):
        count = int(random.integers(2000, 5000))
        envelope = 10 ** (-2.5 * np.abs(np.linspace(-1, 1, count) - random.uniform(-0.3, 0.3)))
        word = (random.standard_normal(count) * envelope).astype(np.float32)
        frames = np.pad(word, (0, -count % 80)).reshape(-1, 80)
        loud = np.flatnonzero((frames**2).mean(1) > (frames**2).mean(1).max() / 1000)
        assert find_words(torch.from_numpy(word), 8000, 30) == [(loud[0] * 80, min((loud[-1] + 1) * 80, count))]


@pytest.mark.parametrize("decibel", [None, -20])
@pytest.mark.parametrize("pause", [0.25, 0.4, 0.8])
def test_words_are_split_at_pauses(pause, decibel):
    waveform = spoken(-0.4, 0.3, -pause, 0.5, -pause, 0.3, -0.4)
    waveform = waveform if decibel is None else in_background(waveform, decibel)
    words = seconds_of(find_words(waveform, 8000))
    assert [start for start, _ in words] == pytest.approx([0.4, 0.7 + pause, 1.2 + 2 * pause], abs=0.031)


def test_a_silence_within_a_word_does_not_split_it():
    eight = spoken(-0.3, 0.25, -0.12, 0.03, -0.3)
    assert seconds_of(find_words(eight, 8000)) == [(0.3, pytest.approx(0.7, abs=0.011))]


@pytest.mark.parametrize("loudness", [0.3, 1, 10])
@pytest.mark.parametrize("at", [0.05, 1.25])
def test_a_click_is_no_word(at, loudness):
    recording = spoken(-0.5, 0.4, -0.6)
    recording[int(at * 8000) : int(at * 8000) + 80] = loudness * torch.randn(80).sign()
    assert seconds_of(find_words(recording, 8000)) == [(0.5, 0.9)]


@pytest.mark.parametrize("samples", [1, 79, 80, 81, 500])
def test_what_is_too_short_for_a_word_is_one(samples):
    assert find_words(torch.ones(samples), 8000) == [(0, samples)]


@pytest.mark.parametrize("rate", [1, 50, 99, 100, 250, 1000])
def test_low_rates(rate):
    waveform = in_background(spoken(-1, 1, -1, rate=rate), -20, rate=rate)
    assert all(0 <= start < end <= len(waveform) for start, end in find_words(waveform, rate))


def test_half_a_minute():
    waveform = in_background(spoken(-20, 0.4, -9.6), -15)
    assert seconds_of(find_words(waveform, 8000)) == [(pytest.approx(20, abs=0.031), pytest.approx(20.4, abs=0.1))]
