"""What a training costs."""

import statistics
import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from snn_synth.experiments.bench.memory import forget_peak, peak_bytes


class Cost(Callback):
    """Takes the time of each batch, and the memory at its peak."""

    def __init__(self) -> None:
        """Start from nothing."""
        self.seconds: list[float] = []
        self.batches, self.device, self.peak = 0, "cpu", 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """See how long an epoch is."""
        self.batches, self.device = len(trainer.train_dataloader), str(pl_module.device)  # type: ignore[arg-type]

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Start the clock, and count the peak from here: what is measured in between needs memory too."""
        forget_peak(self.device)
        self.start = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop the clock."""
        self.seconds.append(time.perf_counter() - self.start)
        self.peak = max(self.peak, peak_bytes(self.device))

    def found(self) -> dict[str, float]:
        """The median batch, an epoch of as many such as the data has, and the peak; nothing if nothing was trained."""
        if not self.seconds:
            return {}
        batch = statistics.median(self.seconds)
        return {
            "measured_batches": len(self.seconds),
            "batch_seconds": round(batch, 4),
            "epoch_seconds": round(batch * self.batches, 1),
            "peak_gb": round(self.peak / 1e9, 2),
        }
