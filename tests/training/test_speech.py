import hashlib

import pytest
import torch

from snn_synth.data import ImageDataset, JoinedCorpus, MelSpectrogram, SpokenWords, as_pixels
from snn_synth.data.espeak import MANY_VOICES
from snn_synth.errors import InputError
from snn_synth.metrics import StandardizedMSE
from snn_synth.models import ACSNN
from snn_synth.training import LitAudiocoder, SpokenDigitsData, SpokenWordsData, speech
from snn_synth.training.speech import load_corpus
from tests.training.test_modules import is_plain
from tests.training.tiny import quiet_trainer

WORDS, IMAGES = ("cat", "dog"), ("dog", "cat", "bird")


class Voices(SpokenWords):
    """Three voices say each word six times, each time the same tone; the last two takes are the corpus's own test."""

    def __init__(self, names=WORDS, speakers=("ann", "bob", "zoe"), official=False):
        self.names = tuple(names)
        keys = [(label, speaker, take) for label in range(len(names)) for speaker in speakers for take in range(6)]
        self.labels = torch.tensor([label for label, _, _ in keys])
        self.speakers = [speaker for _, speaker, _ in keys]
        self.takes = [take for _, _, take in keys]
        self.sample_rate = 8000
        self.official = official

    def __getitem__(self, index):
        label = int(self.labels[index])
        return torch.sin(torch.arange(800) * (label + 1) / 5), label

    def official_split(self):
        test = torch.tensor([take > 3 for take in self.takes])
        return (torch.nonzero(~test).flatten(), torch.nonzero(test).flatten()) if self.official else None

    def fingerprint(self):
        return hashlib.sha256(repr((self.names, self.speakers)).encode()).hexdigest()


class Pictures(ImageDataset):
    """Twenty images of each class; the number of an image is its grey value."""

    def __init__(self, names=IMAGES):
        numbers = torch.arange(20 * len(names))
        super().__init__(numbers.to(torch.uint8)[:, None, None].expand(-1, 28, 28), numbers % len(names), names)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SNN_SYNTH_CACHE", str(tmp_path))


def words_data(corpus=None, images=None, **settings):
    options = {"split": "random", "front_end": MelSpectrogram(channels=8, frames=10)} | settings
    return SpokenWordsData(corpus or Voices(), images or Pictures(), **options)


def set_up(data):
    data.prepare_data()
    data.setup("fit")
    return data


def test_words_are_paired_with_the_images_of_their_name():
    data = set_up(words_data())
    assert data.names == WORDS
    assert data.gallery_labels.tolist() == [0, 1]
    assert (255 * data.gallery[:, 0, 0, 0]).round().tolist() == [1, 0]  # the first cat, the first dog; no bird
    batch = data.batch(torch.tensor([0, 20]))
    assert batch.labels.tolist() == batch.image.tolist() == [0, 1]


def test_sounds_and_images_are_read_once_for_all_stages(monkeypatch):
    data, reads = words_data(), []
    for name in ("load_corpus", "load_images", "spectrograms"):
        original = getattr(speech, name)
        monkeypatch.setattr(
            speech, name, lambda *what, name=name, original=original: (reads.append(name), original(*what))[1]
        )
    for stage in ("fit", "test", "predict"):
        data.prepare_data()
        data.setup(stage)
    assert sorted(reads) == ["load_corpus", "load_images", "spectrograms"]


def places(loader):
    return [place for batch in loader for place in batch.index.tolist()]


def test_training_is_shuffled_in_each_epoch_and_the_rest_comes_always_alike():
    data = set_up(words_data(batch_size=5, validation_fraction=0.4, seed=3))
    loader, orders = data.train_dataloader(), []
    for epoch in range(2):
        loader.sampler.set_epoch(epoch)
        orders.append(places(loader))
    assert [len(order) for order in orders] == [len(data.train_index) // 5 * 5] * 2, "no batch that is not full"
    assert orders[0] != orders[1]
    assert set(orders[0]) < set(data.train_index.tolist())
    (validation,) = data.val_dataloader()
    assert places(validation) == data.validation_index.tolist() != sorted(data.validation_index.tolist())
    assert places(data.test_dataloader()) == places(data.predict_dataloader()) == data.test_index.tolist()
    assert len(data.held_out_index) == len(places(data.held_out_dataloader())) == 0
    assert not data.tests_unheard
    everything = torch.cat([data.train_index, data.validation_index, data.test_index])
    assert everything.sort().values.tolist() == list(range(36))


def test_nothing_validates_if_nothing_is_asked_to():
    data = set_up(words_data(validation_fraction=0.0))
    assert data.val_dataloader() == []
    assert len(data.train_index) + len(data.test_index) == 36


@pytest.mark.parametrize("split", ["official", "random"])
def test_speakers_may_be_left_out_beside_any_split(split):
    data = set_up(words_data(Voices(official=True), split=split, held_out_speakers=["bob"], test_fraction=0.25))
    speaker = data.corpus.speakers
    assert places(data.held_out_dataloader()) == [index for index, name in enumerate(speaker) if name == "bob"]
    rest = torch.cat([data.train_index, data.validation_index, data.test_index])
    assert {speaker[index] for index in rest} == {"ann", "zoe"}
    assert len(rest) == 24
    tested = [data.corpus.takes[index] for index in data.test_index]
    assert len(tested) == (8 if split == "official" else 6)
    assert (min(tested) > 3) == (split == "official"), "a random test is not of the last takes alone"
    assert places(data.test_dataloader()) == data.test_index.tolist()


def test_images_by_name_are_those_to_train_on():
    from snn_synth.data import MNISTSubset

    data = set_up(words_data(Voices([str(number) for number in range(10)]), "mnist_subset"))
    digits = MNISTSubset(train=True)
    first = torch.stack([digits.images[digits.labels == label][0] for label in range(10)])
    assert torch.equal((255 * data.gallery[:, 0]).round().to(torch.uint8), first)
    assert (data.image_name, words_data().image_name) == ("mnist_subset", "Pictures")


def test_pairing_by_the_class_mean_and_by_utterance():
    mean = set_up(words_data(pairing="A-mean"))
    numbers = (255 * mean.gallery[:, 0, 0, 0]).round().tolist()
    assert numbers == [28, 27]  # the cats are 1, 4, ... 58 with mean 29.5, the dogs 0, 3, ... 57 with 28.5
    each = set_up(words_data(pairing="B"))
    assert len(each.gallery) == len(each.train_index)
    assert torch.equal(each.gallery_labels[each.image_of[each.train_index]], each.corpus.labels[each.train_index])
    shown = (255 * each.gallery[:, 0, 0, 0]).round().long()
    assert len(set(shown.tolist())) == len(shown)
    assert [IMAGES[number % 3] for number in shown.tolist()] == [WORDS[label] for label in each.gallery_labels.tolist()]


def test_words_without_images_are_named_before_anything_is_computed():
    data = words_data(Voices(("cat", "dog", "sun")))
    with pytest.raises(InputError, match="found none of 'sun' among the images of 'dog', 'cat', 'bird'"):
        data.prepare_data()


def test_digits_are_paired_by_number_with_the_sets_that_come_with_the_package(monkeypatch):
    from snn_synth.data import FashionMNIST

    class Clothes(FashionMNIST):
        def __init__(self):
            pictures = Pictures([str(number) for number in range(10)])
            self.images, self.labels = pictures.images, pictures.labels

    digits = Voices([str(number) for number in range(10)])
    assert set_up(words_data(digits, Clothes())).gallery_labels.tolist() == list(range(10))
    with pytest.raises(InputError, match="none of '0', '1'"):
        words_data(digits, Pictures([f"class {number}" for number in range(10)])).prepare_data()
    with pytest.raises(InputError, match="none of 'cat', 'dog' among the images of 'T-shirt/top'"):
        words_data(Voices(), Clothes()).prepare_data()


@pytest.mark.parametrize("official", [True, False])
def test_one_speaker_is_left_out(official):
    data = set_up(words_data(Voices(official=official), split="leave-one-speaker-out", held_out_speakers=["bob"]))
    unheard, heard = data.test_dataloader()
    speaker = data.corpus.speakers
    places = torch.cat([batch.index for batch in unheard])
    assert [index for index, name in enumerate(speaker) if name == "bob"] == places.tolist()
    tested = torch.cat([batch.index for batch in heard]).tolist()
    trained = torch.cat([data.train_index, data.validation_index]).tolist()
    assert {speaker[index] for index in tested} == {speaker[index] for index in trained} == {"ann", "zoe"}
    assert sorted(trained + tested + places.tolist()) == list(range(36))
    if official:
        assert all(data.corpus.takes[index] > 3 for index in tested)
    assert torch.cat([batch.index for batch in data.predict_dataloader()]).tolist() == places.tolist()


@pytest.mark.parametrize(
    ("speakers", "held_out", "sentence"),
    [
        (("ann", "bob", "zoe"), ["eve"], "among ann, bob, zoe, got eve"),
        (("ann", "bob", "zoe"), None, "one speaker to leave out, got none"),
        (("ann", "bob"), ["ann"], "at least three speakers"),
        (("", ""), ["ann"], "got 24 samples without"),
    ],
)
def test_speakers_that_cannot_be_left_out(speakers, held_out, sentence):
    data = words_data(Voices(speakers=speakers), split="leave-one-speaker-out", held_out_speakers=held_out)
    with pytest.raises(InputError, match=sentence):
        data.prepare_data()


def test_a_split_that_the_corpus_does_not_have():
    with pytest.raises(InputError, match="Expected `split: random` for Voices, which has no official split"):
        words_data(split="official").prepare_data()
    with pytest.raises(InputError, match=r"Expected `split` of .*, got 'none'"):
        words_data(split="none")


def test_the_record_of_a_run_names_the_data_sets():
    recorded = words_data().hparams["corpus"]
    assert recorded["class_path"].endswith("test_speech.Voices")
    assert recorded["init_args"] == {"names": list(WORDS), "speakers": ["ann", "bob", "zoe"], "official": False}
    assert is_plain(dict(words_data().hparams))


def test_corpora_by_name(tmp_path):
    with pytest.raises(InputError, match=r"Expected a corpus of \['audiomnist', .*, got 'wsj'"):
        load_corpus("fsdd+wsj", str(tmp_path))
    corpus = Voices()
    assert load_corpus(corpus) is corpus
    assert issubclass(SpokenDigitsData, SpokenWordsData)


def test_corpora_are_made_by_name_and_joined(monkeypatch):
    asked = []

    def voices(root):
        asked.append(root)
        return Voices()

    monkeypatch.setitem(speech.CORPORA, "fsdd", voices)
    monkeypatch.setitem(speech.CORPORA, "ti46", voices)
    assert type(load_corpus("fsdd", "/a")) is Voices
    joined = load_corpus("fsdd+ti46", "/b")
    assert (type(joined), len(joined)) == (JoinedCorpus, 72)
    assert asked == ["/a", "/b", "/b"]
    made = []
    monkeypatch.setattr(speech, "EspeakDigits", lambda *given, **settings: made.append((given, settings)))
    for name in ("espeak", "espeak-many"):
        load_corpus(name)
    assert made == [((), {}), ((MANY_VOICES,), {"takes": 1})]


def test_a_corpus_that_is_all_test_is_refused():
    class Tested(Voices):
        def official_split(self):
            return torch.arange(0), torch.arange(len(self))

    with pytest.raises(InputError, match="Expected recordings to train on, got none"):
        words_data(Tested(), split="official").prepare_data()


def colours():
    """Red and green stripes, eight of each, of 6 x 5 pixels."""
    images = torch.zeros(16, 3, 6, 5, dtype=torch.uint8)
    images[:8, 0, :, ::2], images[8:, 1, ::3] = 250, 250
    return ImageDataset(images, torch.arange(2).repeat_interleave(8), ("cat", "dog"))


def test_colour_of_any_size_goes_from_few_images_to_drawings(tmp_path):
    torch.manual_seed(0)
    module = LitAudiocoder(ACSNN(80, 24, 16), hidden_steps=3, num_steps=8)
    trainer = quiet_trainer(tmp_path, max_epochs=1)
    data = words_data(images=colours())
    trainer.fit(module, data)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    a2i = LitAudiocoder.load_from_checkpoint(tmp_path / "a.ckpt").audio_to_image()
    assert (a2i.image_shape, a2i.labels) == ((3, 6, 5), WORDS)
    assert torch.equal(a2i.gallery, data.gallery)
    drawn = a2i.synthesize(data.spectrograms[:4].float(), 8, torch.Generator().manual_seed(0))
    assert drawn.shape == (4, 3, 6, 5)
    assert a2i.recognize(drawn).shape == (4, 2)
    error = StandardizedMSE()  # of an autoencoder that has seen 16 images, one at a time, 30 times
    shown = as_pixels(colours().images)
    error.update(a2i.autoencoder.reconstruct(shown, 15, torch.Generator().manual_seed(0)), shown)
    assert error.compute() < 0.3


class SplitPictures(Pictures):
    def official_split(self):
        places = torch.arange(len(self))
        return places[30:], places[:30]


def test_images_that_are_for_tests_are_not_drawn():
    data = set_up(words_data(images=SplitPictures()))
    assert (255 * data.gallery[:, 0, 0, 0]).round().tolist() == [31, 30]
