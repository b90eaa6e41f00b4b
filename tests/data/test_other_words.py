from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from torch.utils.data import Dataset, IterableDataset

from snn_synth.data import WordsFrom, resample
from snn_synth.errors import InputError

TONE = torch.sin(torch.arange(800) / 4)


class Pairs(Dataset):
    """A torch Dataset, whose items are as those of torchaudio's."""

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, place):
        return self.items[place]


class HuggingFace(Pairs):
    """A Hugging Face data set as far as it is used: columns, and the names of a ClassLabel."""

    def __init__(self, items, names=None):
        super().__init__(items)
        self.features = {"label": SimpleNamespace(names=names), "audio": SimpleNamespace()}


class Decoder:
    def get_all_samples(self):
        return SimpleNamespace(data=torch.stack([TONE, 3 * TONE]), sample_rate=16000)


def test_a_torch_dataset_of_waveform_rate_and_label():
    dataset = Pairs([(TONE, 8000, "yes", "ann"), (TONE[None], 16000, "no", "bob"), (TONE.numpy(), 8000, "yes", "ann")])
    corpus = WordsFrom(dataset, speaker=3)
    assert corpus.names == ("no", "yes")
    assert corpus.labels.tolist() == [1, 0, 1]
    assert corpus.speakers == ["ann", "bob", "ann"]
    assert corpus.takes == [0, 0, 1]
    assert torch.equal(corpus[0][0], resample(TONE, 8000, 16000))
    assert torch.equal(corpus[1][0], TONE)
    assert [corpus[place][1] for place in range(3)] == [1, 0, 1]
    assert WordsFrom(dataset).speakers == [""] * 3


def test_a_hugging_face_dataset(tmp_path):
    soundfile.write(tmp_path / "a.wav", TONE.numpy(), 16000)
    sounds = [
        {"array": TONE.double().numpy(), "sampling_rate": 8000, "path": None},
        Decoder(),
        {"path": str(tmp_path / "a.wav"), "bytes": None},
    ]
    items = [{"audio": sound, "label": place % 2, "who": place} for place, sound in enumerate(sounds)]
    corpus = WordsFrom(HuggingFace(items, ["left", "right"]), speaker="who")
    assert corpus.names == ("left", "right")
    assert corpus.labels.tolist() == [0, 1, 0]
    assert corpus.speakers == ["0", "1", "2"]
    assert torch.allclose(corpus[0][0], resample(TONE, 8000, 16000))
    assert torch.allclose(corpus[1][0], 2 * TONE)
    assert torch.allclose(corpus[2][0], TONE, atol=1e-4)


def test_names_of_numbers():
    items = [(TONE, 8000, torch.tensor(2)), (TONE, 8000, np.int64(7))]
    assert WordsFrom(items).names == ("2", "7")
    named = WordsFrom([(TONE, 8000, 2), (TONE, 8000, 0)], names=["a", "b", "c"])
    assert (named.names, named.labels.tolist()) == (("a", "b", "c"), [2, 0])
    with pytest.raises(InputError, match="labels of the words a, b, got 2"):
        WordsFrom(items, names=["a", "b"])


def test_the_fingerprint_follows_the_waveforms():
    prints = {
        WordsFrom([(tone, rate, "yes"), (TONE, 8000, "no")]).fingerprint()
        for tone, rate in ((TONE, 8000), (2 * TONE, 8000), (TONE, 16000))
    }
    assert len(prints) == 3


class Undecodable(Pairs):
    def __getitem__(self, place):
        raise ImportError("To support decoding audio data, please install 'torchcodec'.")


class Stream(IterableDataset):
    def __iter__(self):
        return iter([(TONE, 8000, "yes")])


@pytest.mark.parametrize(
    ("dataset", "sentence"),
    [
        (Stream(), "with a length and places, got a Stream"),
        (Undecodable([1]), "items can be read, got .*install 'torchcodec'.* from item 0"),
        ([(TONE, 8000)], "items .waveform, sample rate, label., .*, got tuple as item 0"),
        ([{"sound": TONE, "label": 1}], "columns 'audio', 'label', got .'sound', 'label'. as item 0"),
        ([{"audio": {"path": "a.wav", "bytes": b"RIFF"}, "label": 1}], "decoded sound .*cast_column.*, in item 0"),
        ([(torch.zeros(80), 8000, "yes")], r"finite sound in it, got \[80\] without as item 0"),
        ([(TONE / 0, 8000, "yes")], "finite sound"),
        ([(torch.zeros(0), 8000, "yes")], "finite sound"),
        ([(TONE[None, None], 8000, "yes")], r"got \[1, 1, 800\]"),
        ([(TONE, 8000, True)], "whole numbers or words as labels, got bool as item 0"),
        ({(TONE, 8000, "yes")}, "with a length and places, got a set"),
        ([{"audio": {"bytes": b"RIFF"}, "label": 1}], "decoded sound .*got dict of its bytes: .*, in item 0"),
        ([{"audio": "a.wav", "label": 1}], r"decoded sound \(.*\), got str, in item 0"),
        ([(TONE, 8000, 1.5)], "whole numbers or words as labels, got float as item 0"),
        ([(TONE, 8000, "yes"), (TONE, 8000, 1)], "whole numbers or words as labels, got both"),
        ([(TONE, 8000, "yes")] * 2, r"at least two words, got \['yes'\] in 2 utterances"),
        ([], r"at least two words, got \[\] in 0 utterances"),
    ],
)
def test_datasets_that_hold_no_words(dataset, sentence):
    with pytest.raises(InputError, match=sentence):
        WordsFrom(dataset)


@pytest.mark.parametrize(("rate", "taken"), [(1, True), (384_000, True), (0, False), (384_001, False)])
def test_the_limits_of_the_rate(rate, taken):
    items = [(TONE, 8000, "yes"), (TONE, 8000, "no")]
    if taken:
        assert WordsFrom(items, sample_rate=rate).sample_rate == rate
    else:
        with pytest.raises(InputError, match="`sample_rate` to be a whole number from 1 to 384000"):
            WordsFrom(items, sample_rate=rate)


def test_a_sound_as_quiet_as_may_be():
    quiet = TONE / TONE.abs().max() * 1e-4
    assert len(WordsFrom([(quiet, 16000, "yes"), (TONE, 16000, "no")])) == 2


def test_words_have_the_place_that_their_names_are_given():
    items = [(TONE, 16000, "cat"), (2 * TONE, 16000, "dog"), (3 * TONE, 16000, "cat")]
    corpus = WordsFrom(items, names=["dog", "bird", "cat"])
    assert (corpus.names, corpus.labels.tolist()) == (("dog", "bird", "cat"), [2, 0, 2])
    assert torch.equal(corpus[-1][0], 3 * TONE)
    with pytest.raises(IndexError):
        corpus[3]
    with pytest.raises(InputError, match="labels of the words dog, bird, got 'cat'"):
        WordsFrom(items, names=["dog", "bird"])
    with pytest.raises(InputError, match="labels of the words a, b, got -1"):
        WordsFrom([(TONE, 8000, 0), (TONE, 8000, -1)], names=["a", "b"])


def test_names_given_come_before_those_of_the_data_set():
    items = [{"audio": {"array": TONE, "sampling_rate": 8000}, "label": label} for label in (0, 1)]
    assert WordsFrom(HuggingFace(items, ["left", "right"]), names=["a", "b"]).names == ("a", "b")
    assert WordsFrom(HuggingFace(items, None)).names == ("0", "1")
