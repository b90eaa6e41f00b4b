r"""Check and measure snn_synth on this machine's GPU, in one command of at most eight minutes.

    python benchmarks/gpu.py                the whole run, into benchmarks/results/<name of the GPU>.json
    python benchmarks/gpu.py --dry-run      the same code on a CPU, in tiny shapes, by Triton's interpreter

It needs a checkout of this repository and Python 3.11 or later with

- PyTorch for CUDA (2.8 or later), its Triton, numpy, scipy, numba, lightning, torchmetrics, torchaudio, safetensors,
  matplotlib, pillow, pyyaml, requests, filelock, tqdm and pytest, which images for machine learning mostly have;
- snntorch, jsonargparse, docstring-parser, typeshed-client, soundfile, cffi and pycparser, which they mostly lack;
- snn_synth's own wheel, for its version: what runs is the checkout.

A machine that reaches no package index gets what it lacks as wheels, in a folder that is filled elsewhere, from the
checkout, for the Python of that machine:

    python -m pip download -d wheels --no-deps --only-binary :all: --python-version 3.12 \
        --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 \
        snntorch jsonargparse docstring-parser typeshed-client soundfile cffi pycparser
    python -m pip wheel -w wheels --no-deps .

and there, before the run:

    python -m pip install --no-index --no-deps --target /tmp/site wheels/*.whl
    export PYTHONPATH=/tmp/site

What is missing is named in one sentence before anything runs. No data is needed: SNN_SYNTH_DATA names a folder with
``mnist/`` and ``fsdd/recordings/`` if there is one, else digits and tones are drawn (benchmarks/gpu_data.py).

Each stage (benchmarks/gpu_stages.py) is a process of its own with a time limit, so that one that fails takes no other
with it, and the results are on disk after each; what matters most comes first, and what no time is left for is noted.
"""

import argparse
import contextlib
import importlib.metadata
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
NEEDED = {  # what is imported, by the name that pip knows
    "torch": "torch",
    "triton": "triton",
    "numpy": "numpy",
    "scipy": "scipy",
    "numba": "numba",
    "snntorch": "snntorch",
    "lightning": "lightning",
    "torchmetrics": "torchmetrics",
    "torchaudio": "torchaudio",
    "jsonargparse": "jsonargparse",
    "docstring_parser": "docstring-parser",
    "typeshed_client": "typeshed-client",
    "soundfile": "soundfile",
    "cffi": "cffi",
    "safetensors": "safetensors",
    "matplotlib": "matplotlib",
    "PIL": "pillow",
    "yaml": "pyyaml",
    "requests": "requests",
    "filelock": "filelock",
    "tqdm": "tqdm",
    "pytest": "pytest",
}
LEAST = 10  # seconds without which no stage is begun
FAILED, WRONG_INPUT = 1, 2  # exit codes


def missing() -> list[str]:
    """Packages that are not there, by the names that pip knows."""
    names = [name for module, name in NEEDED.items() if importlib.util.find_spec(module) is None]
    try:
        importlib.metadata.version("snn_synth")
    except importlib.metadata.PackageNotFoundError:
        names.append("snn_synth (its own wheel)")
    return names


def refusal(dry: bool) -> str | None:
    """Why nothing can be measured here, in one sentence; None if it can."""
    if names := missing():
        return f"Expected the packages that {Path(__file__).name} begins with, got all but {', '.join(names)}"
    import torch

    if not dry and not torch.cuda.is_available():
        return f"Expected a GPU that torch {torch.__version__} can use, got none: give --dry-run to rehearse on the CPU"
    return None


def measure(out: Path, minutes: float, only: list[str], dry: bool) -> dict[str, Any]:
    """Run the stages, and write what they measured into ``out`` after each."""
    from gpu_stages import STAGES

    end = time.monotonic() + 60 * minutes
    results = _head(dry)
    with tempfile.TemporaryDirectory() as folder:
        environment = _environment(Path(folder), results, dry)
        for name, stage in STAGES.items():
            if only and name not in only:
                continue
            left = end - time.monotonic()
            if left < LEAST:
                results["skipped"][name] = "no time was left"
                continue
            start = time.monotonic()
            limit = left if dry else min(left, stage.seconds)  # on a GPU, that is
            found, wrong = _run(name, Path(folder, "part.json"), environment, limit, dry)
            _merge(results, name, found)
            if wrong:
                results["skipped"][name] = wrong
            results["seconds"][name] = round(time.monotonic() - start, 1)
            _write(out, results)
            print(f"{name}: {results['seconds'][name]:.0f} s{f', {wrong}' if wrong else ''}", flush=True)
            for failed in (one for one in found.get("checks", []) if not one["ok"]):
                print(f"  FAILED {failed['name']}: {failed['found']}, at most {failed['bound']}", flush=True)
    _write(out, results)
    return results


def _head(dry: bool) -> dict[str, Any]:
    from snn_synth.experiments.bench.machine import machine, versions

    device = "cpu" if dry else "cuda"
    return {
        "command": " ".join(["python", "benchmarks/gpu.py", *sys.argv[1:]]),
        "device": device,
        "dry_run": dry,
        "machine": machine(device),
        "versions": versions(),
        "data": "drawn digits and tones",
        "not_installed": [],
        "workloads": {},
        "gpu": {},
        "skipped": {},
        "seconds": {},
    }


def _environment(folder: Path, results: dict[str, Any], dry: bool) -> dict[str, str]:
    """Variables of the stages: where the checkout and the data are."""
    paths = [str(ROOT), str(ROOT / "benchmarks"), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    if dry:
        environment["TRITON_INTERPRET"] = "1"
    given = os.environ.get("SNN_SYNTH_DATA")
    if given and Path(given, "mnist").is_dir() and Path(given, "fsdd", "recordings").is_dir():
        results["data"] = "MNIST and FSDD"
        return environment
    import gpu_data

    gpu_data.write(folder / "data", *((60, 20) if dry else ()))
    return environment | {"SNN_SYNTH_DATA": str(folder / "data")}


def _run(
    name: str, part: Path, environment: Mapping[str, str], seconds: float, dry: bool
) -> tuple[dict[str, Any], str | None]:
    """What a stage measured in a process of its own, and what went wrong."""
    part.unlink(missing_ok=True)
    command = [sys.executable, str(Path(__file__).resolve()), "--stage", name, "--part", str(part)]
    if dry:
        command.append("--dry-run")
    wrong = None
    # A session of its own: what the stage has started ends with it.
    child = subprocess.Popen(command, env=dict(environment), stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        _, said = child.communicate(timeout=seconds)
        if child.returncode:
            lines = said.strip().splitlines() or [f"ended with code {child.returncode}"]
            wrong = lines[-1][:500]
    except subprocess.TimeoutExpired:
        wrong = f"cut off after {seconds:.0f} s"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    return (json.loads(part.read_text()) if part.is_file() else {}), wrong


def _merge(results: dict[str, Any], name: str, found: dict[str, Any]) -> None:
    """Put a stage's part where the tables look for it."""
    if "implementations" in found:
        results["workloads"][name.split()[0]] = found
    elif name == "precision" and found:
        results["precision"] = found
    else:
        results["gpu"][name] = found


def _write(out: Path, results: dict[str, Any]) -> None:
    from snn_synth.files import atomic_write

    with atomic_write(out) as draft:
        draft.write_text(json.dumps(results, indent=1) + "\n")


def _stage(name: str, part: Path, dry: bool) -> None:
    """Run one stage in this process, and write what it has so far each time that it yields."""
    from gpu_stages import STAGES, Scale

    scale = Scale(dry)
    with scale.rehearsed():
        for found in STAGES[name].measure(scale):
            _write(part, found)


def _out() -> Path:
    import torch

    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "dry-run"
    return RESULTS / f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}.json"


def main() -> int:
    """Parse the command line, and measure."""
    sys.path.insert(0, str(ROOT))
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, help="file of the results, instead of benchmarks/results/<GPU>.json")
    parser.add_argument("--minutes", type=float, default=7.5, help="in which to measure, 7.5 if not given")
    parser.add_argument("--only", nargs="*", default=[], help="stages, all of them if not given")
    parser.add_argument("--dry-run", action="store_true", help="rehearse on the CPU in tiny shapes")
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    parser.add_argument("--part", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stage:
        _stage(given.stage, given.part, given.dry_run)
        return 0
    if why := refusal(given.dry_run):
        print(f"benchmarks/gpu.py: error: {why}", file=sys.stderr)
        return WRONG_INPUT
    from gpu_stages import STAGES

    if unknown := [name for name in given.only if name not in STAGES]:
        print(f"benchmarks/gpu.py: error: Expected stages of {list(STAGES)}, got {unknown}", file=sys.stderr)
        return WRONG_INPUT
    out = given.out or _out()
    out.parent.mkdir(parents=True, exist_ok=True)
    results = measure(out, given.minutes, given.only, given.dry_run)
    checks = [one for stage in results["gpu"].values() for one in stage.get("checks", [])]
    failed = sum(not one["ok"] for one in checks)
    print(f"{len(checks) - failed} of {len(checks)} checks passed, {len(results['skipped'])} stages not ended: {out}")
    return FAILED if failed or results["skipped"] else 0


if __name__ == "__main__":
    sys.exit(main())
