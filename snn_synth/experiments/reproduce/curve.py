"""How the error falls while a network trains."""

from collections.abc import Callable
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from snn_synth.experiments.record import present_names


class Curve(Callback):
    """Measures again and again.

    Args:
        watch: measures a module on the trainer's data.
        every: batches between two measurements.
    """

    def __init__(self, watch: Callable[[Any, Any], dict[str, float]], every: int) -> None:
        """Start from nothing."""
        self.watch, self.every = watch, every
        self.points: dict[str, list[float]] = {}

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Measure after the first batch, and after each ``every``."""
        done = trainer.fit_loop.epoch_loop.total_batch_idx + 1
        if done != 1 and done % self.every:
            return
        found = self.watch(pl_module, trainer.datamodule)  # type: ignore[attr-defined]
        for name, value in {"batch": float(done), **found}.items():
            self.points.setdefault(name, []).append(round(value, 5))

    def state_dict(self) -> dict[str, Any]:
        """The points, for a run that goes on."""
        return {"points": self.points}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on after these points."""
        self.points = present_names(state_dict["points"])
