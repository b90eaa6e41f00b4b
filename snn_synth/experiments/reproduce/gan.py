"""Trials of a Spiking-GAN."""

import functools
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from snn_synth.evaluation import SURE, spiking_cost
from snn_synth.experiments.reproduce.images import WATCHED, classifier_of, first_of_each_class
from snn_synth.experiments.reproduce.recipes import LATER
from snn_synth.experiments.reproduce.samples import SampleTrial, shown
from snn_synth.models import SpikingGAN
from snn_synth.models.first_spike import FirstSpikeOutput
from snn_synth.models.gan import CANDIDATES
from snn_synth.training import LitSpikingGAN
from snn_synth.training.gan import TimingLoss
from snn_synth.training.images import ImageData


@dataclass(frozen=True)
class GANTrial(SampleTrial):
    """A Spiking-GAN.

    Args:
        recipe: how both networks are trained, by Adam with the moments that GANs take.
        images: ``mnist``, ``fashion_mnist`` or ``mnist_subset``.
        train_images: use only so many of the training images in an epoch, and measure a third as many.
        samples: how many are measured.
        side: of the images that are drawn.
        loss: ``softmax`` or ``relative``.
        advance: with ``relative``.
        matching: weight of the class means.
        adversarial: weight of the discriminator's loss.
        energy: weight of the energy distance within classes.
        repulsion: of that distance.
        latent: inputs that fire at random.
        hidden: neurons of the hidden layers.
    """

    side: int = 14
    loss: TimingLoss = "softmax"
    advance: float = 0.0
    matching: float = 200.0
    adversarial: float = 1.0
    energy: float = field(default=0.0, metadata=LATER)
    repulsion: float = field(default=1.0, metadata=LATER)
    latent: int = field(default=64, metadata=LATER)
    hidden: int = field(default=256, metadata=LATER)

    every = 200
    """Batches between two points of the curve."""

    @property
    def title(self) -> str:
        """Images and size."""
        return f"{self.images}-gan-{self.side}"

    def module(self, seed: int, data: ImageData, trials: Path) -> LitSpikingGAN:
        """The untrained networks with all that trains them."""
        lr, one_cycle = self.recipe.lr, torch.optim.lr_scheduler.OneCycleLR
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return LitSpikingGAN(
                SpikingGAN(self.side, self.latent, self.hidden),
                self.loss,
                self.advance,
                self.matching,
                self.adversarial,
                seed=seed,
                energy=self.energy,
                repulsion=self.repulsion,
                optimizer=functools.partial(torch.optim.Adam, lr=lr, betas=(0.5, 0.99), fused=True),
                lr_scheduler=functools.partial(one_cycle, max_lr=lr, pct_start=0.05, cycle_momentum=False),
            )

    def labels(self, module: LitSpikingGAN, count: int) -> Tensor:
        """All classes in turn."""
        return torch.arange(count) % module.network.classes

    @torch.no_grad()
    def watch(self, module: LitSpikingGAN, data: ImageData) -> dict[str, float]:
        """How many samples the classifier is sure of."""
        probability = classifier_of(self.images).probabilities(self.sample(module, WATCHED)).max(1).values
        return {"sure": float((probability > SURE).float().mean())}

    @torch.no_grad()
    def measure(self, module: LitSpikingGAN, data: ImageData) -> dict[str, dict[str, float]]:
        """How good the samples are, and how far the discriminator is fooled."""
        gan, labels = module.network, self.labels(module, self.samples)
        out = gan.generate(gan.noise(labels, torch.Generator().manual_seed(0)))
        seen = gan.discriminate(out.times)
        found = self.quality(module, data) | {"fooled": float((seen.labels == labels).float().mean())}
        return {"test": found | gan_cost(gan, out, seen)}

    @torch.no_grad()
    def draw(self, module: LitSpikingGAN, data: ImageData) -> npt.NDArray[np.float32]:
        """The first test image of each class, a walk between two noises, and samples."""
        gan, labels = module.network, torch.arange(10) % module.network.classes
        ends = gan.noise(labels[:1].expand(2), torch.Generator().manual_seed(0))
        walk = torch.lerp(ends[0], ends[1], torch.linspace(0, 1, 10)[:, None]).round()
        walked = shown(gan.images(gan.generate(walk).times))
        rows = torch.cat([first_of_each_class(data.test_set).images, walked]).reshape(2, 10, 28, 28)
        return torch.cat([rows, self.rows(module)]).numpy()


def gan_cost(gan: SpikingGAN, drawn: FirstSpikeOutput, seen: FirstSpikeOutput) -> dict[str, float]:
    """What the spikes of both networks cost for an image that is chosen of its candidates."""
    read = []  # how often each neuron fires, and how many neurons it reaches
    for layers, out in ((gan.generator, drawn), (gan.discriminator, seen)):
        times = out.inputs, out.hidden, out.times
        for layer, before, after in zip(layers, times[:-1], times[1:], strict=True):
            read.append((CANDIDATES * (before < gan.num_steps).float(), after.shape[1]))
            if layer.pulse:
                read.append((CANDIDATES * torch.ones(1, 1), after.shape[1]))
    read.append((CANDIDATES * (seen.times < gan.num_steps).float(), 0))
    return spiking_cost(*read)
