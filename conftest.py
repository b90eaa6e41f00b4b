"""Doctests are looked for in every module; those of Triton, ONNX, NeuroBench and the web page need extras.

Every test, in docstrings too, starts from the same random generators: it draws the same alone and after others.
"""

import importlib
import importlib.util
import random
from collections import Counter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent / "snn_synth"
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
    import numpy as np
    import torch  # not by the process that only hands out the tests

    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


def pytest_collect_file(file_path: Path) -> None:
    """Import the package of a module first: pytest makes a second module of the same name where it comes alone."""
    if PACKAGE in file_path.parents:
        importlib.import_module(".".join(file_path.relative_to(PACKAGE.parent).parent.parts))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with many slow tests first: the last ones leave one worker of pytest-xdist without work."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])
