"""Time to the first result: whole processes, with compiled kernels on the disk and without."""

import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import soundfile
import torch

from snn_synth.experiments.bench.measure import summary

FLOOR = "import torch"
STEP = "first training step, 784-196-784"
AT_MOST = {STEP: {"cold": 10.0, "warm": 3.0}}  # seconds, from the start of the process
REPEATS = 3

_LINEAR = """
import torch
layer = torch.nn.Linear(784, 784)
optimizer = torch.optim.Adam(layer.parameters(), fused=True)
layer(torch.rand(100, 784)).square().mean().backward()
optimizer.step()
"""
_STEP = """
import torch
from snn_synth.encoding import poisson_encode
from snn_synth.learning import bptt_step
from snn_synth.models import AESNN
network = AESNN(784, 196)
spikes = poisson_encode(0.3 * torch.rand(100, 784), 15, keys=torch.arange(100))
bptt_step(network, spikes, spikes, torch.optim.Adam(network.parameters(), fused=True))
"""


def commands(word: Path) -> dict[str, list[str]]:
    """What is started, by its name, given a sound file: the floor first.

    Example:
        >>> list(commands(Path("seven.wav")))[:3]
        ['import torch', 'snn-synth --help', 'import snn_synth.models']
    """
    python, ours = [sys.executable, "-c"], [sys.executable, "-m", "snn_synth.cli"]
    batch = ["fit", "--config=ae_mnist", "--trainer.fast_dev_run=true", "--trainer.accelerator=cpu"]
    if not os.environ.get("SNN_SYNTH_DATA"):
        batch += ["--data=MNISTSubsetData", "--data.batch_size=100"]
    return {
        FLOOR: [*python, "import torch"],
        "snn-synth --help": [*ours, "--help"],
        "import snn_synth.models": [*python, "import snn_synth.models"],
        "snn-synth synthesize, one word": [*ours, "synthesize", "--out", str(word.parent / "pictures"), str(word)],
        "training step of torch's own Linear": [*python, _LINEAR],
        STEP: [*python, _STEP],
        "snn-synth fit --config ae_mnist, a batch of each kind": [*ours, *batch],
    }


def measure(repeats: int = REPEATS, tick: Callable[[], object] = int) -> dict[str, dict[str, Any]]:
    """Seconds of each command, cold (no compiled kernels) and warm (the same again).

    The system's own cache of files is warm in both.

    Returns:
        By the command's name, ``cold`` and ``warm`` as :func:`~snn_synth.experiments.bench.measure.summary` gives them;
        or ``error``.
    """
    with tempfile.TemporaryDirectory() as folder:
        found = commands(tone(Path(folder) / "tone.wav"))
        seconds: dict[str, dict[str, list[float]]] = {name: {"cold": [], "warm": []} for name in found}
        errors: dict[str, dict[str, Any]] = {}
        for _ in range(repeats):
            for name, command in found.items():
                with tempfile.TemporaryDirectory(dir=folder) as kernels:
                    for state in ("cold", "warm"):
                        took = _seconds(command, Path(folder), Path(kernels))
                        if isinstance(took, str):
                            errors[name] = {"error": took}
                        else:
                            seconds[name][state].append(took)
                        tick()
    return {
        name: errors.get(name) or {state: summary(rounds) for state, rounds in both.items()}
        for name, both in seconds.items()
    }


def _seconds(command: Sequence[str], folder: Path, kernels: Path) -> float | str:
    """Of a process that does what it is to do; else what it said last."""
    start = time.perf_counter()
    process = subprocess.run(command, cwd=folder, env=environment(kernels), capture_output=True, text=True)
    took = time.perf_counter() - start
    if process.returncode:
        return (process.stderr.strip().splitlines() or [f"ended with code {process.returncode}"])[-1]
    return took


def environment(kernels: Path) -> Mapping[str, str]:
    """Of a process that keeps its kernels in that folder and has as many threads as this one."""
    threads = str(torch.get_num_threads())
    return os.environ | {"NUMBA_CACHE_DIR": str(kernels), "OMP_NUM_THREADS": threads, "WANDB_MODE": "disabled"}


def tone(path: Path) -> Path:
    """Write a sound that is half a second long, between silences."""
    sound = [math.sin(0.3 * i) * math.sin(math.pi * i / 4000) for i in range(4000)]
    soundfile.write(path, [*[0.0] * 1600, *sound, *[0.0] * 1600], 8000)
    return path
