"""The walkthrough of docs/own-data.md, "Your own images", with fewer epochs."""

import json
import re
from pathlib import Path

import pytest

from tests import processes

PAGE = (Path(__file__).parents[1] / "docs" / "own-data.md").read_text()


@pytest.mark.slow
def test_the_page_can_be_followed(tmp_path, monkeypatch, fresh_process):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("SNN_SYNTH_CACHE", str(tmp_path / "cache"))
    draw, fit, predict, redraw, grey = processes.blocks(PAGE, "Your own images", "bash")
    use, encode, own = processes.blocks(PAGE, "Your own images", "python")
    printed = tmp_path / "printed"

    def run(function, what):
        process = fresh_process(function, what, streams=("/dev/null", str(printed)))
        assert processes.exit_codes(process) == [0], f"{what}\n{printed.read_text()[-3000:]}"

    for line in (draw, f"{fit.rstrip()} --trainer.max_epochs 10", predict, redraw):
        run(processes.shell, line)
    assert json.loads((tmp_path / "runs" / "ae_folder" / "metrics.json").read_text())["test/standardized_mse"] < 0.7
    assert (tmp_path / "runs" / "ae_folder" / "predictions.png").is_file()
    assert (tmp_path / "pictures" / "00.png").is_file()
    run(processes.python, use + encode)
    assert (tmp_path / "redrawn.png").is_file()
    assert (tmp_path / "my_network" / "model.safetensors").is_file()
    short = "--trainer.max_epochs 1 --trainer.check_val_every_n_epoch 1"
    run(processes.shell, f"{grey.rstrip()} {short}")
    (tmp_path / "mine.py").write_text(own)
    noise = re.search(r"`(--allow_import mine .*?)`", PAGE)[1]
    run(processes.shell, f"{fit.rstrip().rpartition(' --data')[0]} {noise} {short}")
