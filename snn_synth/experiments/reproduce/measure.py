"""What is measured of what a network draws."""

from collections.abc import Iterable
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torchmetrics import PearsonCorrCoef

from snn_synth.functional import best_of_class, gallery_mse, spike_mse, standardized_mse
from snn_synth.training import LitAudiocoder, LitAutoencoder, SpokenDigitsData
from snn_synth.training.base import HELD_OUT
from snn_synth.training.loaders import ImageBatch, SpeechBatch

AT_ONCE = 250  # samples
Errors = tuple[Tensor, Tensor, dict[str, Tensor]]
"""Drawn images and what they should be, flat, and measures of each sample."""


@torch.no_grad()
def image_errors(module: LightningModule, batch: ImageBatch) -> Errors:
    """How wrong an autoencoder regenerates images.

    Returns:
        For each sample ``standardized_mse``; of a spiking network also ``spike_mse``, and ``error_share``, the share of
        output neurons and time steps that the loss does not leave alone: with the mask those that fire wrongly,
        without it all whose membrane is not at its target.
    """
    batch = ImageBatch(*(part.to(module.device) for part in batch))
    images = batch.images.flatten(1)
    if not isinstance(module, LitAutoencoder):
        drawn = module.predict_step(batch).flatten(1)
        return drawn, images, {"standardized_mse": standardized_mse(drawn, images)}
    spikes = module.encode(images, batch.index, HELD_OUT)
    out = module.network(spikes)
    aims = module.network.config["threshold"] * spikes
    wrong = out.spikes != spikes if module.mask else out.membrane != aims
    found = {
        "standardized_mse": standardized_mse(out.spikes.sum(0), images),
        "spike_mse": spike_mse(out.spikes, spikes),
        "error_share": wrong.float().mean((0, 2)),
    }
    return out.spikes.mean(0), images, found


@torch.no_grad()
def speech_errors(module: LightningModule, data: SpokenDigitsData, batch: SpeechBatch, paired: bool) -> Errors:
    """How wrong an audiocoder with its decoder draws the image of a spoken digit.

    Args:
        module: spiking or not.
        data: holds the images.
        batch: of utterances.
        paired: measure against the paired image, which only training utterances have in data set B; else against the
            nearest of the paired images of the label, the paper's test metric.

    Returns:
        For each sample ``standardized_mse`` and ``nearest_class``, whether the nearest image is one of its digit; of
        a spiking network also ``spike_mse``, against the input spikes of the image.
    """
    batch = SpeechBatch(*(part.to(module.device) for part in batch))
    network: Any = module.network
    training = network.training  # where the curve is measured
    network.eval()
    gallery, labels = data.gallery.flatten(1).to(module.device), data.gallery_labels.to(module.device)
    if isinstance(module, LitAudiocoder):
        assert module.autoencoder is not None
        code = network(module.encode(batch.spectrograms, batch.index, HELD_OUT)).spikes
        fired = module.autoencoder.decode(code)
        drawn = fired.mean(0)
    else:
        drawn = module.predict_step(batch)
    network.train(training)
    every = gallery_mse(drawn, gallery)
    error, best = best_of_class(every, batch.labels, labels)
    if paired:
        best = batch.image
        error = every.gather(1, best[:, None])[:, 0]
    nearest = (labels[every.argmin(1)] == batch.labels).float()
    found = {"standardized_mse": error, "nearest_class": nearest}
    if isinstance(module, LitAudiocoder):
        found["spike_mse"] = spike_mse(fired, module.encode(gallery[best], best, HELD_OUT))
    return drawn, gallery[best], found


def means(parts: Iterable[Errors]) -> dict[str, float]:
    """Means over all samples of some batches, and ``standardized_mse_whole_set``.

    The latter standardizes by mean and variance of all pixels of the set at once instead of each image's own, the
    other reading of the paper's section 4.1: 2 (1 - r), r the correlation of drawn and true pixels.
    """
    sums: dict[str, float] = {}
    samples, correlation = 0, PearsonCorrCoef()
    for drawn, images, found in parts:
        samples += len(drawn)
        correlation.update(drawn.flatten().double().cpu(), images.flatten().double().cpu())
        for name, value in found.items():
            sums[name] = sums.get(name, 0.0) + value.double().sum().item()
    r = torch.nan_to_num(correlation.compute()).item()  # a silent output correlates with nothing
    return {name: value / samples for name, value in sums.items()} | {"standardized_mse_whole_set": 2 * (1 - r)}
