"""What trials on images have in common."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import torch

from snn_synth import functional
from snn_synth.data import ImageDataset, as_pixels
from snn_synth.evaluation import baselines
from snn_synth.experiments.reproduce.trials import Trial
from snn_synth.models import ImageClassifier
from snn_synth.training import FashionMNISTData, MNISTData, MNISTSubsetData
from snn_synth.training.images import ImageData, NamedImageData, image_batch
from snn_synth.training.loaders import ImageBatch

DATA: dict[str, type[NamedImageData]] = {data.name: data for data in (MNISTData, FashionMNISTData, MNISTSubsetData)}
QUICK = 6_000  # training images
WATCHED = 200  # training images
MEASURED = 10_000  # images: all of a test set, as many of the training set
AT_ONCE = 500  # images


@dataclass(frozen=True)
class ImageTrial(Trial):
    """A network on a set of images.

    Args:
        recipe: how it is trained.
        images: ``mnist``, ``fashion_mnist`` or ``mnist_subset``.
        train_images: use only so many of the training images in an epoch, and measure a third as many.
    """

    images: str = "mnist"
    train_images: int | None = None

    @property
    def limit(self) -> int | None:
        """Batches of an epoch, if not all of them."""
        return None if self.train_images is None else self.train_images // self.recipe.batch_size

    @property
    def most(self) -> int:
        """Images of a part of the data that are measured."""
        return MEASURED if self.train_images is None else self.train_images // 3

    def quick(self) -> Self:
        """With a tenth of the images, for one epoch."""
        return replace(self, recipe=replace(self.recipe, epochs=1), train_images=QUICK)

    def prepare(self, root: str | None) -> None:
        """Get the images."""
        DATA[self.images](root).prepare_data()

    def data(self, root: str | None, seed: int) -> ImageData:
        """All training images: none are held out, for nothing is chosen."""
        return DATA[self.images](root, self.recipe.batch_size, validation_fraction=0, seed=seed)


def first_images(images: ImageDataset, most: int) -> Iterator[ImageBatch]:
    """The first images of a set, in parts."""
    for places in torch.arange(min(most, len(images))).split(AT_ONCE):  # type: ignore[no-untyped-call]
        yield image_batch(images, places)


def first_of_each_class(images: ImageDataset) -> ImageBatch:
    """The first image of each of the ten classes."""
    return image_batch(images, torch.stack([(images.labels == label).nonzero()[0, 0] for label in range(10)]))


def classifier_of(images: str, deep: bool = False) -> ImageClassifier:
    """The shipped classifier of a set's images, or the second one."""
    names = {"fashion_mnist": "fashion-mnist-classifier"}
    return ImageClassifier.from_pretrained(names.get(images, "mnist-classifier") + ("-deep" if deep else ""))


@torch.no_grad()
def pixel_mse(module: Any, images: ImageDataset, most: int) -> float:
    """Mean square error, in [0, 1], of what a module makes of the first images of a set."""
    errors = [functional.pixel_mse(module.predict_step(b), b.images) for b in first_images(images, most)]
    return torch.cat(errors).mean().item()


def baselines_of(data: ImageData, trained: int | None, most: int) -> dict[str, float]:
    """What needs no network: of as many images as it is trained on, all if None, on the first test images."""
    train, test = data.train_set.images[:trained], data.test_set.images[:most]
    return baselines(as_pixels(train), as_pixels(test))
