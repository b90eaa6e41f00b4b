"""The walkthrough of docs/own-data.md, "Your own images", with fewer epochs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SECTION = (ROOT / "docs" / "own-data.md").read_text().partition("\n## Your own images\n")[2].partition("\n## ")[0]
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", SECTION, re.M | re.S)


@pytest.mark.slow
def test_the_page_can_be_followed(tmp_path):
    environment = os.environ | {"PATH": PATH, "WANDB_MODE": "disabled", "SNN_SYNTH_CACHE": str(tmp_path / "cache")}
    draw, fit, predict, redraw, grey = blocks("bash")
    use, encode, own = blocks("python")

    def run(*command):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"

    for command in (draw, f"{fit.rstrip()} --trainer.max_epochs 10", predict, redraw):
        run("bash", "-c", command)
    assert json.loads((tmp_path / "runs" / "ae_folder" / "metrics.json").read_text())["test/standardized_mse"] < 0.7
    assert (tmp_path / "runs" / "ae_folder" / "predictions.png").is_file()
    assert (tmp_path / "pictures" / "00.png").is_file()
    run(sys.executable, "-c", use + encode)
    assert (tmp_path / "redrawn.png").is_file()
    assert (tmp_path / "my_network" / "model.safetensors").is_file()
    short = "--trainer.max_epochs 1 --trainer.check_val_every_n_epoch 1"
    run("bash", "-c", f"{grey.rstrip()} {short}")
    (tmp_path / "mine.py").write_text(own)
    noise = re.search(r"`(--allow_import mine .*?)`", SECTION)[1]
    run("bash", "-c", f"{fit.rstrip().rpartition(' --data')[0]} {noise} {short}")
