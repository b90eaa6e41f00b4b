"""Trials of the classifier whose first spike decides: what the aggressive loss does to when and how often it fires."""

from dataclasses import dataclass
from pathlib import Path

import torch
from lightning.pytorch import LightningModule

from snn_synth.experiments.reproduce.classifiers import ClassifierTrial
from snn_synth.experiments.reproduce.images import first_images
from snn_synth.models import FirstSpikeClassifier
from snn_synth.training import LitFirstSpikeClassifier
from snn_synth.training.images import ImageData


@dataclass(frozen=True)
class FirstSpikeTrial(ClassifierTrial):
    """A classifier of neurons that fire at most once.

    Args:
        recipe: how it is trained.
        images: ``mnist``, ``fashion_mnist`` or ``mnist_subset``.
        train_images: use only so many of the training images in an epoch, and measure a third as many.
        hidden: neurons between.
        num_steps: T.
        smoothing: of the gradients; None is S4NN's.
        margin: steps between the right output and the others.
        advance: steps by which the right output is always pulled earlier.
    """

    hidden: int = 400
    num_steps: int = 64
    smoothing: float | None = 64.0
    margin: float = 3.0
    advance: float = 0.0

    @property
    def title(self) -> str:
        """Its size."""
        return f"{self.images}-first-spike-{self.hidden}"

    def module(self, seed: int, data: ImageData, trials: Path) -> LightningModule:
        """The untrained network with all that trains it."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = FirstSpikeClassifier(784, self.hidden, 10, self.num_steps, self.smoothing)
            settings = {"margin": self.margin, "advance": self.advance, **self.recipe.factories()}
            return LitFirstSpikeClassifier(network, **settings)

    @torch.no_grad()
    def measure(self, module: LitFirstSpikeClassifier, data: ImageData) -> dict[str, dict[str, float]]:  # type: ignore[override]
        """Accuracy, the step of the decision as a share of T, and how many spikes there are until then."""
        found = super().measure(module, data)
        outs = [module.run(batch) for batch in first_images(data.test_set, self.most)]
        found["test"]["decision"] = torch.cat([out.decision for out in outs]).mean().item() / self.num_steps
        found["test"]["spikes"] = torch.cat([out.spikes for out in outs]).float().mean().item()
        return found
