"""What the package promises before anything runs: its version, and what an import does not drag in."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import snn_synth

ROOT = Path(__file__).parents[1]
BELOW_TRAINING = [
    *("functional", "surrogate", "neurons", "losses", "encoding", "metrics"),
    *("synapses", "kernels"),
    *("learning", "codec", "models", "plot", "data"),
]


def imported_by(module: str) -> set[str]:
    """The names of the modules that a fresh interpreter holds after `import module`."""
    code = f"import sys, {module}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_the_version_is_that_of_pyproject():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert snn_synth.__version__ == declared


def test_importing_the_package_imports_no_library():
    assert not imported_by("snn_synth") & {"torch", "snntorch", "lightning", "wandb", "matplotlib"}


@pytest.mark.slow
def test_nothing_below_training_imports_lightning_or_wandb():
    loaded = imported_by(", ".join(f"snn_synth.{room}" for room in BELOW_TRAINING))
    assert {f"snn_synth.{room}" for room in BELOW_TRAINING} <= loaded
    assert not loaded & {"lightning", "pytorch_lightning", "wandb"}


@pytest.mark.slow
def test_kernels_are_loaded_when_the_first_tensor_comes():
    loaded = imported_by("snn_synth.models")
    assert "snn_synth.kernels" in loaded
    assert not loaded & {"numba", "triton"}


@pytest.mark.slow
def test_pictures_do_without_pyplot():
    assert "matplotlib.pyplot" not in imported_by("snn_synth.plot")


def test_the_torch_pin_takes_any_build():
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    assert "torch==2.13.0" in pins
    assert not [pin for pin in pins if "+" in pin or "//" in pin or "@" in pin]
