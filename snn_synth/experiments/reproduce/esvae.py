"""Trials of an ESVAE."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snn_synth.data import as_pixels
from snn_synth.evaluation import fan_out, spiking_cost
from snn_synth.experiments.reproduce.images import (
    AT_ONCE,
    WATCHED,
    baselines_of,
    first_images,
    first_of_each_class,
    pixel_mse,
)
from snn_synth.experiments.reproduce.recipes import LATER
from snn_synth.experiments.reproduce.samples import SampleTrial, shown
from snn_synth.models import ESVAE
from snn_synth.training import LitESVAE
from snn_synth.training.images import ImageData


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

    row_names = "repeated", "class to class", "samples"

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
            return LitESVAE(network, self.mmd_weight, seed, self.prior_share, **self.recipe.factories())

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
        rows = shown(torch.cat([batch.images, drawn, module.network.decode(code)])).reshape(3, 10, 28, 28)
        return torch.cat([rows, self.rows(module)]).numpy()


def _enlarged(images: Tensor, side: int) -> Tensor:
    parts = images.split(AT_ONCE)  # type: ignore[no-untyped-call]
    larger = [F.interpolate(as_pixels(part), (side, side), mode="bilinear") for part in parts]
    return torch.cat([(255 * part).round().byte()[:, 0] for part in larger])


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
