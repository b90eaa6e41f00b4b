"""The walkthrough of docs/own-data.md, "Your own sounds", with fewer epochs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SECTION = (ROOT / "docs" / "own-data.md").read_text().partition("\n## Your own sounds\n")[2].partition("\n## ")[0]
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", SECTION, re.M | re.S)


@pytest.mark.slow
def test_the_commands_train_and_draw(tmp_path):
    pytest.importorskip("espeakng_loader")
    environment = os.environ | {"PATH": PATH, "WANDB_MODE": "disabled"}
    make, fit, draw, leave_out = blocks("bash")
    fewer = "--trainer.max_epochs 25 --trainer.check_val_every_n_epoch 5"
    for command in (make, f"{fit.rstrip()} {fewer}", draw, f"{leave_out.rstrip()} --trainer.max_epochs 1"):
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    measured = json.loads((tmp_path / "runs" / "a2i_folder" / "metrics.json").read_text())
    assert measured["test/nearest_class"] > 0.7
    left_out = json.loads((tmp_path / "runs" / "without_f2" / "metrics.json").read_text())
    assert {"test/nearest_class", "heard/nearest_class"} <= left_out.keys()
    assert {f"{word}.png" for word in ("cat", "dog", "sun", "tree")} <= {
        path.name for path in (tmp_path / "pictures").iterdir()
    }


def test_the_python_runs(capsys):
    for block in blocks("python"):
        exec(compile(block, "docs/own-data.md", "exec"), {})
    assert capsys.readouterr().out == "('no', 'yes')\n"
