"""Do the tests notice a change of the code? Small changes, drawn by seed, each tried against the tests of its module.

    python -m tests.mutants functional neurons.py --number 50 --seed 1

Each change (a comparison, an operator, a number, a condition, a statement left out) is made in a copy of the project,
and the tests run in a process of its own, forked from this one, which has imported PyTorch already. A change that no
test notices is a survivor; tests/mutants-equivalent.txt lists those that change nothing, with why. The exit status is
1 where more than 5 in 100 of the others survive.
"""

import argparse
import importlib.util
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numba
import pytest
import snntorch  # noqa: F401  imported once, for all that are forked
import torch  # noqa: F401

from tests.changes import PACKAGE, mutants

ROOT = Path(__file__).parents[1]
EQUIVALENT = Path(__file__).with_name("mutants-equivalent.txt")
ALSO = ["tests/test_edges.py", "tests/test_golden.py", "tests/test_properties.py", "tests/test_contract.py"]
# Tests beside those of the file of the module's own name, for modules whose path begins so.
TESTS = {
    "functional/lif": ["tests/test_neurons.py", "tests/kernels/test_cpu.py"],
    "functional/loss": ["tests/test_learning.py", "tests/kernels/test_cpu.py"],
    "functional/eligibility": ["tests/test_learning.py"],
    "functional/inputs": ["tests/test_inputs.py", "tests/functional"],
    "functional/time_codes": ["tests/functional/test_encoding.py"],
    "functional/integrate_fire": ["tests/models/test_gan.py"],
    "neurons": [
        "tests/test_neuron_options.py",
        "tests/test_snntorch.py",
        "tests/test_inputs.py",
        "tests/test_drop_in.py",
    ],
    "learning": ["tests/test_learning.py", "tests/test_adam.py", "tests/test_finite.py", "tests/test_drop_in.py"],
    "codec": ["tests/test_inputs.py"],
    "data": ["tests/data"],
    "training": ["tests/training"],
    "training/base": ["tests/test_keys.py", "tests/test_finite.py"],
    "training/checkpoints": ["tests/test_finite.py"],
    "kernels/bptt": ["tests/test_learning.py", "tests/kernels/test_backends.py"],
    "kernels/layer": ["tests/kernels/test_online.py", "tests/kernels/test_bptt.py"],
    "learning/layers": ["tests/kernels/test_bptt.py"],
    "learning/bptt": ["tests/kernels/test_bptt.py"],
    "kernels/online": ["tests/test_learning.py", "tests/test_adam.py"],
    "kernels/alpha": ["tests/functional/test_alpha.py"],
    "kernels/integrate_fire": ["tests/functional/test_integrate_fire.py"],
    "kernels/encoding": ["tests/functional/test_encoding.py"],
    "kernels/lif": ["tests/test_neurons.py", "tests/kernels/test_cpu.py", "tests/kernels/test_backends.py"],
    "kernels/products": ["tests/kernels/test_products.py"],
    "kernels/cpu/alpha": ["tests/functional/test_alpha.py"],
    "kernels/cpu/amx": ["tests/kernels/test_tiles.py"],
    "kernels/cpu/integrate_fire": ["tests/functional/test_integrate_fire.py"],
    "kernels/cpu/products": ["tests/models/test_stack_output.py"],
    "kernels/cpu": ["tests/kernels/test_cpu.py", "tests/kernels/test_online.py"],
}
# What a change has still to pass where none of those noticed it: the tests of a folder.
FURTHER = {"functional": "functional", "kernels": "kernels", "learning": "kernels", "neurons": "kernels"}


def tests_of(folder: Path, module: str) -> list[list[str]]:
    """The module itself, whose docstrings have examples, and its nearest test file; then the others, and then more."""
    path = Path(module)
    own = next(  # beside the tests of its package, or of the package around that
        (f for f in (f"tests/{one}/test_{path.stem}.py" for one in path.parents) if (folder / f).exists()), module
    )
    more = [file for prefix, files in TESTS.items() if module.startswith(prefix) for file in files]
    found = [f for f in dict.fromkeys([f"snn_synth/{module}", own, *more, *ALSO]) if (folder / f).exists()]
    further = [
        str(file.relative_to(folder))
        for prefix, name in FURTHER.items()
        if module.startswith(prefix)
        for file in sorted(folder.glob(f"tests/{name}/test_*.py"))
        if file.stem != "test_cache" and str(file.relative_to(folder)) not in found  # it looks at the version itself
    ]
    return [found[:2], found[2:], *([further] if further else [])]


class Lighter:
    """Leaves out what is slow, and what starts processes that would import everything again."""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [
            item
            for item in items
            if "fresh_process" not in getattr(item, "fixturenames", ()) and not item.get_closest_marker("slow")
        ]


def tried(folder: Path, tests: list[str], log: Path, version: str | None, seconds: float) -> tuple[bool, float]:
    """Whether the tests pass in the copy, and how long the processor took; `version`: of the kernels to take again."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setsid()
            resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 1))
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.chdir(folder)
            sys.path.insert(0, str(folder))
            if version is None:
                numba.config.CACHE_DIR = str(folder / "compiled")
                shutil.rmtree(numba.config.CACHE_DIR, ignore_errors=True)
            else:
                from snn_synth.kernels.cpu import cache

                cache._version = lambda: version
            options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=line", f"--rootdir={folder}"]
            ended = pytest.main([*options, *tests], plugins=[Lighter()])
            status = ended not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        finally:
            sys.stdout.flush()
            os._exit(status)
    before, deadline = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() + 20 * seconds
    while (ended := os.waitpid(child, os.WNOHANG))[0] == 0:
        if time.monotonic() > deadline:
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.05)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended[1] == 0, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def copied(folder: Path) -> str:
    """Copy what tests need; the version of the kernels, so that those compiled are taken again."""
    for name in ("snn_synth", "tests", "docs", "configs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("build", "weights.bin"))
    for name in ("conftest.py", "pyproject.toml", "README.md"):
        shutil.copy2(ROOT / name, folder / name)
    kept = folder / "snn_synth/kernels/cpu/__pycache__/numba"
    return next((path.name for path in sorted(kept.glob("*"))), "kept")


def run(modules: list[str], number: int, seed: int, out: Path | None) -> int:
    """Try the changes of some modules; print the table, and write what survived to `out`; the exit status."""
    equivalent = {line.split(" # ")[0].strip() for line in EQUIVALENT.read_text().splitlines() if " # " in line}
    drawn = [mutant for module in modules for mutant in mutants(module)]
    drawn = random.Random(seed).sample(drawn, min(number, len(drawn)) or len(drawn))
    rows, survivors = [], []
    assert "snn_synth" not in sys.modules, "what is forked must import the copy"
    with tempfile.TemporaryDirectory() as name:
        folder, log = Path(name) / "project", Path(name) / "log"
        folder.mkdir()
        version = copied(folder)
        for module in modules:
            if not (mine := sorted(m for m in drawn if m.module == module)):
                continue
            path, alive, same = folder / "snn_synth" / module, [], 0
            original, tests, costs = path.read_text(), tests_of(folder, module), {}
            kept = None if module == "kernels/cpu/cache.py" else version  # its tests look at the version itself

            def passes(source: str, files: list[str], *limits: Any, path: Path = path) -> tuple[bool, float]:
                path.write_text(source)
                Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)
                return tried(folder, files, log, *limits)

            print(f"{module}: {len(mine)} changes", flush=True)
            for mutant in mine:
                fresh = module.startswith("kernels/cpu") or not mutant.function
                more = 300 if fresh else 30  # seconds for compiling, and for importing
                for i, files in enumerate(tests):
                    if i not in costs:  # the tests further away are for what the nearest do not notice
                        passed, costs[i] = passes(original, files, kept, 3600)
                        if not passed:
                            raise SystemExit(f"Expected tests that pass unchanged, got\n{log.read_text()[-2000:]}")
                    survived, _ = passes(mutant.source, files, None if fresh else kept, 3 * costs[i] + more)
                    if not survived:
                        break
                same += survived and mutant.name in equivalent
                if survived and mutant.name not in equivalent:
                    alive.append(mutant)
                    print(f"  line {mutant.line}: {mutant.name}", flush=True)
            path.write_text(original)
            rows.append((module, len(mine), same, len(alive)))
            survivors += [mutant.name for mutant in alive]
    print(f"\n{'module':32} {'changes':>8} {'noticed':>8} {'equivalent':>11} {'survivors':>10}")
    total = ("all", *(sum(row[i] for row in rows) for i in (1, 2, 3)))
    for module, count, same, alive in (*rows, total):
        print(f"{module:32} {count:8} {count - same - alive:8} {same:11} {alive:10}")
    if out is not None:
        out.write_text(json.dumps({"tried": total[1] - total[2], "survivors": survivors}, indent=2) + "\n")
    return int(total[3] > 0.05 * (total[1] - total[2]))


def main() -> int:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    default = [
        "functional",
        "neurons.py",
        "learning",
        "codec.py",
        "kernels",
        "kernels/cpu",
        "data",
        "data/frontends",
        "training",
    ]
    parser.add_argument("modules", nargs="*", default=default, help="files and folders in snn_synth/")
    parser.add_argument("--number", type=int, default=100, help="changes to draw; 0 tries all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="a JSON file for what survived")
    arguments = parser.parse_args()
    modules = []
    for name in arguments.modules:
        files = sorted(PACKAGE.glob(f"{name}/*.py")) or [PACKAGE / name]
        modules += [str(path.relative_to(PACKAGE)) for path in files if path.name != "__init__.py"]
    return run(modules, arguments.number, arguments.seed, arguments.out)


if __name__ == "__main__":
    sys.exit(main())
