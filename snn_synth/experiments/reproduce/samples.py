"""Trials of networks that draw new images."""

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snn_synth.data import as_pixels, load_fad
from snn_synth.evaluation import (
    FAD,
    SURE,
    classifier_frechet,
    fan_out,
    sample_quality,
    shuffled_pixels,
    spiking_cost,
)
from snn_synth.experiments.reproduce.images import (
    WATCHED,
    ImageTrial,
    baselines_of,
    classifier_of,
    first_images,
    first_of_each_class,
    pixel_mse,
)
from snn_synth.experiments.reproduce.recipes import LATER
from snn_synth.models import ESVAE, SpikingGAN
from snn_synth.models.first_spike import FirstSpikeOutput
from snn_synth.models.gan import CANDIDATES
from snn_synth.training import LitESVAE, LitSpikingGAN
from snn_synth.training.gan import TimingLoss
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
        """How good the samples are, and what the same measure says of shuffled pixels."""
        classifier, fad = classifier_of(self.images), self.fad(data.root)
        samples = self.sample(module, self.samples)
        side = samples.shape[-1]
        train, test = (_resized(part.images, side) for part in (data.train_set, data.test_set))
        found = sample_quality(
            samples,
            test,
            train,
            data.train_set.labels,
            classifier,
            classifier_of(self.images, deep=True),
            self.labels(module, self.samples),
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
        return _shown(self.sample(module, 10 * ROWS)).reshape(ROWS, 10, 28, 28)


def _resized(images: Tensor, side: int) -> Tensor:
    return F.adaptive_avg_pool2d(as_pixels(images), side)


def _enlarged(images: Tensor, side: int) -> Tensor:
    parts = images.split(AT_ONCE)  # type: ignore[no-untyped-call]
    larger = [F.interpolate(as_pixels(part), (side, side), mode="bilinear") for part in parts]
    return torch.cat([(255 * part).round().byte()[:, 0] for part in larger])


def _shown(images: Tensor) -> Tensor:
    """With 28 x 28 pixels."""
    smaller = images.shape[-1] < 28
    return F.interpolate(images, (28, 28), mode="nearest") if smaller else F.adaptive_avg_pool2d(images, 28)


@dataclass(frozen=True)
class ESVAETrial(SampleTrial):
    """An ESVAE.

    Args:
        recipe: how it is trained.
        images: ``mnist``, ``fashion_mnist`` or ``mnist_subset``.
        train_images: use only so many of the training images in an epoch, and measure a third as many.
        samples: how many are measured.
        latent: neurons of the code.
        num_steps: T.
        mmd_weight: of the prior's distance.
        prior_share: the prior's learning rate, as a share of the rest's.
        side: of the images, which are enlarged if it is not theirs.
    """

    latent: int = 32
    num_steps: int = 8
    mmd_weight: float = 1e-3
    prior_share: float = 10.0
    side: int = field(default=28, metadata=LATER)

    @property
    def title(self) -> str:
        """Images and size."""
        return f"{self.images}-esvae-{self.latent}"

    def data(self, root: str | None, seed: int) -> ImageData:
        """All training images, in the size that the network takes."""
        data = super().data(root, seed)
        if self.side != 28:
            data.setup("fit")
            for part in (data.train_set, data.test_set):
                part.images = _enlarged(part.images, self.side)
        return data

    def module(self, seed: int, data: ImageData, trials: Path) -> LitESVAE:
        """The untrained network with all that trains it."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = ESVAE(self.side, latent=self.latent, num_steps=self.num_steps)
            return LitESVAE(network, self.mmd_weight, self.prior_share, seed, **self.recipe.factories())

    @torch.no_grad()
    def watch(self, module: LitESVAE, data: ImageData) -> dict[str, float]:
        """Error of the first training images; the network is in evaluation mode meanwhile."""
        training = module.training
        module.eval()
        error = pixel_mse(module, data.train_set, WATCHED)
        module.train(training)
        return {"pixel_mse": error}

    @torch.no_grad()
    def measure(self, module: LitESVAE, data: ImageData) -> dict[str, dict[str, float]]:
        """Errors and samples, and what needs no network."""
        parts = {"train": data.train_set, "test": data.test_set}
        found = {part: {"pixel_mse": pixel_mse(module, images, self.most)} for part, images in parts.items()}
        found["test"] |= baselines_of(data, self.train_images, self.most) | self.quality(module, data)
        found["test"] |= esvae_cost(module.network, next(first_images(data.test_set, self.most)).images)
        return found

    @torch.no_grad()
    def draw(self, module: LitESVAE, data: ImageData) -> npt.NDArray[np.float32]:
        """The first test image of each class, what is drawn of it, a walk between two of them, and samples."""
        batch = first_of_each_class(data.test_set)
        drawn, rates = module.predict_step(batch), module.network.encode(batch.images)
        walk = torch.lerp(rates[0], rates[1], torch.linspace(0, 1, 10)[:, None])
        code = (walk > torch.linspace(0, 1, self.num_steps + 2)[1:-1, None, None]).float()
        rows = _shown(torch.cat([batch.images, drawn, module.network.decode(code)])).reshape(3, 10, 28, 28)
        return torch.cat([rows, self.rows(module)]).numpy()


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
        walked = _shown(gan.images(gan.generate(walk).times))
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


@torch.no_grad()
def esvae_cost(vae: ESVAE, images: Tensor) -> dict[str, float]:
    """What the spikes of an ESVAE cost for each of some images; its first operator reads pixels, not spikes."""
    read: list[tuple[Tensor, nn.Module]] = []  # how often each neuron fires, and the operator that reads it

    def keep(operator: nn.Module, inputs: tuple[Tensor]) -> None:
        read.append((inputs[0].view(vae.num_steps, len(images), *inputs[0].shape[1:]).sum(0), operator))

    def keep_last(layer: nn.Module, inputs: tuple[Tensor], spikes: Tensor) -> None:
        read.append((spikes.sum(0), vae.draw))

    operators = [layer.operator for layer in (*vae.encoder[1:], vae.to_code, vae.from_code, *vae.decoder)]
    hooks = [operator.register_forward_pre_hook(keep) for operator in operators]
    hooks.append(vae.decoder[-1].register_forward_hook(keep_last))
    vae(images, torch.Generator().manual_seed(0))
    for hook in hooks:
        hook.remove()
    return spiking_cost(*((fired, fan_out(operator, tuple(fired.shape[1:]))) for fired, operator in read))
