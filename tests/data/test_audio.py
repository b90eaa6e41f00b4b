from time import perf_counter

import numpy as np
import pytest
import soundfile
import torch

from snn_synth.data import read_audio, resample, trim_silence
from snn_synth.data._torchaudio import torchaudio
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
        exact = torchaudio.transforms.Resample(from_rate, to_rate)
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
