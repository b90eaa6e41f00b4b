"""A profiler of Lightning's Trainer that adds up how long training waits for its data."""

import json
from pathlib import Path
from time import perf_counter

from lightning.pytorch.profilers import Profiler

_WAITS = ("[_TrainingEpochLoop].train_dataloader_next", "[_EvaluationLoop].val_next")


class WaitingShare(Profiler):
    """Writes how long the epochs of a ``fit`` took, and how much of it was spent on fetching batches.

    The first batch of each process, which compiles kernels, is left out.

    Args:
        path: of the JSON file: ``epoch`` and ``waiting``, in seconds, and the number of ``batches``.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.began: dict[str, float] = {}
        self.epoch = self.waiting = 0.0
        self.batches = -1

    def start(self, action_name: str) -> None:
        """Note the time."""
        self.began[action_name] = perf_counter()

    def stop(self, action_name: str) -> None:
        """Add up what has passed."""
        took = perf_counter() - self.began.get(action_name, perf_counter())
        if action_name == "run_training_batch":
            self.batches += 1
            if self.batches == 0:
                self.waiting, self.began["run_training_epoch"] = 0.0, perf_counter()
        elif action_name in _WAITS:
            self.waiting += took
        elif action_name == "run_training_epoch":
            self.epoch += took

    def summary(self) -> str:
        """Nothing to read: it is in the file."""
        return ""

    def teardown(self, stage: str | None) -> None:
        """Write the file."""
        if stage == "fit":
            content = {"epoch": self.epoch, "waiting": self.waiting, "batches": self.batches}
            Path(self.path).write_text(json.dumps(content))
