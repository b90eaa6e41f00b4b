"""What is measured of a trained autoencoder, spiking or not."""

import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torchmetrics import PearsonCorrCoef

from snn_synth.data import ImageDataset
from snn_synth.functional import spike_mse, standardized_mse
from snn_synth.training import LitAutoencoder
from snn_synth.training.base import HELD_OUT
from snn_synth.training.images import image_batch
from snn_synth.training.loaders import ImageBatch

AT_ONCE = 250  # images


@torch.no_grad()
def errors(module: LightningModule, batch: ImageBatch) -> tuple[Tensor, dict[str, Tensor]]:
    """What an autoencoder draws, and how wrong that is.

    Returns:
        Drawn images, flat, and for each sample ``mse`` (standardized); of a spiking network also ``spike_mse``, and
        ``error_share``, the share of output neurons and time steps that the loss does not leave alone: with the mask
        those that fire wrongly, without it all whose membrane is not at its target.
    """
    batch = ImageBatch(*(part.to(module.device) for part in batch))
    images = batch.images.flatten(1)
    if not isinstance(module, LitAutoencoder):
        drawn = module.predict_step(batch).flatten(1)
        return drawn, {"mse": standardized_mse(drawn, images)}
    spikes = module.encode(images, batch.index, HELD_OUT)
    out = module.network(spikes)
    aims = module.network.config["threshold"] * spikes
    wrong = out.spikes != spikes if module.mask else out.membrane != aims
    return out.spikes.mean(0), {
        "mse": standardized_mse(out.spikes.sum(0), images),
        "spike_mse": spike_mse(out.spikes, spikes),
        "error_share": wrong.float().mean((0, 2)),
    }


def over(module: LightningModule, images: ImageDataset, most: int) -> dict[str, float]:
    """Means of :func:`errors` over a set, of at most so many images, and ``mse_whole_set``.

    The latter standardizes by mean and variance of all pixels of the set at once instead of each image's own, the
    other reading of the paper's section 4.1: 2 (1 - r), r the correlation of drawn and true pixels.
    """
    sums: dict[str, float] = {}
    samples, correlation = 0, PearsonCorrCoef()
    for places in torch.arange(min(most, len(images))).split(AT_ONCE):  # type: ignore[no-untyped-call]
        batch = image_batch(images, places)
        drawn, found = errors(module, batch)
        samples += len(drawn)
        correlation.update(drawn.flatten().double().cpu(), batch.images.flatten().double().cpu())
        for name, value in found.items():
            sums[name] = sums.get(name, 0.0) + value.double().sum().item()
    r = torch.nan_to_num(correlation.compute()).item()  # a silent output correlates with nothing
    return {name: value / samples for name, value in sums.items()} | {"mse_whole_set": 2 * (1 - r)}
