"""The walkthrough of docs/own-data.md, "Your own sounds", with fewer epochs."""

import json
from pathlib import Path

import pytest

from tests import processes

PAGE = (Path(__file__).parents[1] / "docs" / "own-data.md").read_text()


@pytest.mark.slow
def test_the_commands_train_and_draw(tmp_path, monkeypatch, fresh_process):
    pytest.importorskip("espeakng_loader")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    make, fit, draw, leave_out = processes.blocks(PAGE, "Your own sounds", "bash")
    fewer = "--trainer.max_epochs 25 --trainer.check_val_every_n_epoch 5"
    printed = tmp_path / "printed"
    for line in (make, f"{fit.rstrip()} {fewer}", draw, f"{leave_out.rstrip()} --trainer.max_epochs 1"):
        process = fresh_process(processes.shell, line, streams=("/dev/null", str(printed)))
        assert processes.exit_codes(process) == [0], f"{line}\n{printed.read_text()[-3000:]}"
    measured = json.loads((tmp_path / "runs" / "a2i_folder" / "metrics.json").read_text())
    assert measured["test/nearest_class"] > 0.7
    left_out = json.loads((tmp_path / "runs" / "without_f2" / "metrics.json").read_text())
    assert {"test/nearest_class", "heard/nearest_class"} <= left_out.keys()
    assert {f"{word}.png" for word in ("cat", "dog", "sun", "tree")} <= {
        path.name for path in (tmp_path / "pictures").iterdir()
    }


def test_the_python_runs(capsys):
    for block in processes.blocks(PAGE, "Your own sounds", "python"):
        exec(compile(block, "docs/own-data.md", "exec"), {})
    assert capsys.readouterr().out == "('no', 'yes')\n"
