import math
from time import perf_counter

import numpy as np
import pytest
import scipy.signal
import soundfile
import torch

from snn_synth.data import find_words, read_audio, resample, trim_silence
from snn_synth.data._torchaudio import load_torchaudio
from snn_synth.data.audio import _background, _terms
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


def test_a_ratio_is_kept_as_long_as_its_terms_multiply_to_a_million():
    assert _terms(64, 15_625) == (64, 15_625)
    low, high = _terms(67, 15_626)  # 1,046,942
    assert high <= 1000
    assert abs(low / high * 15_626 / 67 - 1) < 1e-3


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


@pytest.mark.parametrize(
    ("from_rate", "to_rate"), [(0, 8000), (8000, -1), (0, 0), (7, 8000), (1001, 1), (2**32 - 1, 8000)]
)
def test_absurd_rates_are_refused(from_rate, to_rate):
    with pytest.raises(InputError, match=f"none over 1000 times the other, got {from_rate} and {to_rate}"):
        resample(torch.zeros(10), from_rate, to_rate)


def test_silence_is_trimmed_frame_by_frame():
    quiet, loud = torch.full((400,), 0.01), torch.full((160,), 0.5)  # -34 dB
    word = torch.cat([quiet, loud, quiet, loud, quiet])
    assert len(trim_silence(word, 8000, threshold_db=30)) == 160 + 400 + 160
    assert len(trim_silence(word, 8000, threshold_db=40)) == len(word)


def test_trimming_keeps_all_from_the_first_word_to_the_last():
    recording = spoken(-0.5, 0.2, -0.3, 0.3, -0.4, 0.25, -0.6)
    assert torch.equal(trim_silence(recording, 8000), recording[round(0.5 * 8000) : round(1.95 * 8000)])


def test_quiet_is_35_db_under_the_loudest_where_nothing_else_is_said():
    loud = torch.full((800,), 0.5)
    for decibel, whole in ((-34.5, True), (-35.5, False)):
        word = torch.cat([loud, torch.full((80,), 0.5 * 10 ** (decibel / 20))])
        assert find_words(word, 8000) == [(0, 880 if whole else 800)]
        assert len(trim_silence(word, 8000)) == (880 if whole else 800)


def test_what_lies_exactly_at_the_threshold_is_quiet():
    word = torch.cat([torch.ones(800), torch.full((800,), 0.5)])  # a quarter of the energy
    assert find_words(word, 8000, 10 * math.log10(4)) == [(0, 800)]


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


def steady_frames(frames):
    """As the docstring of `find_words` says it, in NumPy; None where no background is steady."""
    count, decibel = len(frames), 10 * np.log10(frames.var(1) + 1e-12)
    smooth = np.array([decibel[max(0, t - 2) : t + 3].mean() for t in range(count)])
    level, quarter = np.sort(smooth), count // 4
    if count < 45:
        return None
    widths = [level[i + quarter - 1] - level[i] for i in range(count - quarter + 1)]
    first = int(np.argmin(widths))
    low, high = level[first], level[first + quarter - 1]
    if high - low > 3 or high > decibel.max() - 14:
        return None
    within = (smooth > low - 2) & (smooth < high + 2)
    ends = [[edge.sum() / n for edge in (within[:n], within[-n:])] for n in (15, 30)]
    return within if min(ends[0]) >= 0.8 or max(ends[1]) >= 0.8 else None


def stretches_of(energy, threshold):
    """Clicks are left out one round after another, until what is loud are words."""
    while energy.any():
        loud = [t for t in range(len(energy)) if energy[t] > threshold * energy.max()]
        found = [[loud[0], loud[0]]]
        for t in loud[1:]:
            if t - found[-1][1] > 20:  # 20 quiet frames or more lie between
                found.append([t, t])
            found[-1][1] = t
        words = [(start, end + 1) for start, end in found if end + 1 - start >= 8]
        if len(words) == len(found):
            return words
        if not words:
            return [(found[0][0], found[-1][1] + 1)]
        energy = energy.copy()
        for start, end in found:
            if end + 1 - start < 8:
                energy[start : end + 1] = 0
    return []


def expected_words(samples, rate, threshold_db=35.0):
    hop, threshold = max(1, rate // 100), 10 ** (-threshold_db / 10)
    frames = np.pad(samples, (0, -len(samples) % hop)).reshape(-1, hop).astype(np.float64)
    energy, background = (frames**2).mean(1), steady_frames(frames)
    if background is not None and 3 * energy[background].mean() > threshold * energy.max():
        around = np.pad(frames.ravel(), (hop // 2, hop - hop // 2))  # a frame in the middle of two frames' length
        hann = 0.5 - 0.5 * np.cos(np.pi * np.arange(2 * hop) / hop)
        power = np.array([np.abs(np.fft.rfft(around[t * hop : (t + 2) * hop] * hann)) ** 2 for t in range(len(frames))])
        width = min(5, hop)  # of 50 Hz each
        bands = np.array([power[:, 1 + b : 1 + b + width].mean(1) for b in range(0, hop - width + 1, width)])
        bands = np.array([bands[:, max(0, t - 1) : t + 2].mean(1) for t in range(len(frames))])
        energy = np.maximum(0, bands - 3 * bands[background].mean(0)).sum(1)
    return [(start * hop, min(end * hop, len(samples))) for start, end in stretches_of(energy, threshold)]


def drawn_recording(random, rate):
    """Words, clicks and pauses of any length, in background that may be steady, at one end alone, or not there."""
    hop = max(1, rate // 100)
    gains = []
    for _ in range(random.integers(1, 5)):
        gains += [0.0] * int(random.integers(0, 40))
        gains += [10 ** random.uniform(-1.2, 0)] * int(random.choice([random.integers(1, 5), random.integers(5, 40)]))
    gains += [0.0] * int(random.integers(0, 40))
    loudness = np.repeat(gains, hop)[: len(gains) * hop - int(random.integers(0, hop))]
    sound = np.sin(random.uniform(0.2, 1.5) * np.arange(len(loudness))) + 0.3 * random.standard_normal(len(loudness))
    noise = 10 ** random.uniform(-2.6, -0.6) * random.standard_normal(len(loudness))
    noise *= random.choice([0, 1, 1, 1])
    steps = int(random.integers(0, len(noise)))  # where the background becomes another
    noise[steps:] *= random.choice([1, 1, 0.6, 0.1])
    offset = random.choice([0, 0.05])
    return (loudness * sound + noise + offset).astype(np.float32)


@pytest.mark.parametrize("rate", [1100, 500, 250, 150])
def test_words_are_those_of_the_rule_written_in_numpy(rate):
    """At low rates, where drawing many recordings takes little time."""
    random = np.random.default_rng(rate)
    recordings = [(drawn_recording(random, rate), (35.0, 20.0)[number % 2]) for number in range(60)]
    found = [find_words(torch.from_numpy(samples), rate, threshold) for samples, threshold in recordings]
    assert found == [expected_words(samples, rate, threshold) for samples, threshold in recordings]
    assert set(map(len, found)) >= {1, 2}


def test_steady_background_is_that_of_the_rule_written_in_numpy():
    """Of frames whose levels go up and down in steps of a few dB, beside what is loud."""
    random, masks = np.random.default_rng(0), []
    for _ in range(300):
        level = np.repeat(random.choice([0, 1, 2, 3, 4, 30], 12, p=[0.3, 0.2, 0.1, 0.1, 0.1, 0.2]), 7)
        level = level[: random.integers(40, 84)] + random.uniform(-0.3, 0.3)
        level[:3] += 20 * random.integers(0, 2)
        level[-3:] += 20 * random.integers(0, 2)
        level = level + random.uniform(0, 0.01, len(level)) + (0, 0.3)[random.integers(2)] * random.random(len(level))
        frames = 10 ** (level[:, None] / 20) * [0.1, -0.1, 0.1, -0.1]
        found, expected = _background(torch.from_numpy(frames)), steady_frames(frames)
        assert (found is None) == (expected is None)
        if found is not None:
            assert found.tolist() == expected.tolist()
        masks.append(found is None)
    assert 50 < sum(masks) < 250


@pytest.mark.parametrize("start", [13, 17, 32])
def test_short_recordings_by_the_same_rule(start):
    """Of every number of frames: from 45 on there may be background, and then what is loud is found beneath it."""
    random, heard = np.random.default_rng(start), []
    for frames in range(start + 5, 70):
        samples = 0.05 * random.standard_normal(10 * frames)
        samples[10 * start : 10 * start + 120] += np.sin(np.arange(len(samples[10 * start : 10 * start + 120])))
        found = find_words(torch.from_numpy(samples).float(), 1000)
        assert found == expected_words(samples, 1000)
        heard.append(found == [(0, len(samples))])
    assert True in heard
    assert False in heard
