"""Sweeps with eight runs at a time: each is done once, and is what it is when one runs after the other."""

import json
import os
from pathlib import Path

import pytest
import torch
import yaml

from tests.cli.conftest import TINY, alone, digits  # noqa: F401  (fixtures, of which `alone` comes by itself)
from tests.processes import exit_codes
from tests.training.resumed import assert_same_bits
from tests.trust import commands
from tests.trust.test_kills_of_commands import numbers
from tests.trust.watching import PROC, working_in

N = int(os.environ.get("SNN_SYNTH_TRUST", "0"))
RUNS = 8 + N // 10  # more than jobs

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not N or not PROC.exists(), reason="make trust, with /proc")]


def files(folder):
    """All files below a folder by their paths from there."""
    return {str(path.relative_to(folder)): path for path in Path(folder).rglob("*") if path.is_file()}


def test_eight_at_a_time_are_the_same_bits_as_one_by_one(digits, fresh_process, tmp_path, monkeypatch, tried):  # noqa: F811
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    sweep = {
        "name": "mine",
        "method": "grid",
        "metric": {"name": "val/standardized_mse"},
        "parameters": {"model.seed": {"values": list(range(RUNS))}},
        "program": "snn-synth",
        "command": ["${env}", "${program}", "fit", *TINY, f"--data.root={digits}", "${args}"],
    }
    for jobs in (1, 8):
        folder = tmp_path / str(jobs)
        folder.mkdir()
        monkeypatch.chdir(folder)
        Path("sweep.yaml").write_text(yaml.safe_dump(sweep))
        assert exit_codes(fresh_process(commands.counted_sweep, "sweep.yaml", jobs), seconds=3600) == [0]
        assert working_in(folder) == []
        assert sorted(Path("starts").read_text().split()) == sorted(f"mine-{number}" for number in range(RUNS))
    tried("runs of `sweep`, eight at a time", RUNS)

    one, eight = (tmp_path / jobs / "runs/sweeps" for jobs in ("1", "8"))
    found, expected = (numbers(folder / "mine/sweep.json")["runs"] for folder in (eight, one))
    assert found == expected
    assert len({json.dumps(run["metrics"]) for run in found}) == RUNS, "runs that differ would show a mix-up"
    for number in range(RUNS):
        assert_same_run(eight / f"mine-{number}", one / f"mine-{number}")


def assert_same_run(found, expected):
    """Two runs have left the same files, with the same in them but for times."""
    here, there = files(found), files(expected)
    assert here.keys() == there.keys()
    for name, path in here.items():
        if path.suffix == ".ckpt":
            kept, other = (torch.load(one, weights_only=True) for one in (path, there[name]))
            for part in ("state_dict", "optimizer_states", "lr_schedulers"):
                assert_same_bits(kept[part], other[part])
        elif path.suffix == ".json":
            assert numbers(path) == numbers(there[name])
        elif name != ".lock":  # which has the process's id in it
            assert path.read_bytes() == there[name].read_bytes(), name
