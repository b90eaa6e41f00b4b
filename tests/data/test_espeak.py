import importlib.metadata
import importlib.util

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
