"""Is the default path as fast as at an earlier commit? benchmarks/results/earlier/COMMIT.json.

    python benchmarks/earlier.py COMMIT [--pairs N]

A pair is a process of each version. The two take turns of a fifth of a second at a step, so that a machine whose speed
drifts slows both. Pairs differ in where the system puts their memory. Close what else runs on the machine.
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
import statistics, sys, time
import torch
from snn_synth.learning import bptt_step, online_step
from snn_synth.models import SpikingStack

def forward(model, spikes):
    with torch.no_grad():
        model(spikes)

steps = {}
for sizes, num_steps in (((784, 196, 784), 15), ((784, 512, 784), 60)):
    torch.manual_seed(0)
    model = SpikingStack(sizes, alpha=0.1, threshold=1.0)
    spikes = (torch.rand(num_steps, 100, sizes[0]) < 0.2).float()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.0, fused=True)
    name = f"{'-'.join(map(str, sizes))} T={num_steps}"
    steps["bptt " + name] = lambda m=model, s=spikes, o=optimizer: bptt_step(m, s, s, o)
    steps["online " + name] = lambda m=model, s=spikes, o=optimizer: online_step(m, s, s, o)
    steps["inference " + name] = lambda m=model, s=spikes: forward(m, s)
for step in steps.values():
    for _ in range(5):
        step()
print("\\t".join(steps), flush=True)
for line in sys.stdin:
    times, end = [], time.perf_counter() + 0.2
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        steps[line.rstrip()]()
        times.append(time.perf_counter() - start)
    print(statistics.median(times), flush=True)
"""
TURNS = 10


class Version:
    """The package in a folder, in a process of its own that times a step for a fifth of a second when it is asked."""

    def __init__(self, tree: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", STEPS],
            cwd=tree,
            env=os.environ | {"PYTHONPATH": str(tree)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.steps = self._line().rstrip().split("\t")

    def _line(self) -> str:
        assert self.process.stdout is not None
        if not (line := self.process.stdout.readline()):
            raise SystemExit(f"The process that times the steps ended: exit code {self.process.wait()}")
        return line

    def seconds(self, step: str) -> float:
        """Median of a fifth of a second."""
        assert self.process.stdin is not None
        print(step, file=self.process.stdin, flush=True)
        return float(self._line())

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


def pair(tree: Path, number: int) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds of each step by the version in a folder and by this one, medians of turns; which starts, alternates."""
    trees = [tree, ROOT]
    started = [Version(one) for one in (trees if number % 2 else trees[::-1])]
    versions = started if number % 2 else started[::-1]
    try:
        times: list[dict[str, list[float]]] = [{}, {}]
        for step in versions[0].steps:
            for turn in range(TURNS):
                for i in (0, 1) if turn % 2 else (1, 0):
                    times[i].setdefault(step, []).append(versions[i].seconds(step))
    finally:
        for version in versions:
            version.close()
    earlier, now = ({step: statistics.median(each) for step, each in one.items()} for one in times)
    return earlier, now


def compare(commit: str, pairs: int) -> dict[str, Any]:
    """Times of both versions, and the ratio of each pair of processes."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "earlier"
        subprocess.run(["git", "worktree", "add", "-q", "--detach", str(tree), commit], cwd=ROOT, check=True)
        try:
            runs = []
            for i in range(pairs):
                runs.append(pair(tree, i))
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


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    """Compare, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", help="the earlier version, as git names it")
    parser.add_argument("--pairs", type=int, default=15, help="runs of each version (default: 15)")
    given = parser.parse_args()
    earlier = _git("rev-parse", "--short=10", given.commit)
    now = _git("describe", "--always", "--exclude=*", "--abbrev=10", "--dirty")  # it is the working tree that is timed
    facts = machine()  # its load is that before
    steps = compare(earlier, given.pairs)
    found = {
        "command": f"python benchmarks/earlier.py {given.commit} --pairs {given.pairs}",
        "earlier": earlier,
        "now": now,
        "machine": facts,
        "versions": versions(),
        "steps": steps,
    }
    with atomic_write(RESULTS / f"{earlier}.json") as file:
        file.write_text(json.dumps(found, indent=1) + "\n")
    for name, one in steps.items():
        print(f"{name}: {one['earlier_ms']} ms, now {one['now_ms']} ms, {one['ratio']} times")


if __name__ == "__main__":
    main()
