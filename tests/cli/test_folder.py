"""A run's folder: what it holds is of one run, and no run is lost."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from snn_synth.cli import main
from tests.processes import command, exit_codes
from tests.training.tiny import write_fsdd

from .conftest import TINY, snapshot

RUN = Path("runs/ae_mnist")
ONE = "--trainer.max_epochs=1"
FIRING = [*TINY, "--model.network.threshold=0.2"]  # also where it has learnt from a single batch


def files(folder):
    """What stands in the files of a run, but not what its loggers noted."""
    found = {name: content for name, content in snapshot(folder).items() if content is not None}
    return {name: content for name, content in found.items() if not name.startswith(("logs", "wandb", "."))}


@pytest.fixture
def fit(digits):
    """Runs the tiny config, or another command of it."""
    return lambda *words, command="fit": main([command, *FIRING, f"--data.root={digits}", *words])


@pytest.mark.slow
def test_a_fast_dev_run_writes_nothing(fit, digits, capfd):
    assert fit("--trainer.fast_dev_run=true") == 0
    assert snapshot(Path()) == {}, "no folder is made"
    assert fit(ONE) == 0
    before = snapshot(Path())
    capfd.readouterr()
    for name in ("fit", "validate", "test", "predict"):
        assert fit("--trainer.fast_dev_run=2", command=name) == 0
    assert fit("--trainer.fast_dev_run=true", "--ckpt_path", str(RUN / "resume.ckpt"), "--trainer.profiler=simple") == 0
    assert snapshot(Path()) == before
    assert "Wrote" not in capfd.readouterr().out
    words = [f"--data.root={write_fsdd(digits)}", "--model.network.hidden=8", "--trainer.accelerator=cpu"]
    with pytest.warns(UserWarning, match="layer `output` is silent"):  # as it has seen one batch
        assert main(["fit", "--config=a2i_fsdd", "--trainer.fast_dev_run=true", *words]) == 0
    assert snapshot(Path()) == before


@pytest.mark.slow
def test_a_second_run_keeps_the_first_and_mixes_nothing(fit, capfd):
    assert fit(ONE) == 0
    assert fit(command="test") == 0
    first = files(RUN)
    assert first.keys() >= {"best.ckpt", "resume.ckpt", "config.yaml", "metrics.json", "test.json"}
    # It ends, by an error, after its first batch: nothing of it but its config is there, and nothing of the first run.
    with pytest.MonkeyPatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr("snn_synth.training.SpikeStatistics.on_train_batch_end", lambda *_: 1 / 0)
        fit(ONE, "--model.seed=5")
    assert "kept in runs/ae_mnist/earlier/1" in capfd.readouterr().out
    assert files(RUN / "earlier" / "1") == first
    assert {path.name for path in RUN.iterdir()} - {"wandb"} == {".lock", "config.yaml", "earlier", "logs"}
    assert "seed: 5" in (RUN / "config.yaml").read_text()
    assert fit(ONE) == 0
    assert (RUN / "earlier" / "2" / "config.yaml").is_file()
    longer = ("--trainer.max_epochs=2", "--model.lr_scheduler.init_args.max_lr=0.002")
    assert fit("--ckpt_path", str(RUN / "resume.ckpt"), *longer) == 0
    assert "max_lr: 0.002" in (RUN / "config.yaml").read_text()
    assert not (RUN / "earlier" / "3").exists()


def test_a_run_that_ended_is_left_alone_and_one_that_was_killed_before_its_measures_gets_them(fit, capsys):
    assert fit(ONE) == 0
    before = files(RUN)
    resume = ("--ckpt_path", str(RUN / "resume.ckpt"))
    assert fit(ONE, *resume) == 2
    assert "max_epochs above 1" in capsys.readouterr().err
    assert fit("--trainer.max_epochs=0") == 2
    assert fit(ONE, "--trainer.limit_train_batches=0") == 2
    assert "something to train" in capsys.readouterr().err
    assert files(RUN) == before
    found = json.loads((RUN / "metrics.json").read_text())
    (RUN / "metrics.json").unlink()
    assert fit(ONE, *resume) == 0
    again = json.loads((RUN / "metrics.json").read_text())
    assert found.keys() >= {"val/standardized_mse", "val/spike_mse", "test/standardized_mse"}
    assert {**again, "seconds": None, "command": None} == {**found, "seconds": None, "command": None}


@pytest.mark.slow
def test_a_folder_takes_one_run_at_a_time_and_a_killed_one_does_not_block(fit, digits, capsys, fresh_process):
    process = fresh_process(command, ["fit", *FIRING, f"--data.root={digits}", "--trainer.max_epochs=100000"])
    deadline = time.monotonic() + 120
    while not (RUN / "best.ckpt").exists() and time.monotonic() < deadline and process.is_alive():
        time.sleep(0.1)
    assert fit(ONE) == 2
    message = capsys.readouterr().err
    assert f"process {process.pid} at work there" in message
    assert "another folder" in message
    assert fit(command="validate") == 0, "which only reads"
    assert fit("--trainer.fast_dev_run=true") == 0
    os.kill(process.pid, signal.SIGKILL)
    assert exit_codes(process) == [-signal.SIGKILL]
    assert fit(ONE) == 0
    assert (RUN / "earlier" / "1" / "resume.ckpt").is_file()
