"""How long the generators of new images train on this machine: benchmarks/results/generators/training-times.json.

    python benchmarks/training_times.py [VARIANT...]

Each variant of `snn-synth reproduce generators` that has weights is trained for some batches of each of its epochs. An
epoch counts as its median batch times its batches, so that a run of an hour is measured in a minute. Close what else
runs on the machine.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer

from snn_synth.data.root import data_root
from snn_synth.experiments.reproduce.catalogue import EXPERIMENTS

RESULT = Path(__file__).parent / "results/generators/training-times.json"
BATCHES = 40
SKIPPED = 5  # of an epoch: the first ones compile and fill caches


class EpochTimes(Callback):
    """Seconds between the ends of two batches, by epoch."""

    def __init__(self) -> None:
        self.seconds: defaultdict[int, list[float]] = defaultdict(list)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Start the clock."""
        self.last = time.perf_counter()

    def on_train_batch_end(self, trainer: Trainer, *rest: Any) -> None:
        """Take the time."""
        now = time.perf_counter()
        self.seconds[trainer.current_epoch].append(now - self.last)
        self.last = now


def minutes(trial: Any) -> float:
    """Of a whole training."""
    root = str(data_root())
    data = trial.data(root, 0)
    data.prepare_data()
    data.setup("fit")
    times = EpochTimes()
    with tempfile.TemporaryDirectory() as folder:
        Trainer(
            max_epochs=trial.recipe.epochs,
            limit_train_batches=BATCHES,
            default_root_dir=folder,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[times],
        ).fit(trial.module(0, data, Path(folder)), data)
    batch = [statistics.median(seconds[SKIPPED:]) for seconds in times.seconds.values()]
    return len(data.train_dataloader()) * sum(batch) / 60


def main(names: list[str]) -> None:
    """Measure, and keep what was measured of other variants."""
    found = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    for name, trial in EXPERIMENTS["generators"].variants.items():
        if trial.recipe.epochs and (not names or name in names):
            load = os.getloadavg()[0]
            found[name] = {"minutes": round(minutes(trial), 1), "cores": os.cpu_count(), "load_before": round(load, 2)}
            print(name, found[name], flush=True)
            RESULT.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
