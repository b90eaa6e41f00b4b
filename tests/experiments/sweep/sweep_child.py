"""A sweep in a process of its own, whose runs never end by themselves. See test_kills.py."""

import sys
from pathlib import Path

from snn_synth.experiments.sweep import run

# As `snn-synth fit` by `cli/trial.py`: x = 1 is done at once, the others start a process, write both ids and wait.
STAND_IN = """
import json, os, pathlib, subprocess, sys, time
from snn_synth.cli.trial import end_with_parent

end_with_parent()
words = dict(word.split("=", 1) for word in sys.argv[2:])
folder = pathlib.Path(words["--trainer.default_root_dir"])
folder.mkdir(parents=True, exist_ok=True)
with (folder / "starts").open("a") as file:
    print(os.getpid(), file=file)
if words["--x"] != "1":
    helper = subprocess.Popen(["sleep", "600"])
    (folder / "draft").write_text(f"{os.getpid()} {helper.pid}")
    (folder / "draft").rename(folder / "pids")
    time.sleep(600)
(folder / "metrics.json").write_text(json.dumps({"val/standardized_mse": 1.0}))
"""


def sweep(path, jobs):
    run.PROGRAM = (sys.executable, "-c", STAND_IN)
    run.run(Path(path), jobs=jobs)
