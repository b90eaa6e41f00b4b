"""Trials of the hybrid variational autoencoder: whether a classifier recognizes what it draws."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from snn_synth.evaluation import baselines
from snn_synth.experiments.reproduce.images import (
    QUICK,
    WATCHED,
    ImageTrial,
    first_images,
    first_of_each_class,
    judge_of,
)
from snn_synth.models import HybridVAE
from snn_synth.models.hybrid import Decoding
from snn_synth.training import LitHybridVAE
from snn_synth.training.hybrid import Encoding
from snn_synth.training.images import ImageData


@dataclass(frozen=True)
class HybridTrial(ImageTrial):
    """A hybrid variational autoencoder.

    Args:
        recipe: how it is trained.
        images: ``mnist``, ``fashion_mnist`` or ``mnist_subset``.
        train_images: use only so many of the training images in an epoch, and measure only so many.
        decoding: what reads the code.
        encoding: of the pixels.
        hidden: neurons of the encoder.
        latent: neurons of the code.
        num_steps: T.
        beta: weight of the code's information.
    """

    decoding: Decoding = "mlp"
    encoding: Encoding = "rate"
    hidden: int = 200
    latent: int = 64
    num_steps: int = 16
    beta: float = 1e-3

    every = 100
    """Batches between two points of the curve."""

    @property
    def title(self) -> str:
        """Images and decoding."""
        return f"{self.images}-hybrid-{self.decoding}"

    def quick(self) -> Self:
        """With a tenth of the images, for one epoch."""
        return replace(self, recipe=replace(self.recipe, epochs=1), train_images=QUICK)

    def module(self, seed: int, data: ImageData, trials: Path) -> LitHybridVAE:
        """The untrained network with all that trains it."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = HybridVAE(784, self.hidden, self.latent, self.num_steps, self.decoding)
            return LitHybridVAE(network, self.encoding, self.beta, seed=seed, **self.recipe.factories())

    def watch(self, module: LitHybridVAE, data: ImageData) -> dict[str, float]:
        """Error of the first training images."""
        return {"pixel_mse": self._errors(module, data, "train", WATCHED)["pixel_mse"]}

    def measure(self, module: LitHybridVAE, data: ImageData) -> dict[str, dict[str, float]]:
        """Errors, what the judge recognizes, and what needs no network."""
        found = {part: self._errors(module, data, part, self.most) for part in ("train", "test")}
        train, test = (part.images[: self.most].flatten(1).float() / 255 for part in (data.train_set, data.test_set))
        found["test"] |= baselines(train, test)
        return found

    @torch.no_grad()
    def draw(self, module: LitHybridVAE, data: ImageData) -> npt.NDArray[np.float32]:
        """The first test image of each class, and what is drawn of it."""
        batch = first_of_each_class(data.test_set)
        return torch.stack([batch.images[:, 0], module.predict_step(batch)[:, 0]]).numpy()

    @torch.no_grad()
    def _errors(self, module: LitHybridVAE, data: ImageData, part: str, most: int) -> dict[str, float]:
        judge = judge_of(self.images)
        errors, right = [], []
        for batch in first_images(data.train_set if part == "train" else data.test_set, most):
            drawn = module.predict_step(batch)
            errors.append((drawn - batch.images).square().flatten(1).mean(1))
            right.append((judge(drawn).argmax(1) == batch.labels).float())
        return {"pixel_mse": torch.cat(errors).mean().item(), "recognized": torch.cat(right).mean().item()}
