"""Training the conventional counterparts, on pixels and hidden vectors instead of spikes."""

from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from snn_synth.metrics import StandardizedMSE
from snn_synth.models import ACANN, AEANN
from snn_synth.training.base import make_optimizers
from snn_synth.training.hparams import remember
from snn_synth.training.loaders import ImageBatch, SpeechBatch


class LitAutoencoderANN(LightningModule):
    """Trains an AE-ANN to regenerate its pixels, by their mean square error.

    Logs ``train/loss``, ``val/mse`` and ``test/mse``, the standardized MSE, as :class:`LitAutoencoder` does.

    Args:
        network: the autoencoder.
        optimizer: makes the optimizer; AdamW if not given.
        lr_scheduler: makes the scheduler, stepped once per batch.

    Source:
        Roy, Panda & Roy 2019, section 4.1 (AE-ANN).
    """

    def __init__(
        self,
        network: AEANN,
        optimizer: OptimizerCallable | None = None,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        """Keep the network and the settings."""
        super().__init__()
        remember(self, network=network, optimizer=optimizer, lr_scheduler=lr_scheduler)
        self.network, self.optimizer, self.lr_scheduler = network, optimizer, lr_scheduler
        self.val_mse, self.test_mse = StandardizedMSE(), StandardizedMSE()

    def training_step(self, batch: ImageBatch, batch_idx: int) -> Tensor:
        """Mean square error of the pixels."""
        images = batch.images.flatten(1)
        loss = F.mse_loss(self.network(images), images)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: ImageBatch, batch_idx: int) -> None:
        """Measure."""
        self.val_mse.update(self.network.reconstruct(batch.images), batch.images)
        self.log("val/mse", self.val_mse, prog_bar=True)

    def test_step(self, batch: ImageBatch, batch_idx: int) -> None:
        """Measure."""
        self.test_mse.update(self.network.reconstruct(batch.images), batch.images)
        self.log("test/mse", self.test_mse, prog_bar=True)

    def configure_optimizers(self) -> Any:
        """The optimizer, and the scheduler stepped once per batch."""
        return make_optimizers(self, self.network.parameters(), self.optimizer, self.lr_scheduler)


class LitAudiocoderANN(LightningModule):
    """Trains an AC-ANN to give the hidden vector of the paired image.

    Args:
        network: the audiocoder.
        autoencoder: a trained AE-ANN.
        gallery: the paired images ``[M, 1, H, W]``, to which a batch's ``image`` points.
        optimizer: makes the optimizer; AdamW if not given.
        lr_scheduler: makes the scheduler, stepped once per batch.

    Source:
        Roy, Panda & Roy 2019, section 4.2.3 (AC-ANN).
    """

    def __init__(
        self,
        network: ACANN,
        autoencoder: AEANN,
        gallery: Tensor,
        optimizer: OptimizerCallable | None = None,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        """Encode the gallery."""
        super().__init__()
        self.network, self.optimizer, self.lr_scheduler = network, optimizer, lr_scheduler
        self.autoencoder: nn.Module = autoencoder.requires_grad_(False)
        with torch.no_grad():
            self.codes = nn.Buffer(autoencoder.encode(gallery.flatten(1)))

    def training_step(self, batch: SpeechBatch, batch_idx: int) -> Tensor:
        """Mean square error of the hidden vector."""
        loss = F.mse_loss(self.network(batch.spectrograms.flatten(1)), self.codes[batch.image])
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def predict_step(self, batch: SpeechBatch, batch_idx: int = 0) -> Tensor:
        """Drawn images, flat."""
        drawn: Tensor = self.autoencoder.decode(self.network(batch.spectrograms.flatten(1)))  # type: ignore[operator]
        return drawn

    def configure_optimizers(self) -> Any:
        """The optimizer, and the scheduler stepped once per batch."""
        return make_optimizers(self, self.network.parameters(), self.optimizer, self.lr_scheduler)
