"""The share of an epoch in which training waits for its data, inside real runs of the shipped configs."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

AT_MOST = 0.05
CONFIGS = ("ae_mnist", "a2i_fsdd", "a2i_any_speaker", "ae_folder")
PROFILER = "snn_synth.experiments.bench.waiting"  # by name: it imports Lightning


def arguments(config: str, folder: Path) -> list[str]:
    """Of ``fit``, for some epochs of a shipped config: on pictures made for it, or on FSDD's words alone.

    Example:
        >>> arguments("ae_mnist", Path("runs"))
        ['--config=ae_mnist', '--trainer.max_epochs=1']
    """
    given = [f"--config={config}", "--trainer.max_epochs=1"]
    if config == "ae_folder":
        given[1] = "--trainer.max_epochs=20"
        return [*given, f"--data.images.root={pictures(folder / 'pictures')}"]
    if config == "a2i_any_speaker":
        given.append("--data.corpus=fsdd")
    return given if config == "ae_mnist" else [*given, "--model.autoencoder=mnist"]


def measure(configs: Sequence[str] = CONFIGS, tick: Callable[[], object] = int) -> dict[str, dict[str, Any]]:
    """Train by each config for a while, in a process of its own.

    Returns:
        By the config's name, ``share``, seconds of the ``epoch``s and ``batches``; or ``error``.
    """
    results = {}
    for config in configs:
        with tempfile.TemporaryDirectory() as folder:
            results[config] = _fit(config, Path(folder))
        tick()
    return results


def _fit(config: str, folder: Path) -> dict[str, Any]:
    found = folder / "waiting.json"
    command = [
        *(sys.executable, "-m", "snn_synth.cli", "fit", *arguments(config, folder), f"--allow_import={PROFILER}"),
        *(f"--trainer.profiler={PROFILER}.WaitingShare", f"--trainer.profiler.path={found}"),
        *(f"--trainer.default_root_dir={folder / 'run'}", "--trainer.accelerator=cpu", "--test_after_fit=false"),
    ]
    process = subprocess.run(command, env=os.environ | {"WANDB_MODE": "disabled"}, capture_output=True, text=True)
    if process.returncode:
        return {"error": (process.stderr.strip().splitlines() or [f"ended with code {process.returncode}"])[-1]}
    seconds = json.loads(found.read_text())
    return {
        "share": float(f"{seconds['waiting'] / seconds['epoch']:.3g}"),
        "epoch": round(seconds["epoch"], 3),
        "batches": seconds["batches"],
    }


def pictures(root: Path, count: int = 100, side: int = 96) -> Path:
    """A folder with two classes of so many images each, of random colours."""
    noise = np.random.default_rng(0)
    for name in ("one", "other"):
        (root / name).mkdir(parents=True)
        for number in range(count):
            pixels = noise.integers(0, 256, (side, side, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root
