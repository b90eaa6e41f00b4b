"""What the DataModules of spoken words share: each word is paired with an image."""

from abc import abstractmethod
from typing import Any, ClassVar, Literal, NamedTuple, get_args

import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.utils.data import DataLoader

from snn_synth.data import (
    MNIST,
    FrontEnd,
    ImageDataset,
    SpokenDigits,
    as_pixels,
    as_words,
    class_mean_images,
    match_names,
    one_image_per_class,
    one_image_per_utterance,
)
from snn_synth.errors import InputError
from snn_synth.training.hparams import DataModule
from snn_synth.training.loaders import Batches, ResumableLoader, SpeechBatch
from snn_synth.training.splits import check_batch_size, hold_out, mixed

Pairing = Literal["A", "A-mean", "B"]

UNPAIRED = -1


class Parts(NamedTuple):
    """Places of a corpus's utterances."""

    train: Tensor
    """With those to validate, if no others are."""
    test: Tensor
    """Of speakers that are trained on."""
    held_out: Tensor
    """All those of the speakers that are not."""
    validation: Tensor | None = None
    """To validate, where the corpus says which; else they are taken from ``train``."""


class PairedWords(DataModule):
    """Base class: utterances of words, each paired with an image of its word.

    Args:
        images: by name, or a data set.
        pairing: ``A``, one image for each word, its first; ``A-mean``, the one nearest its class mean; ``B``, another
            image of the word for each utterance.
        validation_fraction: of the training utterances; 0 validates nothing.
        batch_size: of one process.
        root: folder with the data; ``SNN_SYNTH_DATA`` if not given.
        seed: of pairing, splits and order.

    Raises:
        InputError: for a batch size below 1 or an unknown pairing.

    Source:
        Roy, Panda & Roy 2019, section 4.2.1.
    """

    batch_kind: ClassVar[Any] = SpeechBatch
    """Fields of its batches."""
    front_end: FrontEnd | None = None
    """From waveform to spectrogram; none where the recordings are spikes."""
    inputs: int
    """Values of a time step: the audiocoder's number of inputs."""
    names: tuple[str, ...]
    """The words, in the order of their labels; known after ``setup``."""
    _sources: Any
    """What all is made of, read once."""

    def __init__(
        self,
        images: ImageDataset | str,
        pairing: Pairing,
        validation_fraction: float,
        batch_size: int,
        root: str | None,
        seed: int,
    ) -> None:
        """Check and keep the settings."""
        super().__init__()
        check_batch_size(batch_size)
        if pairing not in get_args(Pairing):
            raise InputError(f"Expected `pairing` of {list(get_args(Pairing))}, got {pairing!r}")
        self.image_source, self.pairing = images, pairing
        self.image_name = images if isinstance(images, str) else type(images).__name__
        self.validation_fraction, self.batch_size, self.root, self.seed = validation_fraction, batch_size, root, seed

    @property
    def tests_unheard(self) -> bool:
        """Whether the test is of the held-out speakers, and those who are trained on have a test of their own."""
        return False

    def prepare_data(self) -> None:
        """Download or make what the words and images are read from, and check that all fits, in one process only."""
        _ = self._sources

    def _arrange(self, labels: Tensor, words: int, images: ImageDataset, classes: list[int], parts: Parts) -> None:
        """Split the utterances, and pair them with images, whose label of each word is given."""
        self.image_set = images
        self.train_index, self.test_index, self.held_out_index, validation = parts
        if validation is None:
            self.train_index, validation = hold_out(
                parts.train, labels, self.validation_fraction, self.seed, "validation_fraction"
            )
        self.validation_index = mixed(validation, self.seed)
        self.image_labels = as_words(images.labels, classes)  # the word of each image of the set
        self._pair(labels, self.image_labels, words)

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
        """Words mixed, always in the same order; none if nothing is held out."""
        return [self._loader(self.validation_index)] if len(self.validation_index) else []

    def test_dataloader(self) -> ResumableLoader | list[ResumableLoader]:
        """In order; where speakers are left out, their words, then those of heard voices if there are any."""
        if not self.tests_unheard:
            return self._loader(self.test_index)
        return [self._loader(index) for index in (self.held_out_index, self.test_index) if len(index)]

    def predict_dataloader(self) -> DataLoader[Any]:
        """The test utterances; where speakers are left out, theirs."""
        return self._loader(self.held_out_index if self.tests_unheard else self.test_index).plain()

    def held_out_dataloader(self) -> ResumableLoader:
        """All utterances of the held-out speakers, in order."""
        return self._loader(self.held_out_index)

    @abstractmethod
    def batch(self, places: Tensor) -> Any:
        """The utterances at some places of the corpus."""

    def _loader(self, index: Tensor, shuffle: bool = False) -> ResumableLoader:
        return ResumableLoader(
            Batches(index, self.batch), self.batch_size, shuffle=shuffle, seed=self.seed, drop_last=shuffle
        )


def data_of(module: LightningModule, wanted: str) -> PairedWords:
    """The DataModule of a module's trainer, which holds the images.

    Raises:
        InputError: if it is none of paired words; it names those that are ``wanted``.
    """
    data = getattr(module.trainer, "datamodule", None)
    if not isinstance(data, PairedWords):
        raise InputError(f"Expected a {wanted} as `datamodule`, got {type(data).__name__}")
    return data


def classes_of(names: tuple[str, ...], images: ImageDataset) -> list[int]:
    """The images' label of each word: digits and MNIST go by number, others by name."""
    if names == SpokenDigits.names and isinstance(images, MNIST):  # Fashion-MNIST's clothes are numbered, too
        return list(range(len(names)))
    return match_names(names, images.names)
