import pytest
import torch

from snn_synth.data import FSDD, MelSpectrogram
from snn_synth.experiments.demo_words import NOISES, real_words, words_at
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


@pytest.mark.parametrize(("name", "longer"), list(zip(NOISES, (0, 8000), strict=True)))
def test_words_with_noise_are_the_same_words(name, longer, tmp_path):
    corpus, places = FSDD(write_fsdd(tmp_path)), torch.tensor([3, 50, 99])
    clean, noisy = (words_at(corpus, places, FRONT_END, noise) for noise in (None, NOISES[name]))
    for one, other in zip(clean.waveforms, noisy.waveforms, strict=True):
        assert len(other) == len(one) + longer
        word = other[longer // 2 : len(one) + longer // 2]
        ratio = 10 * (one.square().mean() / (word - one).square().mean()).log10()
        assert ratio == pytest.approx(20 if longer else 10, abs=0.7)
    assert torch.equal(clean.labels, corpus.labels[places])
    assert not torch.equal(noisy.waveforms[0][:100], noisy.waveforms[1][:100])
