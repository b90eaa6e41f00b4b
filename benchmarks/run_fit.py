"""`snn-synth fit` in a process of its own, for the benchmarks of whole runs."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

COMMAND = "-m", "snn_synth.cli"


def fit(configs: Iterable[str], folder: Path, *arguments: str, command: Sequence[str] = COMMAND) -> None:
    """Train by the configs, with W&B's record kept in the folder, and without the progress bar."""
    command = [sys.executable, *command, "fit", *(f"--config={config}" for config in configs)]
    command += [*arguments, f"--trainer.default_root_dir={folder}"]
    print(folder.name, flush=True)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"WANDB_MODE": "offline"})


def measured(folder: Path) -> dict[str, Any]:
    """What a finished run measured; nothing of one that is not."""
    metrics = folder / "metrics.json"
    return dict(json.loads(metrics.read_text())) if metrics.is_file() else {}
