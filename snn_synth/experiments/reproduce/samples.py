"""Trials of networks that draw new images."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from snn_synth.data import as_pixels, load_fad
from snn_synth.evaluation import (
    FAD,
    SURE,
    classifier_frechet,
    sample_quality,
    shuffled_pixels,
)
from snn_synth.experiments.reproduce.images import (
    ImageTrial,
    classifier_of,
)
from snn_synth.training.images import ImageData

SAMPLES = 5_000  # as many as the published distances are measured with
ROWS = 4  # of samples in a picture
SMALL = 14  # pixels of a side
AT_ONCE = 500  # samples that are drawn at once: of each class as many
FAD_OF = {"mnist_subset": "mnist"}


@dataclass(frozen=True)
class SampleTrial(ImageTrial):
    """What all of them have in common: how good their samples are.

    Args:
        recipe: how it is trained.
        images: ``mnist``, ``fashion_mnist`` or ``mnist_subset``.
        train_images: use only so many of the training images in an epoch, and measure a third as many.
        samples: how many are measured.
    """

    samples: int = SAMPLES

    def prepare(self, root: str | None) -> None:
        """Get the images and the networks that measure: whatever is missing is told before anything is trained."""
        super().prepare(root)
        self.fad(root)
        classifier_of(self.images, deep=True)

    def fad(self, root: str | None) -> FAD:
        """The Frechet autoencoder distance of the set's images."""
        return load_fad(FAD_OF.get(self.images, self.images), root)

    def sample(self, module: Any, count: int) -> Tensor:
        """New images ``[count, 1, H, W]`` in [0, 1], always the same."""
        generator = torch.Generator().manual_seed(0)
        parts = torch.arange(count).split(AT_ONCE)  # type: ignore[no-untyped-call]
        return torch.cat([module.network.sample(len(part), generator) for part in parts])

    def labels(self, module: Any, count: int) -> Tensor | None:
        """The classes that these were asked for, if they were."""
        return None

    def quality(self, module: Any, data: ImageData) -> dict[str, float]:
        """How good its samples are."""
        return self.quality_of(self.sample(module, self.samples), self.labels(module, self.samples), data)

    def quality_of(self, samples: Tensor, labels: Tensor | None, data: ImageData) -> dict[str, float]:
        """How good samples are, which may have been asked for by labels, and what the same says of shuffled pixels."""
        classifier, fad = classifier_of(self.images), self.fad(data.root)
        side = samples.shape[-1]
        train, test = (_resized(part.images, side) for part in (data.train_set, data.test_set))
        found = sample_quality(
            samples,
            test,
            train,
            data.train_set.labels,
            classifier,
            classifier_of(self.images, deep=True),
            labels,
            data.test_set.labels,
        )
        found |= {"fad": fad(samples), "fad_evaluation": fad(samples, batch_statistics=False)}
        shuffled = classifier.probabilities(shuffled_pixels(train[: self.samples], 0)).max(1).values
        found["sure_of_shuffled"] = float((shuffled > SURE).float().mean())
        # In one size, so that networks which draw others can be compared.
        small = F.adaptive_avg_pool2d(samples, SMALL), _resized(data.test_set.images, SMALL)
        return found | {"classifier_frechet_14": classifier_frechet(*small, classifier)}

    def rows(self, module: Any) -> Tensor:
        """Rows of samples, ``[R, 10, 28, 28]``."""
        return shown(self.sample(module, 10 * ROWS)).reshape(ROWS, 10, 28, 28)


def _resized(images: Tensor, side: int) -> Tensor:
    return F.adaptive_avg_pool2d(as_pixels(images), side)


def shown(images: Tensor) -> Tensor:
    """With 28 x 28 pixels."""
    smaller = images.shape[-1] < 28
    return F.interpolate(images, (28, 28), mode="nearest") if smaller else F.adaptive_avg_pool2d(images, 28)
