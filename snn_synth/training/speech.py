"""The DataModule of spoken digits paired with images."""

from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from snn_synth.data import (
    FSDD,
    TI46,
    EspeakDigits,
    FrontEnd,
    MelSpectrogram,
    SpokenDigits,
    class_mean_images,
    one_image_per_class,
    one_image_per_utterance,
    spectrograms,
    split_by_speaker,
)
from snn_synth.data.spoken_digits import Recordings
from snn_synth.errors import InputError
from snn_synth.training.hparams import DataModule
from snn_synth.training.images import check_batch_size, hold_out, load_images
from snn_synth.training.loaders import Batches, ResumableLoader, SpeechBatch

Corpus = Literal["fsdd", "ti46", "espeak"]
Pairing = Literal["A", "A-mean", "B"]
Split = Literal["official", "random"]

UNPAIRED = -1


def load_corpus(name: Corpus, root: str | None = None) -> SpokenDigits:
    """A corpus of spoken digits by the name that YAML uses.

    Args:
        name: ``fsdd``, ``ti46`` or ``espeak``.
        root: folder with the data; see :func:`snn_synth.data.data_root`.

    Raises:
        InputError: for an unknown name, or if the data is missing.
    """
    if name == "fsdd":
        return FSDD(root)
    if name == "ti46":
        return TI46(root)
    if name == "espeak":
        return EspeakDigits()
    raise InputError(f"Expected a corpus of ['espeak', 'fsdd', 'ti46'], got {name!r}")


class SpokenDigitsData(DataModule):
    """Utterances of digits as spectrograms, each paired with an image of its digit.

    Args:
        corpus: ``fsdd``, ``ti46`` or ``espeak``.
        images: ``mnist``, ``fashion_mnist`` or ``mnist_subset``.
        pairing: ``A``, one image for each digit, its first; ``A-mean``, the one nearest its class mean; ``B``, another
            image of the digit for each utterance.
        front_end: from waveform to spectrogram.
        split: ``official`` (the corpus's own) or ``random`` (``test_fraction`` by seed).
        held_out_speakers: left out whole; they are test data of their own, see :meth:`held_out_dataloader`.
        test_fraction: of the remaining speakers' utterances, with ``split: random``.
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
        corpus: Corpus = "fsdd",
        images: str = "mnist",
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
        if pairing not in ("A", "A-mean", "B"):
            raise InputError(f"Expected `pairing` to be 'A', 'A-mean' or 'B', got {pairing!r}")
        if split == "official" and corpus == "espeak":
            raise InputError(
                "Expected `split: random` for the espeak corpus, which has no official split, got 'official'"
            )
        front_end = MelSpectrogram() if front_end is None else front_end
        self.corpus_name, self.image_name, self.pairing, self.split = corpus, images, pairing, split
        self.front_end = front_end
        self.held_out_speakers = held_out_speakers or []
        self.test_fraction, self.validation_fraction = test_fraction, validation_fraction
        self.batch_size, self.root, self.seed = batch_size, root, seed

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the labels, in their order."""
        return tuple(map(str, range(10)))

    @property
    def inputs(self) -> int:
        """Values of a spectrogram: the audiocoder's number of inputs."""
        channels, frames = self.front_end.shape
        return channels * frames

    def prepare_data(self) -> None:
        """Download or render, and compute the spectrograms, in one process only."""
        load_images(self.image_name, True, self.root)
        spectrograms(load_corpus(self.corpus_name, self.root), self.front_end)

    def setup(self, stage: str) -> None:
        """Split the utterances and pair them with images."""
        if hasattr(self, "corpus"):
            return
        self.corpus = load_corpus(self.corpus_name, self.root)
        self.spectrograms = spectrograms(self.corpus, self.front_end)
        self.image_set = load_images(self.image_name, True, self.root)
        labels = self.corpus.labels
        train, self.held_out_index = torch.arange(len(labels)), torch.arange(0)
        if self.held_out_speakers:
            train, self.held_out_index = split_by_speaker(self.corpus.speakers, self.held_out_speakers)
        if self.split == "official":
            assert isinstance(self.corpus, Recordings)
            official_train, official_test = self.corpus.official_split()
            self.test_index = train[torch.isin(train, official_test)]
            train = train[torch.isin(train, official_train)]
            if not len(train):
                raise InputError(
                    "Expected recordings to train on, got none beside those that the corpus's own split keeps for the "
                    "test (FSDD's takes 0 to 4): set `split: random`"
                )
        else:
            train, self.test_index = hold_out(train, labels, self.test_fraction, self.seed)
        self.train_index, validation = hold_out(train, labels, self.validation_fraction, self.seed)
        mixed = torch.randperm(len(validation), generator=torch.Generator().manual_seed(self.seed))
        self.validation_index = validation[mixed]  # a corpus is sorted by digit, and pictures show the first batch

        self.image_of = torch.full((len(labels),), UNPAIRED)
        if self.pairing == "B":
            gallery = one_image_per_utterance(labels[self.train_index], self.image_set.labels, self.seed)
            self.image_of[self.train_index] = torch.arange(len(gallery))
        else:
            images, image_labels = self.image_set.images, self.image_set.labels
            first = self.pairing == "A"
            gallery = one_image_per_class(image_labels) if first else class_mean_images(images, image_labels)
            self.image_of = labels.clone()
        self.gallery = self.image_set.images[gallery].unsqueeze(1).float() / 255
        self.gallery_labels = self.image_set.labels[gallery]

    def train_dataloader(self) -> ResumableLoader:
        """Shuffled by (seed, epoch)."""
        return self._loader(self.train_index, shuffle=True)

    def val_dataloader(self) -> list[ResumableLoader]:
        """Digits mixed, always in the same order; none if nothing is held out."""
        return [self._loader(self.validation_index)] if len(self.validation_index) else []

    def test_dataloader(self) -> ResumableLoader:
        """In order."""
        return self._loader(self.test_index)

    def predict_dataloader(self) -> DataLoader[Any]:
        """The test utterances."""
        return self.test_dataloader().plain()

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
