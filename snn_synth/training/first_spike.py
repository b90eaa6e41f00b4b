"""Training a classifier whose first spike decides."""

from typing import Any

from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor
from torchmetrics import Metric

from snn_synth.encoding import step_times
from snn_synth.errors import InputError
from snn_synth.functional import normalized_timing_loss, relative_targets
from snn_synth.metrics import Mean
from snn_synth.models import FirstSpikeClassifier, FirstSpikeOutput
from snn_synth.training.base import LitModule
from snn_synth.training.hparams import remember
from snn_synth.training.loaders import ImageBatch


class LitFirstSpikeClassifier(LitModule):
    """Trains a classifier to let the right output fire before all others.

    Logs ``train/loss``; ``val/accuracy`` and ``test/accuracy``; ``.../decision``, the step of the first output's spike
    as a share of T; ``.../spikes``, how many there are in the whole network until then.

    Args:
        network: the classifier.
        margin: steps by which the other outputs should be later, see
            :func:`~snn_synth.functional.relative_targets`.
        advance: steps by which the right output is always pulled earlier: 0 is S4NN, above 0 the aggressive loss.
        optimizer: makes the optimizer of the parameters; AdamW if not given.
        lr_scheduler: makes the scheduler, stepped once per batch.

    Raises:
        InputError: for a margin that is not positive, or a negative advance.

    Source:
        Kheradpisheh & Masquelier 2020 (S4NN). Kotariya & Ganguly 2021 (the aggressive loss): the formula is our
        reconstruction, see :func:`~snn_synth.functional.relative_targets`.

    Example:
        >>> LitFirstSpikeClassifier(FirstSpikeClassifier(), advance=4.0).hparams["advance"]
        4.0
    """

    network: FirstSpikeClassifier

    def __init__(
        self,
        network: FirstSpikeClassifier,
        margin: float = 3.0,
        advance: float = 0.0,
        optimizer: OptimizerCallable | None = None,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        """Check and keep the settings."""
        if margin <= 0 or advance < 0:
            raise InputError(f"Expected a positive `margin` and an `advance` of at least 0, got {margin} and {advance}")
        super().__init__(optimizer, lr_scheduler)
        remember(self, network=network, margin=margin, advance=advance, optimizer=optimizer, lr_scheduler=lr_scheduler)
        self.network, self.margin, self.advance = network, margin, advance
        for stage in ("val", "test"):
            for name in ("accuracy", "decision", "spikes"):
                setattr(self, f"{stage}_{name}", Mean())

    def classify(self, batch: ImageBatch) -> FirstSpikeOutput:
        """Steps of all spikes."""
        out: FirstSpikeOutput = self.network(step_times(batch.images.flatten(1), self.network.num_steps))
        return out

    def training_step(self, batch: ImageBatch, batch_idx: int) -> Tensor:
        """The loss of one batch."""
        times, steps = self.classify(batch).times, self.network.num_steps
        targets = relative_targets(times.detach(), batch.labels, self.margin, self.advance, steps)
        loss = normalized_timing_loss(times, targets, steps)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: ImageBatch, batch_idx: int) -> None:
        """Measure."""
        self._measure("val", batch)

    def test_step(self, batch: ImageBatch, batch_idx: int) -> None:
        """Measure."""
        self._measure("test", batch)

    def predict_step(self, batch: ImageBatch, batch_idx: int = 0) -> Tensor:
        """Labels, ``[B]``."""
        return self.classify(batch).labels

    def _measure(self, stage: str, batch: ImageBatch) -> None:
        out = self.classify(batch)
        measured: dict[str, Any] = {
            "accuracy": (out.labels == batch.labels).float(),
            "decision": out.decision / self.network.num_steps,
            "spikes": out.spikes.float(),
        }
        for name, values in measured.items():
            metric: Metric = getattr(self, f"{stage}_{name}")
            metric.update(values)
            self.log(f"{stage}/{name}", metric, prog_bar=name == "accuracy")
