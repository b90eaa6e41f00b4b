import hashlib
import importlib.metadata
import importlib.util
import json
import platform

import numpy as np
import pytest
import torch

from snn_synth.data import EspeakDigits, MelSpectrogram, espeak
from snn_synth.errors import InputError

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("espeakng_loader"), reason="needs espeakng-loader")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("espeak")


@pytest.fixture(scope="module")
def corpus(folder):
    return EspeakDigits(voices=4, takes=5, cache=folder, progress=False)


def waveforms(corpus):
    return [corpus[index][0] for index in range(len(corpus))]


def same(left, right):
    return len(left) == len(right) and all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


def test_the_shape_is_voices_x_digits_x_takes(corpus):
    assert len(corpus) == 4 * 10 * 5
    keys = list(zip(corpus.speakers, corpus.labels.tolist(), corpus.takes, strict=True))
    assert keys == [(v, d, t) for v in espeak.VOICES[:4] for d in range(10) for t in range(5)]
    waveform, label = corpus[27]
    assert (waveform.dtype, waveform.ndim, label, corpus.sample_rate) == (torch.float32, 1, 5, 22050)
    assert corpus[-1][1] == 9
    with pytest.raises(IndexError):
        corpus[200]


def test_every_take_is_a_word_of_its_own(corpus):
    seconds = torch.tensor([len(waveform) / corpus.sample_rate for waveform in waveforms(corpus)])
    peaks = torch.stack([waveform.abs().max() for waveform in waveforms(corpus)])
    assert 0.1 < seconds.min() < seconds.max() < 1.5
    assert 0.1 < peaks.min() <= peaks.max() <= 1
    assert len({waveform.numpy().tobytes() for waveform in waveforms(corpus)}) == len(corpus)


def test_voices_say_the_digit_that_the_label_names(corpus):
    """The picture of take 0 is nearest to the mean of the other takes of its digit."""
    front_end = MelSpectrogram()
    pictures = torch.stack([front_end(waveform, corpus.sample_rate) for waveform in waveforms(corpus)]).flatten(1)
    takes, labels = torch.tensor(corpus.takes), corpus.labels
    means = torch.stack([pictures[(takes > 0) & (labels == digit)].mean(0) for digit in range(10)])
    nearest = torch.cdist(pictures[takes == 0], means).argmin(1)
    assert (nearest == labels[takes == 0]).double().mean() >= 0.95


def test_rendering_again_gives_the_same_bits(corpus, tmp_path):
    again = EspeakDigits(voices=4, takes=5, cache=tmp_path, progress=False)
    assert same(waveforms(corpus), waveforms(again))
    assert corpus.fingerprint() == again.fingerprint()


def test_a_voice_does_not_depend_on_the_others(corpus, tmp_path):
    fewer = EspeakDigits(voices=2, takes=5, cache=tmp_path, progress=False)
    assert same(waveforms(corpus)[:100], waveforms(fewer))
    assert corpus.fingerprint() != fewer.fingerprint()


def test_another_seed_speaks_otherwise(corpus, tmp_path):
    other = EspeakDigits(voices=1, takes=5, seed=1, cache=tmp_path, progress=False)
    assert not same(waveforms(corpus)[:50], waveforms(other))


def test_the_corpus_is_rendered_once(corpus, folder, monkeypatch):
    monkeypatch.setattr(espeak, "speak", lambda _: pytest.fail("rendered again"))
    files = set(folder.iterdir())
    again = EspeakDigits(voices=4, takes=5, cache=folder, progress=False)
    assert same(waveforms(corpus), waveforms(again))
    assert set(folder.iterdir()) == files


@pytest.mark.parametrize("damage", ["cut", "flipped", "other", "folder"])
def test_a_damaged_cache_is_rendered_again(tmp_path, damage):
    first = EspeakDigits(voices=1, takes=1, cache=tmp_path, progress=False)
    (file,) = tmp_path.iterdir()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 255
    if damage == "folder":
        file.unlink()
        file.mkdir()
    else:
        file.write_bytes({"cut": bytes(content[:1000]), "flipped": bytes(content), "other": b"other"}[damage])
    again = EspeakDigits(voices=1, takes=1, cache=tmp_path, progress=False)
    assert same(waveforms(first), waveforms(again))


@pytest.mark.parametrize("change", ["object", "unsorted", "beyond", "shape", "rate"])
def test_a_cache_of_other_arrays_is_rendered_again(tmp_path, change):
    first = EspeakDigits(voices=1, takes=1, cache=tmp_path, progress=False)
    (file,) = tmp_path.iterdir()
    with np.load(file) as stored:
        arrays = dict(stored)
    ends = arrays["ends"]
    changed = {
        "object": {"samples": np.array([{}, None])},
        "unsorted": {"ends": np.concatenate([ends[:8], ends[8:][::-1]])},
        "beyond": {"ends": ends + 1},
        "shape": {"ends": ends[1:]},
        "rate": {"sample_rate": np.array("fast")},
    }
    np.savez(file, **(arrays | changed[change]))
    assert same(waveforms(first), waveforms(EspeakDigits(voices=1, takes=1, cache=tmp_path, progress=False)))


def test_a_failed_rendering_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(espeak, "VOICES", ("en-us+m1", "no-such-voice"))
    with pytest.raises(InputError, match="no-such-voice"):
        EspeakDigits(voices=2, takes=1, cache=tmp_path, progress=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"voices": 0}, "1 to 16"), ({"voices": 17}, "1 to 16"), ({"takes": 0}, "1 take")],
)
def test_settings_out_of_range(settings, message, tmp_path):
    with pytest.raises(InputError, match=message):
        EspeakDigits(**settings, cache=tmp_path)


def test_a_missing_package_is_told_with_its_extra(tmp_path, monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(InputError, match=r"snn_synth\[demo\]"):
        EspeakDigits(cache=tmp_path)


def test_lists_of_voices_are_spoken_each_its_own_way(folder):
    """espeak-ng speaks a variant that it does not know with the plain voice, and says nothing."""
    voices = ("en-us", *espeak.MANY_VOICES[::40], *espeak.UNHEARD_VOICES[::4])
    corpus = EspeakDigits(voices, takes=1, cache=folder, progress=False)
    assert corpus.speakers == [voice for voice in voices for _ in range(10)]
    fours = [corpus[10 * place + 4][0].numpy().tobytes() for place in range(len(voices))]
    assert len(set(fours)) == len(voices)


def test_unheard_voices_are_of_variants_that_no_voice_to_train_on_has():
    variants = [
        {name.split("+")[1] for name in voices} for voices in (espeak.MANY_VOICES, espeak.VOICES, espeak.UNHEARD_VOICES)
    ]
    assert variants[1] <= variants[0]
    assert not variants[0] & variants[2]
    assert len(set(espeak.MANY_VOICES)) == len(espeak.MANY_VOICES) == 8 * 15 + 3 * 49
    assert len(variants[2]) == 16


def test_the_sixteen_voices_by_name_are_the_same_corpus(corpus, folder):
    named = EspeakDigits(espeak.VOICES[:4], takes=5, cache=folder, progress=False)
    assert named.fingerprint() == corpus.fingerprint()


@pytest.mark.parametrize("voices", [[], ["en-us+f3", "en-us+f3"], ["de+m1"], ["en-us; rm"], ["../x"], "klingon"])
def test_voices_that_are_none_are_refused(voices):
    with pytest.raises(InputError, match="Expected English voices of espeak-ng such as 'en-us\\+f3'"):
        EspeakDigits(voices)


def test_what_is_kept_under_a_key_does_not_change_from_version_to_version():
    """A change of any sample takes another FORMAT. One espeak-ng is asked for breath, a Klatt and a plain voice."""
    if (importlib.metadata.version("espeakng-loader"), platform.machine()) != ("0.2.4", "x86_64"):
        pytest.skip("the samples are those of another espeak-ng")
    total, takes = hashlib.sha256(), [["zero", 175, 50, 50], ["café", 130, 30, 70], ["nine. One, two.", 220, 70, 30]]
    for voice in ("en+whisper", "en-us+klatt", "en-us+f3"):
        rate, waveforms = espeak.speak({"voice": voice, "takes": takes})
        assert (rate, len(waveforms)) == (22050, 3)
        for waveform in waveforms:
            total.update(waveform.tobytes())
    assert (espeak.FORMAT, total.hexdigest()) == (1, "4f4657cfa881b9115f9315068c2acf02ddb20e0f9d3b941ceac703a703a24c3a")


def test_speed_pitch_and_its_range_are_what_the_takes_ask_for():
    """Of a plain voice: how long it speaks, and which pitch the autocorrelation of 40 ms pieces finds."""

    def spoken(*settings):
        rate, [samples] = espeak.speak({"voice": "en-us", "takes": [["nine nine nine", *settings]]})
        pitches, sound = [], samples.astype(float)
        for start in range(0, len(sound) - 882, 441):
            piece = sound[start : start + 882]
            if piece.std() > 1000:
                alike = np.correlate(piece, piece, "full")[882 + 70 : 882 + 350]
                pitches.append(rate / (71 + alike.argmax()))
        return len(samples), np.median(pitches), np.subtract(*np.quantile(pitches, [0.9, 0.1]))

    slow, fast = spoken(130, 50, 50), spoken(220, 50, 50)
    assert 1.4 < slow[0] / fast[0] < 2.2
    low, high = spoken(175, 30, 50), spoken(175, 70, 50)
    assert high[1] > 1.1 * low[1]
    flat, lively = spoken(175, 50, 30), spoken(175, 50, 70)
    assert lively[2] > 1.2 * flat[2]


class AskedError(Exception):
    """Of the settings that reach the rendering."""


@pytest.fixture
def asked(monkeypatch):
    def render(jobs, path, progress):
        raise AskedError(jobs, path, progress)

    monkeypatch.setattr(espeak, "_render", render)


def test_the_defaults_are_the_shape_of_ti46_by_seed_0_in_the_cache(asked, no_data):
    with pytest.raises(AskedError) as caught:
        EspeakDigits()
    jobs, path, progress = caught.value.args
    assert [job["voice"] for job in jobs] == list(espeak.VOICES)
    assert jobs == espeak.draw_takes(espeak.VOICES, 26, 0)
    assert {len(job["takes"]) for job in jobs} == {260}
    assert progress
    key = hashlib.sha256(json.dumps([1, importlib.metadata.version("espeakng-loader"), jobs]).encode()).hexdigest()
    assert path == no_data / "espeak" / f"{key}.npz"


@pytest.mark.parametrize("voices", [1, 16])
def test_the_fewest_and_the_most_voices(asked, voices, tmp_path):
    with pytest.raises(AskedError) as caught:
        EspeakDigits(voices, takes=1, cache=tmp_path)
    assert [job["voice"] for job in caught.value.args[0]] == list(espeak.VOICES[:voices])


def test_speed_and_pitch_are_drawn_from_all_of_their_ranges():
    [job] = espeak.draw_takes(("en-us",), 400, 0)
    drawn = np.array([take[1:] for take in job["takes"]])
    assert drawn.shape == (4000, 3)
    assert (drawn.min(0).tolist(), drawn.max(0).tolist()) == ([130, 30, 30], [220, 70, 70])


@pytest.fixture
def loud(monkeypatch):
    """Ten takes of other lengths, without a quiet sample."""
    takes = [np.full(200 + number, (-1) ** (number + 1) * (32_768 - number), np.int16) for number in range(10)]
    monkeypatch.setattr(espeak, "speak", lambda _: (8000, takes))
    return takes


def test_takes_are_the_samples_as_spoken_on_a_scale_of_one(loud, tmp_path, capsys):
    corpus = EspeakDigits(1, takes=1, cache=tmp_path)
    assert "espeak-ng speaks digits: 100%" in capsys.readouterr().err
    assert corpus.sample_rate == 8000
    for number, take in enumerate(loud):
        waveform, label = corpus[number]
        assert label == number
        assert waveform.tolist() == (take / 32_768).astype(np.float32).tolist()
    EspeakDigits(1, takes=1, seed=1, cache=tmp_path, progress=False)
    assert capsys.readouterr().err == ""


def test_a_corpus_that_is_unreadable_once_written_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(espeak, "_render", lambda *_: None)
    with pytest.raises(InputError, match="the corpus that was just written, got an unreadable file at"):
        EspeakDigits(1, takes=1, cache=tmp_path)


KEPT = {"samples": np.arange(6, dtype=np.int16), "ends": np.array([2, 5, 6]), "sample_rate": np.array(8000)}


@pytest.mark.parametrize(
    "change",
    [
        {"samples": KEPT["samples"].astype(np.int32)},
        {"samples": KEPT["samples"][:, None]},
        {"samples": np.array(3, np.int16)},
        {"samples": KEPT["samples"][:5]},
        {"ends": KEPT["ends"].astype(np.int32)},
        {"ends": KEPT["ends"][:, None]},
        {"ends": np.array([2, 6])},
        {"ends": np.array([-1, 5, 6])},
        {"ends": np.array([5, 2, 6])},
        {"ends": np.array([5, 4, 6])},
        {"sample_rate": np.array([8000])},
        {"sample_rate": np.array(8000.0)},
        {"sample_rate": np.array(0)},
        {"sample_rate": np.array(-1)},
    ],
    ids=str,
)
def test_arrays_that_are_no_corpus_are_not_taken(change, tmp_path):
    np.savez(tmp_path / "kept.npz", **(KEPT | change))
    assert espeak._load(tmp_path / "kept.npz", 3) is None


@pytest.mark.parametrize("change", [{}, {"ends": np.array([0, 0, 6])}, {"sample_rate": np.array(1)}], ids=str)
def test_arrays_that_are_a_corpus_are_taken(change, tmp_path):
    np.savez(tmp_path / "kept.npz", **(KEPT | change))
    *arrays, rate = espeak._load(tmp_path / "kept.npz", 3)
    for name, array in zip(("samples", "ends"), arrays, strict=True):
        assert array.tolist() == (KEPT | change)[name].tolist()
    assert rate == (KEPT | change)["sample_rate"]


def test_a_missing_package_is_told_where_a_voice_speaks_alone(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(InputError, match=r"snn_synth\[demo\]"):
        espeak.speak({"voice": "en-us", "takes": []})
