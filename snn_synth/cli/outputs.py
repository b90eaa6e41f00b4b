"""What a command leaves in the run's folder: measurements and predicted images."""

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from safetensors.torch import save_file
from torch import Tensor

from snn_synth import plot
from snn_synth.experiments.record import versions
from snn_synth.files import atomic_write

SHOWN = 100  # predicted images in the picture


def write_metrics(
    path: Path, argv: Sequence[str], metrics: Mapping[str, float], seconds: Mapping[str, float], checkpoint: str | None
) -> None:
    """Write what was measured, and what it takes to measure it again.

    Args:
        path: of the JSON file.
        argv: arguments of the command line.
        metrics: by their logged keys; those of validation and test, and of heard voices, are written.
        seconds: that each stage took.
        checkpoint: that was measured.
    """
    content: dict[str, Any] = {
        **{
            name: round(float(value), 6)
            for name, value in metrics.items()
            if name.startswith(("val/", "test/", "heard/"))
        },
        "checkpoint": None if checkpoint is None else os.path.relpath(checkpoint),
        "command": shlex.join(["snn-synth", *argv]),
        "seconds": {stage: round(value, 1) for stage, value in seconds.items()},
        "versions": versions(),
    }
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n")
    print(f"Wrote {path}")


class PredictionFiles(BasePredictionWriter):
    """Writes all predictions as ``predictions.safetensors`` and, of images, the first as ``predictions.png``.

    Of images that are drawn again, both have what went in, too, and the first file the paths of the images, if known.
    """

    def __init__(self) -> None:
        """Write once, at the end."""
        super().__init__(write_interval="epoch")
        self.targets: list[Tensor] = []
        self.places: list[int] = []

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep what went in."""
        if getattr(pl_module, "redraws", False):
            self.targets.append(batch.images.cpu())
            self.places += batch.index.tolist()

    def write_on_epoch_end(
        self, trainer: Trainer, pl_module: LightningModule, predictions: Sequence[Tensor], batch_indices: Sequence[Any]
    ) -> None:
        """Write both files."""
        folder = Path(trainer.default_root_dir)
        found = torch.cat(list(predictions))
        kind = "images" if found.dim() == 4 else "predictions"
        targets = torch.cat(self.targets) if self.targets else None
        tensors = {kind: found} if targets is None else {kind: found, "targets": targets}
        files = getattr(getattr(getattr(trainer, "datamodule", None), "test_set", None), "files", None)
        known = {"files": json.dumps([str(files[place]) for place in self.places])} if files and self.places else None
        with atomic_write(folder / "predictions.safetensors") as partial:
            save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partial, known)
        print(f"Wrote {len(found)} {kind} to {folder / 'predictions.safetensors'}")
        if kind == "images":
            shown = found[:SHOWN]
            pairs = None if targets is None else plot.reconstructions(targets[:SHOWN], shown, columns=10)
            plot.save_figure(pairs or plot.image_grid(shown), folder / "predictions.png")
            print(f"Wrote {folder / 'predictions.png'}")
