"""Doctests are looked for in every module; those of Triton, ONNX, NeuroBench and the web page need extras.

Every test, in docstrings too, starts from the same random generators: it draws the same alone and after others.
"""

import importlib.util
import random

import numpy as np
import pytest
import torch

NEEDED = {
    "snn_synth/kernels/cuda/*": ["triton"],
    "snn_synth/interop/onnx*": ["onnx", "onnxruntime"],
    "snn_synth/interop/neurobench.py": ["neurobench"],
    "snn_synth/web/app.py": ["gradio"],
    "snn_synth/web/run.py": ["gradio"],
}

collect_ignore_glob = [
    modules for modules, packages in NEEDED.items() if not all(map(importlib.util.find_spec, packages))
]


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Set the global random generators to seed 0."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
