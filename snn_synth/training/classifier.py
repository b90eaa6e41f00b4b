"""Training the classifier that measures generated images."""

import torch
import torch.nn.functional as F
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor

from snn_synth.encoding import sample_keys
from snn_synth.evaluation import shuffled_pixels
from snn_synth.metrics import Mean
from snn_synth.models import ImageClassifier
from snn_synth.training.base import LitModule
from snn_synth.training.loaders import ImageBatch


class LitImageClassifier(LitModule):
    r"""Trains a classifier to be sure of images and unsure of what is none: images whose pixels are shuffled.

    .. math:: L = -\log p_{y}(x) - \frac1C \sum_c \log p_c(\text{shuffled } x)

    Logs ``train/loss``, ``val/accuracy`` and ``test/accuracy``.

    Args:
        network: the classifier.
        seed: of the shuffling.
        optimizer: makes the optimizer of the parameters; AdamW if not given.
        lr_scheduler: makes the scheduler, stepped once per batch.

    Source:
        Hendrycks, Mazeika & Dietterich 2019 (the second term).

    Example:
        >>> LitImageClassifier(ImageClassifier(features=8)).hparams["seed"]
        0
    """

    network: ImageClassifier

    def __init__(
        self,
        network: ImageClassifier,
        seed: int = 0,
        optimizer: OptimizerCallable | None = None,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        """Keep the network and the settings."""
        super().__init__(optimizer, lr_scheduler)
        self.network, self.seed = network, seed
        self.val_accuracy, self.test_accuracy = Mean(), Mean()

    @property
    def needs_labels(self) -> bool:
        """It learns them."""
        return True

    def training_step(self, batch: ImageBatch, batch_idx: int) -> Tensor:
        """The loss of one batch."""
        key = int(sample_keys(self.seed, self.current_epoch, batch.index[:1]))  # no hidden randomness
        logits = self.network(torch.cat([batch.images, shuffled_pixels(batch.images, key)]))
        sure, unsure = logits.chunk(2)
        loss: Tensor = F.cross_entropy(sure, batch.labels) - unsure.log_softmax(1).mean()
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: ImageBatch, batch_idx: int) -> None:
        """Measure."""
        self._measure("val", batch, self.val_accuracy)

    def test_step(self, batch: ImageBatch, batch_idx: int) -> None:
        """Measure."""
        self._measure("test", batch, self.test_accuracy)

    def predict_step(self, batch: ImageBatch, batch_idx: int = 0) -> Tensor:
        """Labels, ``[B]``."""
        return self.classify(batch)

    def classify(self, batch: ImageBatch) -> Tensor:
        """Labels, ``[B]``."""
        labels: Tensor = self.network(batch.images).argmax(1)
        return labels

    def _measure(self, stage: str, batch: ImageBatch, accuracy: Mean) -> None:
        accuracy.update((self.classify(batch) == batch.labels).float())
        self.log(f"{stage}/accuracy", accuracy, prog_bar=True)
