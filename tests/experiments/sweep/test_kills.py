"""Sweeps that are killed: no run goes on, and what was done is not done again."""

import os
import signal
import time
from pathlib import Path

import pytest
import yaml

from tests.experiments.sweep.sweep_child import sweep
from tests.processes import exit_codes

RUNS = Path("runs/sweeps")


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def runs(pid):
    """Whether a process is there that is not only waiting to be counted."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_no_run_outlives_its_sweep_and_none_is_done_twice(fresh_process, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = {
        "name": "mine",
        "method": "grid",
        "metric": {"name": "val/standardized_mse"},
        "parameters": {"x": {"values": [1, 2, 3]}},
    }
    Path("sweep.yaml").write_text(yaml.safe_dump(content))
    waiting = [RUNS / f"mine-{number}" / "pids" for number in (1, 2)]
    for kill in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        process = fresh_process(sweep, "sweep.yaml", 2)
        wait_for(lambda: all(path.exists() for path in waiting))
        pids = [int(pid) for path in waiting for pid in path.read_text().split()]
        assert all(runs(pid) for pid in pids)
        os.kill(process.pid, kill)
        wait_for(lambda pids=pids: not any(runs(pid) for pid in pids))
        assert exit_codes(process) == [1 if kill == signal.SIGINT else -kill]
        for path in waiting:
            path.unlink()
    starts = [len((RUNS / f"mine-{number}" / "starts").read_text().split()) for number in range(3)]
    assert starts == [1, 3, 3]
