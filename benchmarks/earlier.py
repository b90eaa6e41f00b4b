"""Is the default path as fast as at an earlier commit? benchmarks/results/earlier/COMMIT.json.

    python benchmarks/earlier.py COMMIT [--pairs N]

The steps of both versions are timed in turns, each in a process of its own, so that a machine whose speed drifts slows
both: the ratio of a pair is that of two processes that ran one after the other. Close what else runs on the machine.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from snn_synth.experiments.bench.machine import machine, versions
from snn_synth.files import atomic_write

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "earlier"
STEPS = """
import json, statistics, time
import torch
from snn_synth.learning import bptt_step, online_step
from snn_synth.models import SpikingStack

def median(step, seconds=2.0):
    for _ in range(5):
        step()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times)

found = {}
for sizes, num_steps in (((784, 196, 784), 15), ((784, 512, 784), 60)):
    torch.manual_seed(0)
    model = SpikingStack(sizes, alpha=0.1, threshold=1.0)
    spikes = (torch.rand(num_steps, 100, sizes[0]) < 0.2).float()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.0, fused=True)
    name = f"{'-'.join(map(str, sizes))} T={num_steps}"
    found["bptt " + name] = median(lambda: bptt_step(model, spikes, spikes, optimizer))
    found["online " + name] = median(lambda: online_step(model, spikes, spikes, optimizer))
    with torch.no_grad():
        found["inference " + name] = median(lambda: model(spikes))
print(json.dumps(found))
"""


def timed(tree: Path) -> dict[str, float]:
    """Seconds of each step by the package in a folder, medians of one process."""
    run = subprocess.run(
        [sys.executable, "-c", STEPS],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree)},
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return found


def compare(commit: str, pairs: int) -> dict[str, Any]:
    """Times of both versions, and the ratio of each pair, after a first run of each, which compiles."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "earlier"
        subprocess.run(["git", "worktree", "add", "-q", "--detach", str(tree), commit], cwd=ROOT, check=True)
        try:
            timed(tree), timed(ROOT)
            runs = []
            for i in range(pairs):
                runs.append((timed(tree), timed(ROOT)) if i % 2 else (timed(ROOT), timed(tree))[::-1])
                print(f"pair {i + 1} of {pairs}", file=sys.stderr)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=ROOT, check=True)
    return ratios(runs)


def ratios(runs: Sequence[tuple[Mapping[str, float], Mapping[str, float]]]) -> dict[str, Any]:
    """Of pairs (earlier, now) of seconds by step: medians in ms, each pair's ratio, and the median of the ratios."""
    return {
        name: {
            "earlier_ms": round(1e3 * statistics.median(before[name] for before, _ in runs), 3),
            "now_ms": round(1e3 * statistics.median(now[name] for _, now in runs), 3),
            "ratio": round(statistics.median(now[name] / before[name] for before, now in runs), 3),
            "ratios": [round(now[name] / before[name], 3) for before, now in runs],
        }
        for name in runs[0][0]
    }


def main() -> None:
    """Compare, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", help="the earlier version, as git names it")
    parser.add_argument("--pairs", type=int, default=15, help="runs of each version (default: 15)")
    given = parser.parse_args()
    revision = ["git", "rev-parse", "--short=10"]
    earlier, now = (
        subprocess.run([*revision, one], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
        for one in (given.commit, "HEAD")
    )
    steps = compare(earlier, given.pairs)
    found = {
        "command": f"python benchmarks/earlier.py {given.commit} --pairs {given.pairs}",
        "earlier": earlier,
        "now": now,
        "machine": machine(),
        "versions": versions(),
        "steps": steps,
    }
    with atomic_write(RESULTS / f"{earlier}.json") as file:
        file.write_text(json.dumps(found, indent=1) + "\n")
    for name, one in steps.items():
        print(f"{name}: {one['earlier_ms']} ms, now {one['now_ms']} ms, {one['ratio']} times")


if __name__ == "__main__":
    main()
