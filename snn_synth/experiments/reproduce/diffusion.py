"""Trials of the spiking VQ-diffusion."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from snn_synth.evaluation import fan_out, spiking_cost
from snn_synth.experiments.reproduce.images import (
    WATCHED,
    baselines_of,
    classifier_of,
    first_images,
    first_of_each_class,
    pixel_mse,
)
from snn_synth.experiments.reproduce.samples import AT_ONCE, SampleTrial
from snn_synth.models import SpikingTokenDenoiser, SpikingVQAE, SpikingVQDiffusion
from snn_synth.models.spiking_layer import SpikingLayer
from snn_synth.models.vq_diffusion import GUIDANCE
from snn_synth.training import LitVQDiffusion
from snn_synth.training.images import ImageData

CLASSES = 10
COUNTED = 200  # samples whose spikes are counted


@dataclass(frozen=True)
class VQDTrial(SampleTrial):
    """A spiking VQ-diffusion.

    Args:
        recipe: how it is trained.
        images: ``mnist``, ``fashion_mnist`` or ``mnist_subset``.
        train_images: use only so many of the training images in an epoch, and measure a third as many.
        samples: how many are measured.
        channels: of the autoencoder.
        codebook: number of tokens.
        hidden: neurons of the denoiser's first layer.
        autoencoder_epochs: of the recipe's, those of the autoencoder.
        sampling_steps: in which an image is drawn.
        temperature: of the draws.
        guidance: of the samples whose measures are ``guided/...``; those of ``test/...`` have none.
    """

    channels: tuple[int, int] = (16, 32)
    codebook: int = 128
    hidden: int = 1024
    autoencoder_epochs: int = 3
    sampling_steps: int = 25
    temperature: float = 1.0
    guidance: float = GUIDANCE

    row_names: ClassVar[tuple[str, ...]] = "repeated", "lower half new", "class to class", "samples"

    every = 200
    """Batches between two points of the curve."""

    def quick(self) -> Self:
        """With a tenth of the images, for an epoch of each stage."""
        shorter = super().quick()
        return replace(shorter, recipe=replace(shorter.recipe, epochs=2), autoencoder_epochs=1)

    @property
    def title(self) -> str:
        """Images and size."""
        return f"{self.images}-vqd-{self.codebook}"

    def module(self, seed: int, data: ImageData, trials: Path) -> LitVQDiffusion:
        """The untrained networks with all that trains them."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = SpikingVQDiffusion(
                SpikingVQAE(channels=self.channels, codebook=self.codebook),
                SpikingTokenDenoiser(self.codebook, hidden=self.hidden),
                self.sampling_steps,
                self.temperature,
            )
            settings = self.recipe.factories()
            return LitVQDiffusion(network, self.autoencoder_epochs, precision="mixed", seed=seed, **settings)

    def labels(self, module: LitVQDiffusion, count: int) -> Tensor:
        """Each class as often."""
        return torch.arange(count) % CLASSES

    def sample(self, module: LitVQDiffusion, count: int) -> Tensor:
        """New images of every class in turn ``[count, 1, 28, 28]`` in [0, 1], always the same."""
        generator = torch.Generator().manual_seed(0)
        parts = self.labels(module, count).split(AT_ONCE)  # type: ignore[no-untyped-call]
        return torch.cat([module.network.sample(len(part), generator, part) for part in parts])

    @torch.no_grad()
    def watch(self, module: LitVQDiffusion, data: ImageData) -> dict[str, float]:
        """Error of the first training images by the autoencoder."""
        module.network.autoencoder.eval()
        return {"pixel_mse": pixel_mse(module, data.train_set, WATCHED)}

    @torch.no_grad()
    def measure(self, module: LitVQDiffusion, data: ImageData) -> dict[str, dict[str, float]]:
        """Errors of the autoencoder, samples without guidance and with, and completed images."""
        parts = {"train": data.train_set, "test": data.test_set}
        found = {part: {"pixel_mse": pixel_mse(module, images, self.most)} for part, images in parts.items()}
        found["test"] |= baselines_of(data, self.train_images, self.most) | self.quality(module, data)
        found["reconstructed"] = {"fad": self.fad(data.root)(self._reconstructed(module, data))}
        network = module.network
        network.guidance = self.guidance
        found["guided"] = self.quality(module, data)
        network.guidance = 0.0
        found["test"]["completed"] = self._completed(module, data)
        return found

    @property
    def further_parts(self) -> tuple[str, ...]:
        """The work of a sample, and how good samples without labels are."""
        return "inference", "unlabelled"

    @torch.no_grad()
    def further(self, module: LitVQDiffusion, data: ImageData) -> dict[str, dict[str, float]]:
        """What a new image costs, and samples whose classes come as they may: both without guidance."""
        module.network.guidance = 0.0
        return {
            "inference": sample_cost(module.network, self.labels(module, COUNTED)),
            "unlabelled": self.quality_of(super().sample(module, self.samples), None, data),
        }

    def _reconstructed(self, module: LitVQDiffusion, data: ImageData) -> Tensor:
        """Training images after the autoencoder: what the denoiser would draw if it drew as they are."""
        return torch.cat([module.predict_step(batch) for batch in first_images(data.train_set, self.samples)])

    def _completed(self, module: LitVQDiffusion, data: ImageData) -> float:
        """Share of the test images whose lower half, drawn anew, leaves the class that the classifier sees right."""
        classifier, generator = classifier_of(self.images), torch.Generator().manual_seed(0)
        mask, right = torch.zeros(28, 28, dtype=torch.bool), []
        mask[14:] = True
        for batch in first_images(data.test_set, self.most):
            drawn = module.network.complete(batch.images, mask, generator)
            right.append(classifier.probabilities(drawn).argmax(1) == batch.labels)
        return torch.cat(right).float().mean().item()

    @torch.no_grad()
    def draw(self, module: LitVQDiffusion, data: ImageData) -> npt.NDArray[np.float32]:
        """The first test image of each class, what is drawn of it and of its upper half, a walk, and samples."""
        network, batch = module.network, first_of_each_class(data.test_set)
        mask = torch.zeros(28, 28, dtype=torch.bool)
        mask[14:] = True
        completed = network.complete(batch.images, mask, torch.Generator().manual_seed(0))
        walk = network.walk(4, 9, CLASSES)
        rows = torch.stack([batch.images, module.predict_step(batch), completed, walk]).squeeze(2)
        return torch.cat([rows, self.rows(module)]).numpy()


@torch.no_grad()
def sample_cost(vqd: SpikingVQDiffusion, labels: Tensor) -> dict[str, float]:
    """What new images of some classes cost, all sampling steps together.

    Returns:
        Of an image ``spikes`` and ``operations``, of denoiser and decoder; ``products``, multiply-accumulates of the
        denoiser's first layer, which reads embedded tokens and no spikes, and of the decoder's, which reads vectors.
    """
    fired: dict[nn.Module, Tensor] = {}  # by the operator that reads the spikes: how often each neuron fired
    denoiser, draw = vqd.denoiser, vqd.autoencoder.draw
    first, *others = (layer for layer in vqd.autoencoder.decoder if isinstance(layer, SpikingLayer))

    def add(reader: nn.Module, counts: Tensor) -> None:
        fired[reader] = fired.get(reader, torch.zeros(())) + counts

    def of_layers(reader: nn.Module, inputs: tuple[Tensor]) -> None:
        add(reader, inputs[0].view(-1, len(labels), *inputs[0].shape[1:]).sum(0))

    hooks = [layer.operator.register_forward_pre_hook(of_layers) for layer in others]
    hooks += [
        others[-1].register_forward_hook(lambda layer, inputs, spikes: add(draw, spikes.sum(0))),
        denoiser.output.register_forward_pre_hook(lambda reader, spikes: add(reader, spikes[0].sum(0))),
        denoiser.head.register_forward_pre_hook(
            lambda reader, rates: add(reader, denoiser.num_steps * rates[0].flatten(1))
        ),
    ]
    vqd.sample(len(labels), torch.Generator().manual_seed(0), labels)
    for hook in hooks:
        hook.remove()
    of_head = fired.pop(denoiser.head), denoiser.tokens  # each place's neurons reach the tokens of that place
    cost = spiking_cost(of_head, *((counts, fan_out(reader, counts.shape[1:])) for reader, counts in fired.items()))
    rows, features = vqd.side // 4, vqd.autoencoder.codebook.vectors.shape[1]
    constant = fan_out(first.operator, (features, rows, rows)).sum()
    return cost | {"products": vqd.sampling_steps * denoiser.input.weight.numel() + float(constant)}
