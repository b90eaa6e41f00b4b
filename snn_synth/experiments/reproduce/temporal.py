"""Trials of the temporal coding autoencoder, beside a conventional one of its size and what needs no network."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from snn_synth.data import ImageDataset
from snn_synth.evaluation import probe, spiking_cost
from snn_synth.experiments.reproduce.images import (
    WATCHED,
    ImageTrial,
    baselines_of,
    first_images,
    first_of_each_class,
    pixel_mse,
)
from snn_synth.models import AEANN, TemporalCodingAE
from snn_synth.training import LitAutoencoderANN, LitTemporalCodingAE
from snn_synth.training.images import ImageData

Module = LitTemporalCodingAE | LitAutoencoderANN

LATE = 4.0  # what a probe reads of a hidden neuron that is silent, in spans of the input


@dataclass(frozen=True)
class TemporalTrial(ImageTrial):
    """An autoencoder with a small code, of spike times or of numbers.

    Args:
        recipe: how it is trained.
        images: ``mnist``, ``fashion_mnist`` or ``mnist_subset``.
        train_images: use only so many of the training images in an epoch, and measure a third as many.
        kind: ``ttfs``, or ``ann``, a conventional network with a sigmoid output.
        hidden: neurons of the code.
        latency: tau.
        noise: of the input's times.
        penalty: of silent neurons.
    """

    kind: Literal["ttfs", "ann"] = "ttfs"
    hidden: int = 32
    latency: float = 1.0
    noise: float = 0.0
    penalty: float = 0.3

    every = 200
    """Batches between two points of the curve."""

    @property
    def title(self) -> str:
        """Images, kind and size."""
        return f"{self.images}-{self.kind}-{self.hidden}"

    def module(self, seed: int, data: ImageData, trials: Path) -> Module:
        """The untrained network with all that trains it."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if self.kind == "ann":
                return LitAutoencoderANN(AEANN(784, self.hidden, "sigmoid"), **self.recipe.factories())
            network = TemporalCodingAE(784, self.hidden, self.latency)
            return LitTemporalCodingAE(network, self.penalty, self.noise, seed, **self.recipe.factories())

    def watch(self, module: Module, data: ImageData) -> dict[str, float]:
        """Error of the first training images."""
        return {"pixel_mse": pixel_mse(module, data.train_set, WATCHED)}

    def measure(self, module: Module, data: ImageData) -> dict[str, dict[str, float]]:
        """Errors, silent neurons, and what a linear classifier reads from the code; and what needs no network."""
        most = self.most
        parts = {"train": data.train_set, "test": data.test_set}
        found = {part: {"pixel_mse": pixel_mse(module, images, most)} for part, images in parts.items()}
        codes = {part: _codes(module, images, most) for part, images in parts.items()}
        labels = {part: images.labels[:most] for part, images in parts.items()}
        found["test"]["probe"] = probe(codes["train"], labels["train"], codes["test"], labels["test"])
        if isinstance(module, LitTemporalCodingAE):
            found["test"] |= _spikes(module, data.test_set, most)
            network, module.network = module.network, without_inhibition(module.network)
            found["test"]["pixel_mse_without_inhibition"] = pixel_mse(module, data.test_set, most)
            module.network = network
        found["test"] |= baselines_of(data, self.train_images, most)
        return found

    def draw(self, module: Module, data: ImageData) -> npt.NDArray[np.float32]:
        """The first test image of each class, what is drawn of it, and a walk from the code of one to another's."""
        batch = first_of_each_class(data.test_set)
        with torch.no_grad():
            drawn = module.predict_step(batch)
            ends = _codes(module, data.test_set, 2)
            walk = torch.lerp(ends[0], ends[1], torch.linspace(0, 1, 10)[:, None])
            network = module.network
            if isinstance(network, TemporalCodingAE):
                walked = network.images(network.decoder(walk))
            else:
                walked = network.decode(walk)
        return torch.stack([batch.images[:, 0], drawn[:, 0], walked.reshape(10, 28, 28)]).numpy()


@torch.no_grad()
def _codes(module: Module, images: ImageDataset, most: int) -> Tensor:
    """Hidden spike times, or hidden numbers, ``[n, hidden]``."""
    if isinstance(module, LitAutoencoderANN):
        return torch.cat([module.network.encode(batch.images.flatten(1)) for batch in first_images(images, most)])
    late = LATE + module.network.latency
    return torch.cat(
        [module.network.encoder(module.encode(batch)).clamp(max=late) for batch in first_images(images, most)]
    )


@torch.no_grad()
def _spikes(module: LitTemporalCodingAE, images: ImageDataset, most: int) -> dict[str, float]:
    """Shares of the neurons that do not fire, and what those that do cost."""
    network, times, codes, outs = module.network, [], [], []
    for batch in first_images(images, most):
        times.append(module.encode(batch))
        out = network(times[-1])
        codes.append(out.embedding)
        outs.append(out.times)
    fired = [torch.cat(part).isfinite().float() for part in (times, codes, outs)]
    pulses = [torch.ones_like(layer.pulse_times)[None] for layer in (network.encoder, network.decoder)]
    hidden, pixels = fired[1].shape[1], fired[2].shape[1]
    cost = spiking_cost((fired[0], hidden), (pulses[0], hidden), (fired[1], pixels), (pulses[1], pixels), (fired[2], 0))
    return {"silent_hidden": 1 - fired[1].mean().item(), "silent_output": 1 - fired[2].mean().item()} | cost


def without_inhibition(network: TemporalCodingAE) -> TemporalCodingAE:
    """A copy whose negative weights are 0."""
    made = copy.deepcopy(network)
    with torch.no_grad():
        for layer in (made.encoder, made.decoder):
            layer.weight.clamp_(min=0)
    return made
