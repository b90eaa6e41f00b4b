"""The DataModule of spoken words paired with images."""

import functools
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from snn_synth.data import (
    FSDD,
    MNIST,
    TI46,
    AudioMNIST,
    EspeakDigits,
    FrontEnd,
    ImageDataset,
    JoinedCorpus,
    MelSpectrogram,
    SpeechCommands,
    SpokenDigits,
    SpokenWords,
    as_pixels,
    as_words,
    class_mean_images,
    leave_one_speaker_out,
    match_names,
    one_image_per_class,
    one_image_per_utterance,
    spectrograms,
    split_by_speaker,
)
from snn_synth.data.espeak import MANY_VOICES
from snn_synth.errors import InputError
from snn_synth.training.hparams import DataModule
from snn_synth.training.images import check_batch_size, hold_out, load_images
from snn_synth.training.loaders import Batches, ResumableLoader, SpeechBatch

CORPORA: dict[str, Callable[[str | None], SpokenWords]] = {
    "audiomnist": AudioMNIST,
    "espeak": lambda root: EspeakDigits(),
    "espeak-many": lambda root: EspeakDigits(MANY_VOICES, takes=1),
    "fsdd": FSDD,
    "speech_commands": SpeechCommands,
    "ti46": TI46,
}
"""Short names of the corpora that come with the package; any other is given by its class."""
Pairing = Literal["A", "A-mean", "B"]
Split = Literal["official", "random", "leave-one-speaker-out"]

UNPAIRED = -1


def load_corpus(corpus: SpokenWords | str, root: str | None = None) -> SpokenWords:
    """A corpus by the name that YAML uses.

    Args:
        corpus: ``fsdd``, ``ti46``, ``audiomnist``, ``speech_commands``, ``espeak`` (16 voices, 26 takes) or
            ``espeak-many`` (267 voices, one take), or several of them joined by ``+``; or the corpus itself.
        root: folder with the data; see :func:`snn_synth.data.data_root`.

    Raises:
        InputError: for an unknown name, or if the data is missing.
    """
    if isinstance(corpus, SpokenWords):
        return corpus
    names = corpus.split("+")
    for name in names:
        if name not in CORPORA:
            raise InputError(
                f"Expected a corpus of {list(CORPORA)}, several joined by +, or one by its class_path, got {name!r}"
            )
    found = [CORPORA[name](root) for name in names]
    return found[0] if len(found) == 1 else JoinedCorpus(found)


class Parts(NamedTuple):
    """Places of a corpus's utterances."""

    train: Tensor
    """With those to validate."""
    test: Tensor
    """Of speakers that are trained on."""
    held_out: Tensor
    """All those of the speakers that are not."""


class Sources(NamedTuple):
    """A corpus with its spectrograms, and the images that its words become."""

    corpus: SpokenWords
    images: ImageDataset
    classes: list[int]
    """The images' label of each word."""
    parts: Parts
    spectrograms: Tensor


class SpokenWordsData(DataModule):
    """Utterances of words as spectrograms, each paired with an image of its word.

    A word is paired with the images of its name; images of no word are left out. Digits are paired with MNIST and
    Fashion-MNIST by number.

    Args:
        corpus: ``fsdd``, ``ti46``, ``audiomnist``, ``speech_commands``, ``espeak`` or ``espeak-many``, several
            joined by ``+`` (``fsdd+espeak-many``), or any :class:`~snn_synth.data.SpokenWords`, in YAML by its
            ``class_path``.
        images: ``mnist``, ``fashion_mnist`` or ``mnist_subset``, or any :class:`~snn_synth.data.ImageDataset`.
        pairing: ``A``, one image for each word, its first; ``A-mean``, the one nearest its class mean; ``B``, another
            image of the word for each utterance.
        front_end: from waveform to spectrogram.
        split: ``official`` (the corpus's own), ``random`` (``test_fraction`` by seed), or ``leave-one-speaker-out``:
            all words of one speaker are the test, and the other speakers' test words a second one, of heard voices.
        held_out_speakers: left out whole; they are test data of their own, see :meth:`held_out_dataloader`. One to
            leave out.
        test_fraction: of the remaining speakers' utterances, where the corpus's own split is not used.
        validation_fraction: of the training utterances; 0 validates nothing.
        batch_size: of one process.
        root: folder with the data; ``SNN_SYNTH_DATA`` if not given.
        seed: of pairing, splits and order.

    Raises:
        InputError: for settings that do not fit each other or the corpus.

    Source:
        Roy, Panda & Roy 2019, section 4.2.1.
    """

    def __init__(
        self,
        corpus: SpokenWords | str = "fsdd",
        images: ImageDataset | str = "mnist",
        pairing: Pairing = "A",
        front_end: FrontEnd | None = None,
        split: Split = "official",
        held_out_speakers: list[str] | None = None,
        test_fraction: float = 0.15,
        validation_fraction: float = 0.1,
        batch_size: int = 50,
        root: str | None = None,
        seed: int = 0,
    ) -> None:
        """Check and keep the settings."""
        super().__init__()
        check_batch_size(batch_size)
        for name, value, known in (("pairing", pairing, Pairing), ("split", split, Split)):
            if value not in get_args(known):
                raise InputError(f"Expected `{name}` of {list(get_args(known))}, got {value!r}")
        front_end = MelSpectrogram() if front_end is None else front_end
        self.corpus_source, self.image_source, self.pairing, self.split = corpus, images, pairing, split
        self.image_name = images if isinstance(images, str) else type(images).__name__
        self.front_end = front_end
        self.held_out_speakers = held_out_speakers or []
        self.test_fraction, self.validation_fraction = test_fraction, validation_fraction
        self.batch_size, self.root, self.seed = batch_size, root, seed

    @property
    def inputs(self) -> int:
        """Values of a spectrogram: the audiocoder's number of inputs."""
        channels, frames = self.front_end.shape
        return channels * frames

    @property
    def names(self) -> tuple[str, ...]:
        """The words, in the order of their labels; known after ``setup``."""
        return self.corpus.names

    def prepare_data(self) -> None:
        """Download or render, check that all fits, and compute the spectrograms, in one process only."""
        _ = self._sources

    def setup(self, stage: str) -> None:
        """Split the utterances and pair them with images."""
        if hasattr(self, "corpus"):
            return
        corpus, self.image_set, classes, parts, self.spectrograms = self._sources
        train, self.test_index, self.held_out_index = parts
        labels = corpus.labels
        self.train_index, validation = hold_out(
            train, labels, self.validation_fraction, self.seed, "validation_fraction"
        )
        mixed = torch.randperm(len(validation), generator=torch.Generator().manual_seed(self.seed))
        self.validation_index = validation[mixed]  # a corpus is sorted by label, and pictures show the first batch
        self._pair(labels, as_words(self.image_set.labels, classes), len(corpus.names))
        self.corpus = corpus

    @functools.cached_property
    def _sources(self) -> Sources:
        """What all is made of, read once."""
        corpus = load_corpus(self.corpus_source, self.root)
        parts = self._divide(corpus)
        images = load_images(self.image_source, True, self.root)
        return Sources(corpus, images, _classes(corpus, images), parts, spectrograms(corpus, self.front_end))

    def _divide(self, corpus: SpokenWords) -> Parts:
        """Who trains and who tests."""
        kind, official = type(corpus).__name__, corpus.official_split()
        rest = torch.arange(len(corpus))
        held_out = rest[:0]
        if self.split == "leave-one-speaker-out":
            rest, held_out = leave_one_speaker_out(corpus.speakers, self.held_out_speakers)
        elif self.held_out_speakers:
            rest, held_out = split_by_speaker(corpus.speakers, self.held_out_speakers)
        if self.split == "official" and official is None:
            raise InputError(f"Expected `split: random` for {kind}, which has no official split, got 'official'")
        if self.split == "random" or official is None:
            return Parts(*hold_out(rest, corpus.labels, self.test_fraction, self.seed, "test_fraction"), held_out)
        train, test = (rest[torch.isin(rest, part)] for part in official)
        if not len(train):
            raise InputError(
                "Expected recordings to train on, got none beside those that the corpus's own split keeps for the "
                "test (FSDD's takes 0 to 4): set `split: random`"
            )
        return Parts(train, test, held_out)

    def _pair(self, labels: Tensor, image_labels: Tensor, words: int) -> None:
        """Choose the images of each label, and which of them each utterance is to become."""
        self.image_of = torch.full((len(labels),), UNPAIRED)
        if self.pairing == "B":
            gallery = one_image_per_utterance(labels[self.train_index], image_labels, self.seed)
            self.image_of[self.train_index] = torch.arange(len(gallery))
        else:
            first = self.pairing == "A"
            gallery = (
                one_image_per_class(image_labels, words)
                if first
                else class_mean_images(self.image_set.images, image_labels, words)
            )
            self.image_of = labels.clone()
        self.gallery = as_pixels(self.image_set.images[gallery])
        self.gallery_labels = image_labels[gallery]

    def train_dataloader(self) -> ResumableLoader:
        """Shuffled by (seed, epoch)."""
        return self._loader(self.train_index, shuffle=True)

    def val_dataloader(self) -> list[ResumableLoader]:
        """Digits mixed, always in the same order; none if nothing is held out."""
        return [self._loader(self.validation_index)] if len(self.validation_index) else []

    def test_dataloader(self) -> ResumableLoader | list[ResumableLoader]:
        """In order; where one speaker is left out, that one's words, then those of heard voices if there are any."""
        if self.split != "leave-one-speaker-out":
            return self._loader(self.test_index)
        return [self._loader(index) for index in (self.held_out_index, self.test_index) if len(index)]

    def predict_dataloader(self) -> DataLoader[Any]:
        """The test utterances; where one speaker is left out, that one's."""
        index = self.test_index if self.split != "leave-one-speaker-out" else self.held_out_index
        return self._loader(index).plain()

    def held_out_dataloader(self) -> ResumableLoader:
        """All utterances of the held-out speakers, in order."""
        return self._loader(self.held_out_index)

    def batch(self, places: Tensor) -> SpeechBatch:
        """The utterances at some places of the corpus."""
        return SpeechBatch(self.spectrograms[places].float(), self.corpus.labels[places], places, self.image_of[places])

    def _loader(self, index: Tensor, shuffle: bool = False) -> ResumableLoader:
        return ResumableLoader(
            Batches(index, self.batch), self.batch_size, shuffle=shuffle, seed=self.seed, drop_last=shuffle
        )


class SpokenDigitsData(SpokenWordsData):
    """Spoken digits paired with images: FSDD and MNIST if nothing else is given."""


def _classes(corpus: SpokenWords, images: ImageDataset) -> list[int]:
    """The images' label of each word."""
    if corpus.names == SpokenDigits.names and isinstance(images, MNIST):  # Fashion-MNIST's clothes are numbered, too
        return list(range(len(corpus.names)))
    return match_names(corpus.names, images.names)
