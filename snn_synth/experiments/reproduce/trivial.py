"""Trials without a network: samples that every measure of generated images has to put in their places."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from snn_synth.data import as_pixels
from snn_synth.evaluation import TRIVIAL, trivial_samples
from snn_synth.experiments.reproduce.images import first_of_each_class
from snn_synth.experiments.reproduce.samples import SampleTrial
from snn_synth.experiments.reproduce.untrained import UntrainedTrial
from snn_synth.training.images import ImageData

TEST = "test images"  # what a perfect generator would draw
SAMPLERS = (*TRIVIAL, TEST)


@dataclass(frozen=True)
class TrivialTrial(UntrainedTrial, SampleTrial):
    """Samples that need no training.

    Args:
        recipe: of no training.
        images: ``mnist``, ``fashion_mnist`` or ``mnist_subset``.
        train_images: of no effect.
        samples: how many are measured.
        sampler: one of :data:`~snn_synth.evaluation.TRIVIAL`, or ``test images``: every second one, beside the others.
    """

    sampler: str = TEST

    @property
    def title(self) -> str:
        """Images and sampler."""
        return f"{self.images}-{self.sampler.replace(' ', '-')}"

    def quick(self) -> Self:
        """The same: it trains nothing."""
        return self

    def module(self, seed: int, data: ImageData, trials: Path) -> Any:
        """The seed and the real images, of which :meth:`sample` makes samples."""
        return SimpleNamespace(seed=seed, data=data)

    def sample(self, module: Any, count: int) -> Tensor:
        """Samples ``[count, 1, 28, 28]``; of test images at most as many as there are."""
        if self.sampler == TEST:
            return as_pixels(module.data.test_set.images[1::2][:count])
        train = module.data.train_set
        return trivial_samples(as_pixels(train.images), train.labels, count, module.seed)[self.sampler]

    @torch.no_grad()
    def measure(self, module: Any, data: ImageData) -> dict[str, dict[str, float]]:
        """How good the samples are."""
        return {"test": self.quality(module, data)}

    def draw(self, module: Any, data: ImageData) -> npt.NDArray[np.float32]:
        """The first test image of each class, and samples."""
        return torch.cat([first_of_each_class(data.test_set).images[:, 0][None], self.rows(module)]).numpy()
