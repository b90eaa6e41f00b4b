"""The DataModule of spoken words paired with images."""

import functools
from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from snn_synth.data import (
    FSDD,
    TI46,
    AudioMNIST,
    EspeakDigits,
    FrontEnd,
    ImageDataset,
    JoinedCorpus,
    MelSpectrogram,
    SpeechCommands,
    SpokenWords,
    leave_one_speaker_out,
    spectrograms,
    split_by_speaker,
)
from snn_synth.data.espeak import MANY_VOICES
from snn_synth.errors import InputError
from snn_synth.training.images import load_images
from snn_synth.training.loaders import SpeechBatch
from snn_synth.training.splits import hold_out
from snn_synth.training.words import PairedWords, Pairing, Parts, classes_of

CORPORA: dict[str, Callable[[str | None], SpokenWords]] = {
    "audiomnist": AudioMNIST,
    "espeak": lambda root: EspeakDigits(),
    "espeak-many": lambda root: EspeakDigits(MANY_VOICES, takes=1),
    "fsdd": FSDD,
    "speech_commands": SpeechCommands,
    "ti46": TI46,
}
"""Short names of the corpora that come with the package; any other is given by its class."""
Split = Literal["official", "random", "leave-one-speaker-out"]


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


class Sources(NamedTuple):
    """A corpus with its spectrograms, and the images that its words become."""

    corpus: SpokenWords
    images: ImageDataset
    classes: list[int]
    """The images' label of each word."""
    parts: Parts
    spectrograms: Tensor


class SpokenWordsData(PairedWords):
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

    Example:
        >>> data = SpokenWordsData("fsdd+espeak-many", front_end=MelSpectrogram(frames=50), pairing="B")
        >>> data.inputs, data.tests_unheard  # the files are read by `setup`, or a Trainer
        (1950, False)
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
        super().__init__(images, pairing, validation_fraction, batch_size, root, seed)
        if split not in get_args(Split):
            raise InputError(f"Expected `split` of {list(get_args(Split))}, got {split!r}")
        self.corpus_source, self.split = corpus, split
        self.front_end: FrontEnd = MelSpectrogram() if front_end is None else front_end
        self.held_out_speakers = held_out_speakers or []
        self.test_fraction = test_fraction

    @property
    def tests_unheard(self) -> bool:
        """Whether one speaker is left out."""
        return self.split == "leave-one-speaker-out"

    @property
    def inputs(self) -> int:  # type: ignore[override]
        """Values of a spectrogram: the audiocoder's number of inputs."""
        channels, frames = self.front_end.shape
        return channels * frames

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """The words, in the order of their labels; known after ``setup``."""
        return self.corpus.names

    def setup(self, stage: str) -> None:
        """Split the utterances and pair them with images."""
        if hasattr(self, "corpus"):
            return
        corpus, images, classes, parts, self.spectrograms = self._sources
        self._arrange(corpus.labels, len(corpus.names), images, classes, parts)
        self.corpus = corpus

    @functools.cached_property
    def _sources(self) -> Sources:
        """What all is made of, read once."""
        corpus = load_corpus(self.corpus_source, self.root)
        parts = self._divide(corpus)
        images = load_images(self.image_source, True, self.root)
        classes = classes_of(corpus.names, images)
        return Sources(corpus, images, classes, parts, spectrograms(corpus, self.front_end))

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

    def batch(self, places: Tensor) -> SpeechBatch:
        """The utterances at some places of the corpus."""
        return SpeechBatch(self.spectrograms[places].float(), self.corpus.labels[places], places, self.image_of[places])


class SpokenDigitsData(SpokenWordsData):
    """Spoken digits paired with images: FSDD and MNIST if nothing else is given.

    Example:
        >>> data = SpokenDigitsData()
        >>> data.corpus_source, data.image_source, data.inputs  # the files are read by `setup`, or a Trainer
        ('fsdd', 'mnist', 3900)
    """
