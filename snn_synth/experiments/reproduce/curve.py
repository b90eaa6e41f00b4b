"""How the error falls while a network trains."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from snn_synth.experiments.reproduce.measure import errors
from snn_synth.training.images import image_batch

SHOWN = 200  # training images that it is measured on


class Curve(Callback):
    """Measures the errors of the same training images again and again.

    Args:
        every: batches between two measurements.
    """

    def __init__(self, every: int = 20) -> None:
        """Start from nothing."""
        self.every = every
        self.points: dict[str, list[float]] = {}

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Measure after the first batch, and after each ``every``."""
        done = trainer.fit_loop.epoch_loop.total_batch_idx + 1
        if done != 1 and done % self.every:
            return
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        shown = image_batch(data.train_set, torch.arange(min(SHOWN, len(data.train_set))))
        _, found = errors(pl_module, shown)
        for name, value in {**found, "batch": torch.tensor(float(done))}.items():
            self.points.setdefault(name, []).append(round(value.mean().item(), 5))

    def state_dict(self) -> dict[str, Any]:
        """The points, for a run that goes on."""
        return {"points": self.points}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on after these points."""
        self.points = state_dict["points"]
