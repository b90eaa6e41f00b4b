import json
import os
import shutil
import time
from pathlib import Path

import pytest
import yaml

from snn_synth.errors import InputError
from snn_synth.experiments.sweep.run import run

# A shell in the place of `snn-synth fit`: the result is the setting x, 7 fails, 8 leaves nothing, and from 90 on x is
# bad input; and so is all without the option REFUSED_WITHOUT.
STAND_IN = """
for word in "$@"; do case $word in --x=*) x=${word#--x=};; --trainer.default_root_dir=*) dir=${word#*=};; esac; done
echo "says $x with $OMP_NUM_THREADS"; [ $x = 7 ] && exit 3; [ $x = 8 ] && exit 0
[ $x -ge 90 ] 2>/dev/null && { echo "Expected x below 90"; exit 2; }
case "$*" in *"$REFUSED_WITHOUT"*) ;; *) echo "Expected $REFUSED_WITHOUT"; exit 2;; esac
mkdir -p $dir; date +%s%N >> $dir/times; echo "$@" > $dir/words; sleep ${SECONDS_OF_A_RUN:-0}
echo "{\\"val/standardized_mse\\": $x}" > $dir/metrics.json
"""


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """Writes a sweep over values of x, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("snn_synth.experiments.sweep.run.PROGRAM", ("sh", "-c", STAND_IN, "snn-synth"))

    def write(values, **changes):
        content = {
            "name": "mine",
            "method": "grid",
            "metric": {"name": "val/standardized_mse", "goal": "minimize"},
            "parameters": {"x": {"values": values}},
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
    assert [one["metrics"].get("val/standardized_mse") for one in found["runs"]] == [1, 2, 3, None]
    threads = max(1, os.cpu_count() // 2)
    assert found["runs"][3]["error"] == f"says 7 with {threads}"
    assert Path("runs/sweeps/mine/sweep.png").read_bytes().startswith(b"\x89PNG")
    largest = run(sweep([3, 1], metric={"name": "val/standardized_mse", "goal": "maximize"}))
    assert [one["settings"]["x"] for one in largest["runs"]] == [3, 1]


@pytest.mark.parametrize(("asked", "logged"), [("mse", "pixel_mse"), ("standardized_mse", "mse")])
def test_a_metric_is_found_by_its_other_name(sweep, monkeypatch, asked, logged):
    """In an older sweep file, and in what older runs left."""
    program = ("sh", "-c", STAND_IN.replace("standardized_mse", logged), "snn-synth")
    monkeypatch.setattr("snn_synth.experiments.sweep.run.PROGRAM", program)
    found = run(sweep([3, 1, 2], metric={"name": f"val/{asked}"}))["runs"]
    assert [one["metrics"][f"val/{logged}"] for one in found] == [1, 2, 3]


def test_what_has_been_run_is_not_run_again_unless_its_settings_changed(sweep):
    run(sweep([3, 1, 7]))
    run(sweep([3, 1, 7, 5]))
    assert [times(place) for place in (0, 1, 3)] == [1, 1, 1]
    run(sweep([3, 2]))
    assert [times(place) for place in (0, 1)] == [1, 2]
    run(sweep([3], command=["snn-synth", "fit", "--config=other", "${args}"]))
    assert times(0) == 2


def test_as_many_run_at_once_as_jobs(sweep, monkeypatch):
    monkeypatch.setenv("SECONDS_OF_A_RUN", "1")
    took = {}
    for jobs in (1, 4):
        start = time.monotonic()
        run(sweep([1, 2, 3, 4]), jobs=jobs)
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


def logs():
    return sorted(path.stem for path in Path("runs/sweeps/mine").glob("mine-*.log"))


@pytest.mark.parametrize("others", [{}, {"y": {"values": [1, 2]}}, {"z": {"value": 1}}])
def test_a_sweep_stops_when_no_setting_can_be_why_its_runs_are_refused(sweep, monkeypatch, capsys, others):
    monkeypatch.setenv("REFUSED_WITHOUT", "--allow_import=mine")
    path = sweep(None, parameters={"x": {"values": [1, 2, 3, 4, 5, 6]}, **others})
    number = 3 if "y" in others else 2  # y goes first through its values
    with pytest.raises(InputError, match=rf"stopped after {number} of \d+, as all said: Expected --allow_import=mine$"):
        run(path, jobs=1)
    assert len(logs()) == number, "no other has begun"
    assert capsys.readouterr().err.count("mine-0 failed: Expected --allow_import=mine") == 1
    assert len(run(path, jobs=1, allow_import=["mine"])["runs"]) == (12 if "y" in others else 6)


def test_a_sweep_goes_on_when_its_first_settings_are_bad_input(sweep):
    """All runs with x = 90 are refused by the same sentence, whatever y is; others need not be."""
    found = run(sweep(None, parameters={"x": {"values": [90, 1]}, "y": {"values": [1, 2, 3]}}), jobs=1)["runs"]
    assert [(one["settings"]["x"], one["exit_code"]) for one in found] == [(1, 0)] * 3 + [(90, 2)] * 3


def test_a_sweep_goes_on_when_runs_fail_otherwise(sweep):
    """By other sentences, or with another exit code: a run that took too much memory, say."""
    with pytest.raises(InputError, match="none of 3"):
        run(sweep([90, 7, 91]), jobs=1)


def test_a_file_of_wandbs_documentation_gives_each_run_its_folder(sweep):
    """No command, no folder: both are the sweep's."""
    run(sweep([3, 1]), allow_import=["my_package"])
    words = [Path(f"runs/sweeps/mine-{place}/words").read_text().split() for place in (0, 1)]
    assert words == [
        ["fit", f"--x={x}", f"--trainer.default_root_dir=runs/sweeps/mine-{place}", "--allow_import=my_package"]
        for place, x in enumerate([3, 1])
    ]


@pytest.mark.parametrize("goal", ["minimize", "maximize"])
def test_what_cannot_be_compared_comes_last(sweep, goal):
    found = run(
        sweep(["NaN", "null", "-Infinity", 2, "Infinity"], metric={"name": "val/standardized_mse", "goal": goal})
    )["runs"]
    assert found[0]["settings"]["x"] == 2
    with pytest.raises(InputError, match=r"got none of 1; the first said: .*nan"):
        run(sweep(["NaN"], name="nothing"))


def test_a_run_that_leaves_nothing_is_not_given_what_was_there_before(sweep):
    run(sweep([2, 3]))
    found = run(sweep([8, 3]))["runs"]
    assert [(one["settings"]["x"], one["metrics"].get("val/standardized_mse")) for one in found] == [(3, 3), (8, None)]
    assert "no metrics.json" in found[1]["error"]
