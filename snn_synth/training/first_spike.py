"""Training a classifier whose first spike decides."""

from typing import Any

from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor
from torchmetrics import Metric

from snn_synth.encoding import step_times
from snn_synth.errors import InputError
from snn_synth.functional import homeostatic_loss, normalized_timing_loss, relative_targets
from snn_synth.metrics import Mean
from snn_synth.models import FirstSpikeClassifier, FirstSpikeOutput
from snn_synth.training.base import LitModule
from snn_synth.training.loaders import ImageBatch

GOAL = 0.75  # share of T around which homeostasis keeps hidden neurons: half of them stay silent


class LitFirstSpikeClassifier(LitModule):
    """Trains a classifier to let the right output fire before all others.

    Logs ``train/loss``; ``val/accuracy`` and ``test/accuracy``; ``.../decision``, the step of the first output's spike
    as a share of T; ``.../spikes``, how many there are in the whole network until then.

    Args:
        network: the classifier.
        margin: steps by which the other outputs should be later, see
            :func:`~snn_synth.functional.relative_targets`; errors smaller than it pull less.
        advance: steps by which the right output is always pulled earlier: 0 is S4NN, above 0 the aggressive loss, which
            pulls a sample that is right already with the strength advance / margin.
        homeostasis: of the hidden neurons, see :func:`~snn_synth.functional.homeostatic_loss`.
        optimizer: makes the optimizer of the parameters; AdamW if not given.
        lr_scheduler: makes the scheduler, stepped once per batch.

    Raises:
        InputError: for a margin that is not positive, or a negative advance or homeostasis.

    Source:
        Kheradpisheh & Masquelier 2020 (S4NN). Kotariya & Ganguly 2021 (the aggressive loss): the formula is our
        reconstruction, see :func:`~snn_synth.functional.relative_targets`. Homeostasis is ours, where S4NN starts dead
        neurons afresh.

    Example:
        >>> LitFirstSpikeClassifier(FirstSpikeClassifier(), advance=0.1).hparams["advance"]
        0.1
    """

    network: FirstSpikeClassifier

    def __init__(
        self,
        network: FirstSpikeClassifier,
        margin: float = 3.0,
        advance: float = 0.0,
        homeostasis: float = 0.01,
        optimizer: OptimizerCallable | None = None,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        """Check and keep the settings."""
        if margin <= 0 or min(advance, homeostasis) < 0:
            raise InputError(
                f"Expected a positive `margin`, and `advance` and `homeostasis` of at least 0, got {margin}, {advance} "
                f"and {homeostasis}"
            )
        super().__init__(optimizer, lr_scheduler)
        self.network, self.margin, self.advance, self.homeostasis = network, margin, advance, homeostasis
        for stage in ("val", "test"):
            for name in ("accuracy", "decision", "spikes"):
                setattr(self, f"{stage}_{name}", Mean())

    @property
    def needs_labels(self) -> bool:
        """It learns them."""
        return True

    def run(self, batch: ImageBatch) -> FirstSpikeOutput:
        """Steps of all spikes."""
        out: FirstSpikeOutput = self.network(step_times(batch.images.flatten(1), self.network.num_steps))
        return out

    def classify(self, batch: ImageBatch) -> Tensor:
        """Labels, ``[B]``."""
        return self.run(batch).labels

    def training_step(self, batch: ImageBatch, batch_idx: int) -> Tensor:
        """The loss of one batch."""
        out, steps = self.run(batch), self.network.num_steps
        targets = relative_targets(out.times.detach(), batch.labels, self.margin, self.advance, steps)
        loss = normalized_timing_loss(out.times, targets, steps, least=self.margin)
        self.log("train/loss", loss, prog_bar=True)
        return loss + self.homeostasis * homeostatic_loss(out.hidden, self.network.hidden.weight, GOAL, steps)

    def validation_step(self, batch: ImageBatch, batch_idx: int) -> None:
        """Measure."""
        self._measure("val", batch)

    def test_step(self, batch: ImageBatch, batch_idx: int) -> None:
        """Measure."""
        self._measure("test", batch)

    def predict_step(self, batch: ImageBatch, batch_idx: int = 0) -> Tensor:
        """Labels, ``[B]``."""
        return self.classify(batch)

    def _measure(self, stage: str, batch: ImageBatch) -> None:
        out = self.run(batch)
        measured: dict[str, Any] = {
            "accuracy": (out.labels == batch.labels).float(),
            "decision": out.decision / self.network.num_steps,
            "spikes": out.spikes.float(),
        }
        for name, values in measured.items():
            metric: Metric = getattr(self, f"{stage}_{name}")
            metric.update(values)
            self.log(f"{stage}/{name}", metric, prog_bar=name == "accuracy")
