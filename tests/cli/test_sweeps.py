"""Sweeps, with the commands that W&B's own agent makes of them; only its server, which picks the values, is missing."""

import json
import os
import sys
import time
from pathlib import Path

import pytest
import yaml
from lightning.pytorch.callbacks import ModelCheckpoint
from wandb.wandb_agent import Agent

from snn_synth.cli import main
from snn_synth.cli.trainer import SynthCLI
from snn_synth.cli.undo import Undo
from tests.processes import command, exit_codes

SWEEPS = sorted((Path(__file__).parents[2] / "configs" / "sweeps").glob("*.yaml"))


def corners(sweep):
    """The first and the last value of each parameter: two trials between which all others lie."""
    spans = {
        name: spec.get("values") or [spec["value"]] if "min" not in spec else [spec["min"], spec["max"]]
        for name, spec in sweep["parameters"].items()
    }
    return [{name: {"value": span[place]} for name, span in spans.items()} for place in (0, -1)]


@pytest.fixture
def start(monkeypatch, tmp_path):
    """Start a trial as an agent of a sweep does, and give the words after ``snn-synth`` that it calls it with."""
    # The agent sets these in this process.
    for name in ("WANDB_RUN_ID", "WANDB_SWEEP_PARAM_PATH"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep1")
    monkeypatch.setenv("WANDB_DIR", os.getcwd())
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")

    keep = f"#!{sys.executable}\nimport json, sys; json.dump(sys.argv[1:], open('words.json', 'w'))\n"

    def run(sweep, run_id, arguments):
        (programs / sweep["program"]).write_text(keep)
        (programs / sweep["program"]).chmod(0o755)
        agent = Agent(api=None, queue=None)
        agent._sweep_command = list(sweep["command"])
        agent._command_run({"run_id": run_id, "program": sweep["program"], "args": arguments})
        process, deadline = agent._run_processes[run_id], time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
        assert process.poll() == 0
        return json.loads(Path("words.json").read_text())

    return run


def given(config, name):
    """The value at a dotted path; `init_args` may be left out, as on the command line."""
    for key in name.split("."):
        inside = config.get("init_args") or config
        config = config[key] if key in config else inside[key]
    return config


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
@pytest.mark.parametrize("corner", [0, 1])
def test_an_agents_command_is_understood(path, corner, start, monkeypatch):
    sweep = yaml.safe_load(path.read_text())
    arguments = corners(sweep)[corner]
    words = start(sweep, "run7", arguments)
    monkeypatch.setattr(SynthCLI, "fit", lambda self, **arguments: None)
    cli = SynthCLI(words, Undo())
    config = cli.config.fit.as_dict()
    assert {name: given(config, name) for name in arguments} == {n: entry["value"] for n, entry in arguments.items()}
    optimizer = cli.model.optimizer(cli.model.parameters())
    if cli.model.lr_scheduler is not None:
        cli.model.lr_scheduler(optimizer, total_steps=10)
    assert Path(cli.trainer.default_root_dir).name == "run7"
    assert not config["test_after_fit"]
    best = next(c for c in cli.trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint))
    assert sweep["metric"] == {"name": best.monitor, "goal": f"{best.mode}imize"}


@pytest.mark.slow
def test_a_sweep_runs_here_without_a_server(digits, monkeypatch):
    monkeypatch.setenv("SNN_SYNTH_DATA", str(digits))
    sweep = yaml.safe_load(next(path for path in SWEEPS if path.stem == "fig4a").read_text())
    sweep["parameters"] |= {
        name: {"value": value}
        for name, value in {
            "model.num_steps": 4,
            "model.network.hidden": 8,
            "data.batch_size": 10,
            "data.validation_fraction": 0.25,
        }.items()
    }
    Path("tiny.yaml").write_text(yaml.safe_dump(sweep))
    assert main(["sweep", "tiny.yaml", "--jobs", "2"]) == 0
    found = json.loads(Path("runs/sweeps/fig4a/sweep.json").read_text())["runs"]
    for one in found:
        folder = Path("runs/sweeps", one["run"])
        saved = yaml.safe_load((folder / "config.yaml").read_text())
        assert {name: given(saved, name) for name in one["settings"]} == one["settings"]
        assert one["metrics"] == json.loads((folder / "metrics.json").read_text())
        assert "test/standardized_mse" not in one["metrics"]
    assert {one["settings"]["model.mask"] for one in found} == {True, False}


@pytest.mark.slow
def test_two_agents_in_one_folder_do_not_meet(start, digits, monkeypatch, fresh_process):
    monkeypatch.setenv("SNN_SYNTH_DATA", str(digits))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    sweep = yaml.safe_load(next(path for path in SWEEPS if path.stem == "ae_mnist").read_text())
    few = {"data.validation_fraction": {"value": 0.25}}  # of 40 images, a tenth is none of some digits
    trials = {run_id: few | corner for run_id, corner in zip(["first", "second"], corners(sweep), strict=True)}
    # The agent has put the run's name into the environment, which the process inherits.
    processes = [fresh_process(command, start(sweep, *trial)) for trial in trials.items()]
    assert exit_codes(*processes) == [0, 0]
    for run_id, arguments in trials.items():
        run = Path("runs/sweeps") / run_id
        saved = yaml.safe_load((run / "config.yaml").read_text())
        assert {n: given(saved, n) for n in arguments} == {n: entry["value"] for n, entry in arguments.items()}
        assert {"val/standardized_mse", "test/standardized_mse"} & json.loads(
            (run / "metrics.json").read_text()
        ).keys() == {"val/standardized_mse"}
        [record] = run.rglob("*.wandb")
        assert record.name == f"run-{run_id}.wandb"
