"""The Triton kernels, in fresh processes: Triton reads TRITON_INTERPRET once, when it is first imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("triton")
pytestmark = pytest.mark.slow
FOLDER = Path(__file__).parent


def run_child(name, tmp_path, interpret):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(FOLDER / name)]
    environment = {**os.environ, "TRITON_INTERPRET": interpret, "TRITON_CACHE_DIR": str(tmp_path)}
    child = subprocess.run(command, cwd=FOLDER.parents[1], env=environment, capture_output=True, text=True, timeout=300)
    assert child.returncode == 0, child.stdout + child.stderr


def test_equal_to_the_reference_under_tritons_interpreter(tmp_path):
    run_child("cuda_values.py", tmp_path, interpret="1")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_equal_to_the_reference_on_the_gpu(tmp_path):
    run_child("cuda_values.py", tmp_path, interpret="0")


def test_compiled_for_a_gpu_without_one(tmp_path):
    run_child("cuda_code.py", tmp_path, interpret="0")
