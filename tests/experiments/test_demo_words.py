import pytest
import torch

from snn_synth.data import FSDD, MelSpectrogram
from snn_synth.experiments.demo_words import real_words, words_at
from tests.training.tiny import write_fsdd

FRONT_END = MelSpectrogram(channels=8, frames=10)


def test_real_words_are_the_test_words_that_are_at_hand(tmp_path, monkeypatch):
    monkeypatch.setenv("SNN_SYNTH_DATA", str(tmp_path / "nothing"))
    monkeypatch.setattr("snn_synth.data.fsdd._download", lambda folder: pytest.fail("nothing may be downloaded"))
    assert real_words(FRONT_END) is None
    monkeypatch.setenv("SNN_SYNTH_DATA", write_fsdd(tmp_path / "data"))
    words = real_words(FRONT_END)
    assert words.labels.bincount().tolist() == [5] * 10
    assert words.speakers == ["george"] * 50
    corpus = FSDD()
    place = int(corpus.official_split()[1][17])
    assert torch.equal(words.spectrograms[17], FRONT_END(*(corpus[place][0], 8000)))


def test_noise_is_as_far_below_the_word_as_it_says(tmp_path):
    corpus = FSDD(write_fsdd(tmp_path))
    places = torch.tensor([3, 50, 99])
    clean, noisy = words_at(corpus, places, FRONT_END), words_at(corpus, places, FRONT_END, noise_db=10)
    for one, other in zip(clean.waveforms, noisy.waveforms, strict=True):
        ratio = one.square().mean() / (other - one).square().mean()
        assert 10 * ratio.log10() == pytest.approx(10, abs=0.6)
    assert torch.equal(clean.labels, corpus.labels[places])
    assert not torch.equal(clean.spectrograms, noisy.spectrograms)
