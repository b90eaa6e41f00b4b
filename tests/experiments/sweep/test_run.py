import json
import os
import shutil
import time
from pathlib import Path

import pytest
import yaml

from snn_synth.errors import InputError
from snn_synth.experiments.sweep.run import run

# What a run of `snn-synth fit` leaves, made by a shell: its result is the setting x, and 7 is refused.
STAND_IN = """
x=${1#--x=}; echo "says $x with $OMP_NUM_THREADS"; [ $x = 7 ] && exit 3
mkdir -p runs/sweeps/$WANDB_RUN_ID; date +%s%N >> runs/sweeps/$WANDB_RUN_ID/times
echo "{\\"val/mse\\": $x}" > runs/sweeps/$WANDB_RUN_ID/metrics.json
"""


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """Writes a sweep over values of x, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    def write(values, **changes):
        content = {
            "name": "mine",
            "program": "snn-synth",
            "method": "grid",
            "metric": {"name": "val/mse", "goal": "minimize"},
            "parameters": {"x": {"values": values}},
            "command": ["sh", "-c", STAND_IN, "${program}", "${args}"],
        }
        path = Path("sweep.yaml")
        path.write_text(yaml.safe_dump(content | changes))
        return path

    return write


def times(place):
    return len(Path(f"runs/sweeps/mine-{place}/times").read_text().split())


def test_the_best_run_comes_first_and_one_that_failed_last(sweep):
    found = run(sweep([3, 1, 7, 2]), jobs=2)
    assert json.loads(Path("runs/sweeps/mine/sweep.json").read_text()) == found
    assert [(one["run"], one["settings"]["x"]) for one in found["runs"]] == [
        ("mine-1", 1),
        ("mine-3", 2),
        ("mine-0", 3),
        ("mine-2", 7),
    ]
    assert [one["metrics"].get("val/mse") for one in found["runs"]] == [1, 2, 3, None]
    threads = max(1, os.cpu_count() // 2)
    assert found["runs"][3]["error"] == f"says 7 with {threads}"
    assert Path("runs/sweeps/mine/sweep.png").read_bytes().startswith(b"\x89PNG")
    largest = run(sweep([3, 1], metric={"name": "val/mse", "goal": "maximize"}))
    assert [one["settings"]["x"] for one in largest["runs"]] == [3, 1]


def test_what_has_been_run_is_not_run_again_unless_its_settings_changed(sweep):
    run(sweep([3, 1, 7]))
    run(sweep([3, 1, 7, 5]))
    assert [times(place) for place in (0, 1, 3)] == [1, 1, 1]
    run(sweep([3, 2]))
    assert [times(place) for place in (0, 1)] == [1, 2]


def test_as_many_run_at_once_as_jobs(sweep):
    slow = ["sh", "-c", "sleep 1;" + STAND_IN, "${program}", "${args}"]
    took = {}
    for jobs in (1, 4):
        start = time.monotonic()
        run(sweep([1, 2, 3, 4], command=slow), jobs=jobs)
        took[jobs] = time.monotonic() - start
        shutil.rmtree("runs")
    assert took[1] >= 4
    assert took[4] < took[1] - 1.5


def test_if_all_fail_the_first_ones_reason_is_given(sweep):
    with pytest.raises(InputError, match="none of 1; the first said: says 7"):
        run(sweep([7]))
    with pytest.raises(InputError, match="at least 1, got 0"):
        run(sweep([1]), jobs=0)
    with pytest.raises(InputError, match=r"at least 1, got .* 0"):
        run(sweep([1]), count=0)
