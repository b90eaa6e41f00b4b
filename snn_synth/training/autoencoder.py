"""Training an AE-SNN."""

from typing import Any

import torch
from torch import Tensor

from snn_synth.errors import InputError
from snn_synth.evaluation import layer_names
from snn_synth.learning.layers import layers_of
from snn_synth.metrics import SpikeMSE, StandardizedMSE
from snn_synth.models import SpikingAutoencoder
from snn_synth.training.base import HELD_OUT
from snn_synth.training.loaders import ImageBatch
from snn_synth.training.spiking import LitSpiking


class LitAutoencoder(LitSpiking):
    """Trains a spiking autoencoder to regenerate its input spikes.

    Batches of events (:class:`~snn_synth.training.NMNISTData`) have spikes beside the images, and are not encoded.

    Logs ``train/loss``, and of validation and test ``.../standardized_mse`` and ``.../spike_mse``.

    Args:
        network: the autoencoder.
        greedy_epochs: of a deep one, epochs in which each layer learns alone before all learn together: as an
            autoencoder, with the layer that undoes it, of the spikes that the layers below give, from the image on.
        **settings: of :class:`LitSpiking`: the rule, T, the optimizer, ...

    Raises:
        InputError: for ``greedy_epochs`` below 0, or in several processes, which wait for the gradients of all layers.

    Source:
        Roy, Panda & Roy 2019, section 4.1.

    Example:
        >>> from snn_synth.models import AESNN
        >>> module = LitAutoencoder(AESNN(784, 196), rule="online", num_steps=15)
        >>> module.hparams["network"]["class_path"]
        'snn_synth.models.autoencoder.AESNN'
    """

    network: SpikingAutoencoder
    redraws = True

    def __init__(
        self,
        network: SpikingAutoencoder,
        greedy_epochs: int = 0,
        **settings: Any,
    ) -> None:
        """Keep the network and the settings."""
        if greedy_epochs < 0:
            raise InputError(f"Expected `greedy_epochs` of at least 0, got {greedy_epochs}")
        super().__init__(**settings)
        self.network, self.greedy_epochs = network, greedy_epochs
        self.val_standardized_mse, self.val_spike_mse = StandardizedMSE(), SpikeMSE()
        self.test_standardized_mse, self.test_spike_mse = StandardizedMSE(), SpikeMSE()

    def on_fit_start(self) -> None:
        """Refuse what would wait for ever."""
        if self.greedy_epochs and self.trainer.world_size > 1:
            raise InputError(f"Expected one process to train layer by layer, got {self.trainer.world_size}")

    def training_step(self, batch: ImageBatch, batch_idx: int) -> Tensor:
        """One batch by the rule."""
        spikes = self._spikes(batch, self.current_epoch)
        if self.current_epoch >= self.greedy_epochs * self.network.depth:
            return self.learn(spikes, spikes)
        number = self.current_epoch // self.greedy_epochs
        with torch.no_grad():
            spikes = self.network.encode(spikes, number)
        return self.learn(spikes, spikes, self.network.pair(number))

    def validation_step(self, batch: ImageBatch, batch_idx: int) -> dict[str, Any]:
        """Measure, and hand spikes and images to the callbacks."""
        return self._measure("val", batch, self.val_standardized_mse, self.val_spike_mse)

    def test_step(self, batch: ImageBatch, batch_idx: int) -> dict[str, Any]:
        """Measure, and hand spikes and images to the callbacks."""
        return self._measure("test", batch, self.test_standardized_mse, self.test_spike_mse)

    def predict_step(self, batch: ImageBatch, batch_idx: int = 0) -> Tensor:
        """Reconstructed images, ``[B, C, H, W]`` in [0, 1]."""
        spikes = self._spikes(batch, HELD_OUT)
        rates: Tensor = self.network(spikes).spikes.mean(0)
        return rates.reshape(batch.images.shape)

    def _spikes(self, batch: ImageBatch, epoch: int) -> Tensor:
        """A batch's own spikes, or those of its images."""
        spikes = self.own_spikes(batch)
        if spikes is None:
            return self.encode(batch.images, batch.index, epoch)
        if spikes.shape[2] != (pixels := batch.images.shape[1:].numel()):
            raise InputError(f"Expected spikes of each of {pixels} pixels to draw, got those of {spikes.shape[2]}")
        return spikes

    def _measure(self, stage: str, batch: ImageBatch, mse: StandardizedMSE, spike_mse: SpikeMSE) -> dict[str, Any]:
        spikes = self._spikes(batch, HELD_OUT)
        out = self.network(spikes)
        mse.update(out.spikes.sum(0), batch.images.flatten(1))
        spike_mse.update(out.spikes, spikes)
        self.log(f"{stage}/standardized_mse", mse, prog_bar=True)
        self.log(f"{stage}/spike_mse", spike_mse)
        return {
            "spikes": dict(zip(layer_names(self.network), (spikes, *out.layer_spikes), strict=True)),
            "fan_out": [operator.fan_out for operator, _ in layers_of(self.network)],
            "images": out.spikes.mean(0).reshape(batch.images.shape),
            "targets": batch.images,
        }
