"""Trials of the hybrid variational autoencoder: whether a classifier recognizes what it draws."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from snn_synth.data import ImageDataset
from snn_synth.evaluation import spiking_cost
from snn_synth.experiments.reproduce.images import (
    WATCHED,
    ImageTrial,
    baselines_of,
    classifier_of,
    first_images,
    first_of_each_class,
    pixel_mse,
)
from snn_synth.models import HybridVAE
from snn_synth.models.time_decoder import Decoding
from snn_synth.training import LitHybridVAE
from snn_synth.training.base import HELD_OUT
from snn_synth.training.hybrid import Encoding
from snn_synth.training.images import ImageData


@dataclass(frozen=True)
class HybridTrial(ImageTrial):
    """A hybrid variational autoencoder.

    Args:
        recipe: how it is trained.
        images: ``mnist``, ``fashion_mnist`` or ``mnist_subset``.
        train_images: use only so many of the training images in an epoch, and measure a third as many.
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

    def module(self, seed: int, data: ImageData, trials: Path) -> LitHybridVAE:
        """The untrained network with all that trains it."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = HybridVAE(784, self.hidden, self.latent, self.num_steps, self.decoding)
            return LitHybridVAE(network, self.encoding, self.beta, seed=seed, **self.recipe.factories())

    def watch(self, module: LitHybridVAE, data: ImageData) -> dict[str, float]:
        """Error of the first training images, and how many the classifier recognizes."""
        return {
            "pixel_mse": pixel_mse(module, data.train_set, WATCHED),
            "recognized": self._recognized(module, data.train_set, WATCHED),
        }

    def measure(self, module: LitHybridVAE, data: ImageData) -> dict[str, dict[str, float]]:
        """Errors, what the classifier recognizes, and what needs no network."""
        parts = {"train": data.train_set, "test": data.test_set}
        found = {
            part: {
                "pixel_mse": pixel_mse(module, images, self.most),
                "recognized": self._recognized(module, images, self.most),
            }
            for part, images in parts.items()
        }
        found["test"] |= baselines_of(data, self.train_images, self.most) | _cost(module, data.test_set, self.most)
        return found

    @torch.no_grad()
    def draw(self, module: LitHybridVAE, data: ImageData) -> npt.NDArray[np.float32]:
        """The first test image of each class, and what is drawn of it."""
        batch = first_of_each_class(data.test_set)
        return torch.stack([batch.images[:, 0], module.predict_step(batch)[:, 0]]).numpy()

    @torch.no_grad()
    def _recognized(self, module: LitHybridVAE, images: ImageDataset, most: int) -> float:
        classifier = classifier_of(self.images)
        batches = first_images(images, most)
        right = [(classifier(module.predict_step(batch)).argmax(1) == batch.labels).float() for batch in batches]
        return torch.cat(right).mean().item()


@torch.no_grad()
def _cost(module: LitHybridVAE, images: ImageDataset, most: int) -> dict[str, float]:
    """What the encoder's spikes cost; the decoder is a conventional network."""
    network, generator = module.network, torch.Generator().manual_seed(0)
    counts = []
    for batch in first_images(images, most):
        spikes = module.encode(batch, HELD_OUT)
        out = network(spikes, generator)
        counts.append([train.sum(0) for train in (spikes, out.hidden, out.code)])
    inputs, hidden, code = (torch.cat(part) for part in zip(*counts, strict=True))
    return spiking_cost((inputs, hidden.shape[1]), (hidden, code.shape[1]), (code, 0))
