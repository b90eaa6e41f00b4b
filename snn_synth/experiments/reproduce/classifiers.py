"""Trials of what the paper claims of recognition: the code of an autoencoder, and the mask in a classifier."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from snn_synth.data import ImageDataset
from snn_synth.experiments.reproduce.autoencoders import AutoencoderTrial
from snn_synth.experiments.reproduce.images import QUICK, WATCHED, ImageTrial
from snn_synth.experiments.reproduce.measure import AT_ONCE
from snn_synth.experiments.reproduce.recipes import LATER
from snn_synth.models import AEANN, AESNN, DeepImageClassifier, ImageClassifier, SpikingStack
from snn_synth.training import LitAutoencoder, LitAutoencoderANN, LitFirstSpikeClassifier, LitImageClassifier
from snn_synth.training.base import HELD_OUT, LitModule
from snn_synth.training.images import ImageData, image_batch
from snn_synth.training.loaders import ImageBatch
from snn_synth.training.spiking import LitSpiking

CLASSES = 10


class LitProbe(LitModule):
    """Trains a linear classifier on what something frozen makes of images.

    Args:
        autoencoder: the trained or untrained network whose code is read (of a spiking one the firing rates); pixels
            are read if not given.
        optimizer: makes the optimizer.
        lr_scheduler: makes the scheduler.
    """

    rebuilds = False  # a trained network is no plain data

    def __init__(
        self,
        autoencoder: LitAutoencoder | LitAutoencoderANN | None,
        optimizer: OptimizerCallable | None = None,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        """Make the classifier."""
        super().__init__(optimizer, lr_scheduler)
        self.autoencoder = None if autoencoder is None else autoencoder.requires_grad_(False)
        features = 784 if autoencoder is None else autoencoder.network.code
        self.network = nn.Linear(features, CLASSES)

    @torch.no_grad()
    def features(self, batch: ImageBatch, epoch: int) -> Tensor:
        """Pixels, hidden vectors, or hidden firing rates: ``[B, N]``."""
        flat, below = batch.images.flatten(1), self.autoencoder
        if below is None:
            return flat
        if isinstance(below, LitAutoencoder):
            return below.network.encode(below.encode(flat, batch.index, epoch)).mean(0)
        code: Tensor = below.network.encode(flat)
        return code

    def training_step(self, batch: ImageBatch, batch_idx: int) -> Tensor:
        """Cross entropy."""
        return F.cross_entropy(self.network(self.features(batch, self.current_epoch)), batch.labels)

    def classify(self, batch: ImageBatch) -> Tensor:
        """Labels."""
        label: Tensor = self.network(self.features(batch, HELD_OUT)).argmax(1)
        return label


class LitPopulation(LitSpiking):
    """Trains a spiking classifier: a population of output neurons for each class, to fire at every step or never."""

    network: SpikingStack

    def __init__(self, network: SpikingStack, **settings: Any) -> None:
        """Keep network and settings."""
        super().__init__(**settings)
        self.network = network

    def training_step(self, batch: ImageBatch, batch_idx: int) -> Tensor:
        """One batch by the rule."""
        spikes = self.encode(batch.images, batch.index, self.current_epoch)
        population = self.network.sizes[-1] // CLASSES
        wanted = F.one_hot(batch.labels, CLASSES).to(spikes.dtype).repeat_interleave(population, 1)
        return self.learn(spikes, wanted.expand(self.num_steps, -1, -1).contiguous())

    def classify(self, batch: ImageBatch) -> Tensor:
        """Labels: the population that fires most."""
        fired = self.network(self.encode(batch.images, batch.index, HELD_OUT)).spikes.sum(0)
        label: Tensor = fired.reshape(len(fired), CLASSES, -1).sum(2).argmax(1)
        return label


Classifying = LitProbe | LitPopulation | LitImageClassifier | LitFirstSpikeClassifier


@dataclass(frozen=True)
class ClassifierTrial(ImageTrial):
    """What both have in common: the share of the images that is classified rightly."""

    def watch(self, module: Classifying, data: ImageData) -> dict[str, float]:
        """Accuracy on some training images."""
        spread = torch.linspace(0, len(data.train_set) - 1, WATCHED).long()
        return {"accuracy": _accuracy(module, data.train_set, spread)}

    def measure(self, module: Classifying, data: ImageData) -> dict[str, dict[str, float]]:
        """Accuracy on the test set, and on as many of the training images."""
        parts = {"test": data.test_set, "train": data.train_set}
        return {
            part: {"accuracy": _accuracy(module, images, torch.arange(min(self.most, len(images))))}
            for part, images in parts.items()
        }

    def draw(self, module: LightningModule, data: ImageData) -> None:
        """Nothing."""


@dataclass(frozen=True)
class ProbeTrial(ClassifierTrial):
    """A linear classifier on the code of an autoencoder.

    Args:
        recipe: how the classifier is trained.
        autoencoder: whose code it reads.
        reads: its code, that of the untrained network, or the pixels.
        images: on which both are trained.
        train_images: as for :class:`ImageTrial`.
    """

    autoencoder: AutoencoderTrial | None = None
    reads: Literal["code", "untrained", "pixels"] = "code"

    @property
    def title(self) -> str:
        """What is read."""
        return f"{self.images}-probe-{self.reads}"

    def quick(self) -> Self:
        """With a tenth of the images."""
        autoencoder = None if self.autoencoder is None else self.autoencoder.quick()
        return replace(self, autoencoder=autoencoder, train_images=QUICK)

    def module(self, seed: int, data: ImageData, trials: Path) -> LightningModule:
        """The untrained classifier on the frozen network."""
        below = None
        if self.autoencoder is not None:
            below = self.autoencoder.module(seed, data, trials)
            if self.reads == "code":
                trained = self.autoencoder.trained(seed, trials, data.root)
                below.network = (AESNN if self.autoencoder.kind == "snn" else AEANN).from_pretrained(trained)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return LitProbe(below, **self.recipe.factories())


@dataclass(frozen=True)
class PopulationTrial(ClassifierTrial):
    """A spiking classifier with a large output layer.

    Args:
        recipe: how it is trained.
        hidden: neurons between.
        population: output neurons of a class.
        num_steps: T.
        mask: train it on the error of those output neurons alone that fire wrongly.
        images: on which it is trained.
        train_images: as for :class:`ImageTrial`.
    """

    hidden: int = 196
    population: int = 100
    num_steps: int = 15
    mask: bool = True

    @property
    def title(self) -> str:
        """Its size."""
        return f"{self.images}-classifier-{self.hidden}-{CLASSES * self.population}"

    def module(self, seed: int, data: ImageData, trials: Path) -> LightningModule:
        """The untrained network with all that trains it."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = SpikingStack([784, self.hidden, CLASSES * self.population], alpha=0.1)
            settings = {"num_steps": self.num_steps, "mask": self.mask, "seed": seed, **self.recipe.factories()}
            return LitPopulation(network, rule=self.recipe.rule, loss=self.recipe.loss, **settings)


@dataclass(frozen=True)
class ImageClassifierTrial(ClassifierTrial):
    """A conventional classifier that measures generated images.

    Args:
        recipe: how it is trained.
        images: as for :class:`ImageTrial`.
        train_images: as for :class:`ImageTrial`.
        deep: the second one, of another architecture.
    """

    deep: bool = field(default=False, metadata=LATER)

    @property
    def title(self) -> str:
        """Images and architecture."""
        return f"{self.images}-image-classifier" + ("-deep" if self.deep else "")

    def module(self, seed: int, data: ImageData, trials: Path) -> LightningModule:
        """The untrained network with all that trains it."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = (DeepImageClassifier if self.deep else ImageClassifier)()
            return LitImageClassifier(network, seed, **self.recipe.factories())


@torch.no_grad()
def _accuracy(module: Classifying, images: ImageDataset, places: Tensor) -> float:
    right = 0
    for part in places.split(AT_ONCE):  # type: ignore[no-untyped-call]
        batch = ImageBatch(*(tensor.to(module.device) for tensor in image_batch(images, part)))
        right += int((module.classify(batch) == batch.labels).sum())
    return right / len(places)
