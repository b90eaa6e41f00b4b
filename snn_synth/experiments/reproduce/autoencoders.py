"""Trials of autoencoders, spiking or not."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from snn_synth.data import ImageDataset
from snn_synth.experiments.reproduce.images import DATA, WATCHED, ImageTrial, first_images
from snn_synth.experiments.reproduce.measure import AT_ONCE, Errors, image_errors, means
from snn_synth.experiments.reproduce.recipes import LATER
from snn_synth.experiments.reproduce.work import conventional_work, mean_work, spiking_work, stored_maps
from snn_synth.functional.encoding import RateCode
from snn_synth.functional.lif import Reset
from snn_synth.learning.layers import layers_of
from snn_synth.models import AEANN, AESNN, ConvAEANN, ConvAESNN, SpikingAutoencoder
from snn_synth.training import LitAutoencoder, LitAutoencoderANN
from snn_synth.training.base import HELD_OUT
from snn_synth.training.images import ImageData, image_batch
from snn_synth.training.loaders import ImageBatch

WORKED = 1_000  # test images of which the work of inference is counted


class LitUpdatingANN(LitAutoencoderANN):
    """A conventional autoencoder that is updated as often on each batch as a spiking one by the online rule.

    Args:
        network: the autoencoder.
        updates: on each batch.
        **settings: optimizer and scheduler.
    """

    rebuilds = False  # an experiment's own

    def __init__(self, network: AEANN, updates: int, **settings: Any) -> None:
        """Keep network and settings."""
        super().__init__(network, **settings)
        self.automatic_optimization, self.updates = False, updates

    def training_step(self, batch: ImageBatch, batch_idx: int) -> Tensor:
        """As many updates, each with the gradient at the weights that the last one left."""
        optimizer: Any = self.optimizers()
        for _ in range(self.updates):
            loss = super().training_step(batch, batch_idx)
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
        return loss


@dataclass(frozen=True)
class AutoencoderTrial(ImageTrial):
    """An autoencoder on a set of images.

    Args:
        recipe: how it is trained.
        images: ``mnist``, ``fashion_mnist`` or ``mnist_subset``.
        train_images: use only so many of the training images in an epoch, and measure a third as many.
        kind: ``snn`` or ``ann``.
        hidden: neurons of the code.
        num_steps: T of a spiking network.
        alpha: its leak.
        slope: steepness of its surrogate.
        max_rate: probability of an input spike per step for a white pixel.
        gain: of its initial weights, over PyTorch's.
        mask: train it on the error of those output neurons alone that fire wrongly.
        output: of a conventional network, ``linear`` or ``sigmoid``.
        search: leave the test set unread: train on nine tenths of the training images and measure on the rest.
        updates: of a conventional network on each batch.
        reset: of a spiking network's neurons.
        learned: whether it learns a leak and a threshold of each.
        code: how its input becomes spikes.
        spike_input: a conventional network is shown the rates of Poisson spikes of ``num_steps``.
        before: of a spiking network, neurons of the layers before the code.
        widths: feature maps of convolutions, instead of ``hidden``.
        greedy_epochs: in which each layer learns alone.
        glorot: draw its initial weights as Glorot & Bengio 2010 do, as MATLAB's toolbox does by default.
    """

    kind: Literal["snn", "ann"] = "snn"
    hidden: int = 196
    num_steps: int = 15
    alpha: float = 0.1
    slope: float = 1.0
    max_rate: float = 1.0
    gain: float = 1.0
    mask: bool = True
    output: Literal["linear", "sigmoid"] = "linear"
    search: bool = False
    updates: int = field(default=1, metadata=LATER)
    reset: Reset = field(default="zero", metadata=LATER)
    learned: bool = field(default=False, metadata=LATER)
    code: RateCode = field(default="poisson", metadata=LATER)
    spike_input: bool = field(default=False, metadata=LATER)
    before: tuple[int, ...] = field(default=(), metadata=LATER)
    widths: tuple[int, ...] = field(default=(), metadata=LATER)
    greedy_epochs: int = field(default=0, metadata=LATER)
    glorot: bool = field(default=False, metadata=LATER)

    @property
    def title(self) -> str:
        """Images, kind and size."""
        return f"{self.images}-{self.kind}-{'x'.join(map(str, self.widths or (*self.before, self.hidden)))}"

    def data(self, root: str | None, seed: int) -> ImageData:
        """The images; some are held out only in a search, for else nothing is chosen."""
        held_out = 0.1 if self.search else 0
        return DATA[self.images](root, self.recipe.batch_size, validation_fraction=held_out, seed=seed)

    def module(self, seed: int, data: ImageData, trials: Path) -> LitAutoencoder | LitAutoencoderANN:
        """The untrained network with all that trains it."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if self.kind == "ann":
                steps = self.num_steps if self.spike_input else None
                settings = self.recipe.factories()
                if self.updates > 1:
                    return LitUpdatingANN(AEANN(784, self.hidden, self.output), self.updates, **settings)
                ann = ConvAEANN(widths=self.widths) if self.widths else AEANN(784, self.hidden, self.output)
                return LitAutoencoderANN(ann, num_steps=steps, seed=seed, **settings)
            neurons: dict[str, Any] = {"slope": self.slope, "reset": self.reset, "learned": self.learned}
            network: SpikingAutoencoder = (
                ConvAESNN((28, 28), self.widths, self.alpha, **neurons)
                if self.widths
                else AESNN(784, [*self.before, self.hidden] if self.before else self.hidden, self.alpha, **neurons)
            )
            for weight in network.parameters():
                weight.data *= self.gain if weight.dim() > 1 else 1
                if self.glorot and weight.dim() > 1:
                    torch.nn.init.xavier_uniform_(weight)
            return LitAutoencoder(
                network,
                greedy_epochs=self.greedy_epochs,
                rule=self.recipe.rule,
                loss=self.recipe.loss,
                traces=self.recipe.traces,
                fresh_moments=self.recipe.fresh_moments,
                num_steps=self.num_steps,
                max_rate=self.max_rate,
                mask=self.mask,
                code=self.code,
                neuron_share=self.recipe.neuron_share,
                seed=seed,
                **self.recipe.factories(),
            )

    def watch(self, module: LightningModule, data: ImageData) -> dict[str, float]:
        """Errors of the first training images."""
        return means(_parts(module, data.train_set, torch.arange(WATCHED)))

    def measure(self, module: LightningModule, data: ImageData) -> dict[str, dict[str, float]]:
        """Errors on the test set, and on as many of the training images."""
        if self.search:
            return {"val": means(_parts(module, data.train_set, data.validation_index))}
        parts = {"test": data.test_set, "train": data.train_set}
        return {
            part: means(_parts(module, images, torch.arange(min(self.most, len(images)))))
            for part, images in parts.items()
        }

    @property
    def further_parts(self) -> tuple[str, ...]:
        """The work of its inference; of a spiking network also its stored hidden spikes."""
        if self.search:
            return ()
        return ("inference",) if self.kind == "ann" else ("inference", "stored")

    @torch.no_grad()
    def further(self, module: LitAutoencoder | LitAutoencoderANN, data: ImageData) -> dict[str, dict[str, float]]:
        """Of the first test images."""
        work, stored = [], []
        for batch in () if self.search else first_images(data.test_set, WORKED):
            batch = ImageBatch(*(part.to(module.device) for part in batch))
            if not isinstance(module, LitAutoencoder):
                work.append(conventional_work(module, batch))
                continue
            spikes = module.encode(batch.images, batch.index, HELD_OUT)
            operators = [operator for operator, _ in layers_of(module.network)]
            work.append(spiking_work((spikes, *module.network(spikes).layer_spikes), operators))
            stored.append(stored_maps(module.network, spikes, batch.images.flatten(1)))
        found = {"inference": work, "stored": stored}
        return {part: mean_work(found[part]) for part in self.further_parts}

    def draw(self, module: LightningModule, data: ImageData) -> npt.NDArray[np.float32]:
        """The first image of each class that was measured, and what is drawn of it."""
        images_of = data.train_set if self.search else data.test_set
        index = data.validation_index if self.search else torch.arange(len(data.test_set))
        places = torch.stack([index[images_of.labels[index] == label][0] for label in range(10)])
        drawn, images, _ = image_errors(module, image_batch(images_of, places))
        return torch.stack([images, drawn]).reshape(2, 10, 28, 28).cpu().numpy()


def _parts(module: LightningModule, images: ImageDataset, places: Tensor) -> Iterator[Errors]:
    for part in places.split(AT_ONCE):  # type: ignore[no-untyped-call]
        yield image_errors(module, image_batch(images, part))
