import numpy as np
import pytest
import soundfile
import torch

from snn_synth.data import read_audio, resample, trim_silence
from snn_synth.errors import InputError

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


def test_silence_is_trimmed_frame_by_frame():
    quiet, loud = torch.full((400,), 0.01), torch.full((160,), 0.5)  # -34 dB
    word = torch.cat([quiet, loud, quiet, loud, quiet])
    assert len(trim_silence(word, 8000, threshold_db=30)) == 160 + 400 + 160
    assert len(trim_silence(word, 8000, threshold_db=40)) == len(word)


def test_trimming_keeps_pure_silence():
    assert len(trim_silence(torch.zeros(100), 8000)) == 100
