import pytest
import torch

from snn_synth.data import JoinedCorpus, SpokenDigits, SpokenWords, resample
from snn_synth.errors import InputError


class Words(SpokenWords):
    """Two utterances of each word, each a ramp to its place in the corpus."""

    def __init__(self, names=("cat", "dog"), rate=8000, speakers=("ann", "bob"), test=None, version="1"):
        self.names = names
        self.labels = torch.arange(len(names)).repeat_interleave(2)
        self.speakers = list(speakers) * len(names)
        self.takes = [0, 1] * len(names)
        self.sample_rate = rate
        self.test, self.version = test, version

    def __getitem__(self, index):
        return torch.linspace(0, index + 1, 400), int(self.labels[index])

    def official_split(self):
        if self.test is None:
            return None
        places = torch.arange(len(self))
        return places[~torch.isin(places, torch.tensor(self.test))], torch.tensor(self.test)

    def fingerprint(self):
        return self.version


class OtherWords(Words):
    pass


def test_each_utterance_keeps_its_word_whatever_the_order_of_the_names():
    joined = JoinedCorpus([Words(("cat", "dog")), Words(("dog", "cat"))])
    assert joined.names == ("cat", "dog")
    assert joined.labels.tolist() == [0, 0, 1, 1, 1, 1, 0, 0]
    assert [joined[index][1] for index in range(8)] == joined.labels.tolist()
    assert [round(joined[index][0].max().item()) for index in range(8)] == [1, 2, 3, 4, 1, 2, 3, 4]
    assert torch.equal(joined[-1][0], joined[7][0])
    with pytest.raises(IndexError):
        joined[8]


def test_the_lowest_rate_is_taken_unless_one_is_given():
    slow, fast = Words(rate=8000), OtherWords(rate=22050)
    joined = JoinedCorpus([fast, slow])
    assert joined.sample_rate == 8000
    assert torch.equal(joined[1][0], resample(fast[1][0], 22050, 8000))
    assert torch.equal(joined[5][0], slow[1][0])
    assert len(JoinedCorpus([fast, slow], sample_rate=16000)[4][0]) == 800


def test_speakers_of_different_corpora_are_different_people():
    same_kind = JoinedCorpus([Words(), Words(speakers=("ann", "zoe"))])
    assert same_kind.speakers[:2] + same_kind.speakers[4:6] == ["ann", "bob", "ann", "zoe"]
    kinds = JoinedCorpus([Words(), OtherWords(speakers=("ann", "zoe"))])
    assert kinds.speakers[:2] + kinds.speakers[4:6] == ["Words:ann", "bob", "OtherWords:ann", "zoe"]
    assert JoinedCorpus([Words(speakers=("", "")), OtherWords(speakers=("", ""))]).speakers == [""] * 8


def test_a_corpus_without_a_split_is_trained_on():
    joined = JoinedCorpus([Words(), Words(test=[1, 2]), Words()])
    train, test = joined.official_split()
    assert train.tolist() == [0, 1, 2, 3, 4, 7, 8, 9, 10, 11]
    assert test.tolist() == [5, 6]
    assert JoinedCorpus([Words(), Words()]).official_split() is None


def test_the_fingerprint_follows_the_parts_and_their_order():
    prints = {
        JoinedCorpus(parts).fingerprint()
        for parts in (
            [Words(), Words()],
            [Words(), Words(version="2")],
            [Words(version="2"), Words()],
            [Words(), Words(rate=16000)],
        )
    }
    assert len(prints) == 4


def test_other_words_or_none_are_refused():
    with pytest.raises(InputError, match=r"same words to join, got cat, dog of Words and 0, 1, .* of Ten"):

        class Ten(Words, SpokenDigits):
            pass

        JoinedCorpus([Words(), Ten(SpokenDigits.names)])
    with pytest.raises(InputError, match="at least one corpus"):
        JoinedCorpus([])
