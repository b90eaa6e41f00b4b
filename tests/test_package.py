"""What the package promises before anything runs: its version, and what an import does not drag in."""

import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile

import snn_synth

ROOT = Path(__file__).parents[1]
BELOW_TRAINING = [
    *("functional", "surrogate", "neurons", "losses", "encoding", "metrics"),
    *("synapses", "kernels"),
    *("learning", "codec", "models", "plot", "data"),
]


IMPORTS = [
    "snn_synth",
    "snn_synth.models",
    "snn_synth.plot",
    ", ".join(f"snn_synth.{module}" for module in BELOW_TRAINING),
]


@pytest.fixture(scope="module")
def loaded() -> list[set[str]]:
    """The names of the modules that one fresh interpreter holds after each of the imports, in turn."""
    code = "import sys; " + "; ".join(f"import {names}; print(*sys.modules)" for names in IMPORTS)
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [set(line.split()) for line in child.stdout.splitlines()]


def test_the_version_is_that_of_pyproject():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert snn_synth.__version__ == declared


def test_importing_the_package_imports_no_library(loaded):
    assert not loaded[0] & {"torch", "snntorch", "lightning", "wandb", "matplotlib"}


def test_kernels_are_loaded_when_the_first_tensor_comes(loaded):
    assert "snn_synth.kernels" in loaded[1]
    assert not loaded[1] & {"numba", "triton"}


def test_pictures_do_without_pyplot(loaded):
    assert "snn_synth.plot" in loaded[2]
    assert "matplotlib.pyplot" not in loaded[2]


def test_nothing_below_training_imports_lightning_or_wandb(loaded):
    assert {f"snn_synth.{module}" for module in BELOW_TRAINING} <= loaded[3]
    assert not loaded[3] & {"lightning", "pytorch_lightning", "wandb"}


def test_the_torch_pin_takes_any_build():
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    assert "torch==2.13.0" in pins
    assert not [pin for pin in pins if "+" in pin or "//" in pin or "@" in pin]


@pytest.mark.slow
def test_a_word_is_drawn_by_a_shipped_model_without_lightning(tmp_path):
    soundfile.write(tmp_path / "tone.wav", 0.5 * np.sin(0.3 * np.arange(4000)), 8000)
    code = (
        "import sys; from snn_synth.cli import main\n"
        f"assert main(['synthesize', '--out', {str(tmp_path / 'out')!r}, {str(tmp_path / 'tone.wav')!r}]) == 0\n"
        "print(sorted({'lightning', 'wandb', 'torchmetrics', 'scipy.signal'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"
