"""How pytest finds the examples of the package's modules."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
ALONE = """
from pathlib import Path
from _pytest.pathlib import import_path
import conftest

file = Path("snn_synth/functional/surrogate.py").resolve()
conftest.pytest_collect_file(file)
module = import_path(file, mode="importlib", root=Path.cwd(), consider_namespace_packages=False)
import snn_synth.functional
assert module.spike is snn_synth.functional.spike
"""


def test_a_module_that_is_named_alone_is_the_one_of_its_package():
    """A test that changes the one that it imports would not change the other."""
    child = subprocess.run([sys.executable, "-c", ALONE], cwd=ROOT, capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
