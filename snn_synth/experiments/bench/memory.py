"""Peak memory of an implementation, and its time, in a process of its own."""

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, cast

import torch

from snn_synth.errors import InputError
from snn_synth.experiments.bench import case as cases
from snn_synth.experiments.bench.implementations import IMPLEMENTATIONS
from snn_synth.experiments.bench.measure import summary, timed
from snn_synth.experiments.bench.workloads import Rule, Workload

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def alone(case: cases.Case, implementations: list[str], repeats: int = 1) -> dict[str, dict[str, Any]]:
    """Run each implementation in a fresh process: one warm-up and some steps.

    Returns:
        For each implementation ``peak_bytes`` of the whole process, ``grown_bytes`` (without Python and the libraries),
        and its times as :func:`~snn_synth.experiments.bench.measure.summary` gives them; or ``error``.
    """
    device = str(case.spikes.device)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.pt"
        cases.save(case, path)
        argv = [case.workload.rule, str(repeats), device, str(torch.get_num_threads())]
        return {name: _child([str(path), name, *argv]) for name in implementations}


def _child(argv: list[str]) -> dict[str, Any]:
    process = subprocess.run([sys.executable, "-W", "ignore", "-m", __name__, *argv], capture_output=True, text=True)
    if process.returncode:
        lines = process.stderr.strip().splitlines() or [f"ended with code {process.returncode}"]
        return {"error": lines[-1]}
    result: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return result


def measure(path: Path, name: str, rule: Rule, repeats: int, device: str) -> dict[str, Any]:
    """Measure this process; its peak is counted from when the implementation has its network and data."""
    build = IMPLEMENTATIONS[name].build
    with torch.device(device):
        build(_tiny(rule)).step()  # loads the libraries that come with a step
    before = torch.cuda.memory_allocated() if device.startswith("cuda") else _status("VmRSS") or _highest()
    case = cases.load(path, device)
    run = build(case)
    forget_peak(device)
    seconds = [timed(run.step, device) for _ in range(1 + repeats)][1:]  # the first warms up
    peak = peak_bytes(device)
    return {"peak_bytes": peak, "grown_bytes": max(0, peak - before), **summary(seconds, run.scale)}


def _tiny(rule: Rule) -> cases.Case:
    workload = Workload(rule, (4, 3, 4), 2, 2, ())
    spikes = torch.ones(2, 2, 4)
    return cases.Case(workload, [torch.ones(3, 4), torch.ones(4, 3)], spikes[0], torch.zeros(2).long(), spikes, spikes)


def peak_bytes(device: str) -> int:
    """Memory at its peak since :func:`forget_peak`: of the process, or on a GPU of its tensors."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated()
    return _status("VmHWM") or _highest()


def forget_peak(device: str) -> None:
    """Start the peak anew; where the system cannot, it includes the making of the network and data."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
    if CLEAR.exists():
        try:
            CLEAR.write_text("5")
        except OSError:
            return


def _status(key: str) -> int:
    """Bytes by the name that Linux gives them; 0 elsewhere."""
    if not STATUS.exists():
        return 0
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines() if ":" in line)
    return int(lines[key].split()[0]) * 1024 if key in lines else 0


def _highest() -> int:
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest if sys.platform == "darwin" else highest * 1024


if __name__ == "__main__":
    if len(sys.argv) != 7:
        raise InputError(
            f"Expected a case, an implementation, its rule, repeats, a device and threads, got {sys.argv[1:]}"
        )
    path, name, rule, repeats, device, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    print(json.dumps(measure(Path(path), name, cast(Rule, rule), int(repeats), device)))
