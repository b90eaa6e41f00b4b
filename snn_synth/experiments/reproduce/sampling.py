"""What steps, temperature and guidance of the VQ-diffusion bring: measured on training images that were held out."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from snn_synth.data import as_pixels
from snn_synth.evaluation import FAD, SURE, sample_quality
from snn_synth.experiments.reproduce.diffusion import VQDTrial
from snn_synth.experiments.reproduce.images import DATA, classifier_of, first_of_each_class, pixel_mse
from snn_synth.experiments.reproduce.untrained import UntrainedTrial
from snn_synth.functional import mean_and_covariance
from snn_synth.models import SpikingVQDiffusion
from snn_synth.training import LitVQDiffusion
from snn_synth.training.images import ImageData

HELD_OUT = 0.1  # of the training images


class HeldOutVQDTrial(VQDTrial):
    """A spiking VQ-diffusion that leaves a tenth of the training images, and the test set, unread."""

    row_names: ClassVar[tuple[str, ...]] = ()

    @property
    def title(self) -> str:
        """Says so."""
        return f"{super().title}-held-out"

    def data(self, root: str | None, seed: int) -> ImageData:
        """The images, a tenth of each class held out."""
        return DATA[self.images](root, self.recipe.batch_size, validation_fraction=HELD_OUT, seed=seed)

    def measure(self, module: LitVQDiffusion, data: ImageData) -> dict[str, dict[str, float]]:
        """The autoencoder's error on held-out images."""
        return {"val": {"pixel_mse": pixel_mse(module, data.train_set.part(data.validation_index), self.most)}}

    @property
    def further_parts(self) -> tuple[str, ...]:
        """None."""
        return ()

    def further(self, module: LitVQDiffusion, data: ImageData) -> dict[str, dict[str, float]]:
        """Nothing."""
        return {}

    @torch.no_grad()
    def draw(self, module: Any, data: ImageData) -> npt.NDArray[np.float32]:
        """A training image of each class, and samples."""
        return torch.cat([first_of_each_class(data.train_set).images[:, 0][None], self.rows(module)]).numpy()


@dataclass(frozen=True)
class SamplingTrial(UntrainedTrial):
    """Samples of a trained network by some settings.

    Args:
        recipe: of no training.
        diffusion: trained first.
        sampling_steps: in which an image is drawn.
        temperature: of the draws.
        guidance: how much the class is stressed.
        samples: how many are measured.
    """

    diffusion: HeldOutVQDTrial = field(kw_only=True)
    sampling_steps: int = 25
    temperature: float = 1.0
    guidance: float = 0.0
    samples: int = 2_000

    @property
    def title(self) -> str:
        """The network's."""
        return f"sampling-{self.diffusion.title}"

    def quick(self) -> Self:
        """A tenth of the samples, of a network that trains a tenth as long."""
        return replace(self, diffusion=self.diffusion.quick(), samples=self.samples // 10)

    def prepare(self, root: str | None) -> None:
        """Get the images and the networks that measure."""
        self.diffusion.prepare(root)

    def data(self, root: str | None, seed: int) -> ImageData:
        """Those of the network."""
        return self.diffusion.data(root, seed)

    def module(self, seed: int, data: ImageData, trials: Path) -> Any:
        """The trained network with the settings."""
        network = SpikingVQDiffusion.from_pretrained(self.diffusion.trained(seed, trials, data.root))
        network.sampling_steps, network.temperature = self.sampling_steps, self.temperature
        network.guidance = self.guidance
        return SimpleNamespace(network=network)

    @torch.no_grad()
    def measure(self, module: Any, data: ImageData) -> dict[str, dict[str, float]]:
        """How good the samples are beside held-out images, and how sure a classifier is of these."""
        held_out = as_pixels(data.train_set.images[data.validation_index])
        classifier, fad = classifier_of(self.diffusion.images), self.diffusion.fad(data.root)
        samples: Tensor = self.diffusion.sample(module, self.samples)
        found = sample_quality(
            samples,
            held_out,
            as_pixels(data.train_set.images[data.train_index]),
            data.train_set.labels[data.train_index],
            classifier,
            classifier_of(self.diffusion.images, deep=True),
            self.diffusion.labels(module, self.samples),
            data.train_set.labels[data.validation_index],
        )
        found["fad"] = FAD(fad.network, *mean_and_covariance(fad.features(held_out)))(samples)
        found["sure_of_held_out"] = float((classifier.probabilities(held_out).max(1).values > SURE).float().mean())
        return {"val": found}

    def draw(self, module: Any, data: ImageData) -> npt.NDArray[np.float32]:
        """A training image of each class, and samples."""
        return self.diffusion.draw(module, data)
