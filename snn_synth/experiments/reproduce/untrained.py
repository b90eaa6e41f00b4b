"""Trials that train nothing themselves."""

import time
from pathlib import Path
from typing import Any

from snn_synth.experiments.reproduce.trials import Trial


class UntrainedTrial(Trial):
    """Measures what needs no training, or what another trial has trained."""

    def watch(self, module: Any, data: Any) -> dict[str, float]:
        """Nothing."""
        return {}

    def _run(self, seed: int, trials: Path, folder: Path, root: str | None, name: str, group: str) -> dict[str, Any]:
        """Measure, without W&B: there is no run."""
        data = self.data(root, seed)
        data.prepare_data()
        data.setup("fit")
        start = time.perf_counter()  # what this stands on is trained for its sake
        module = self.module(seed, data, trials)
        result: dict[str, Any] = self.measure(module, data) | {"curve": {"batch": []}, "cost": {}}
        self._draw(folder, module, data)
        return self._finish(folder, result | {"seconds": time.perf_counter() - start}, seed)
