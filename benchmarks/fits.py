"""What `snn-synth fit` reaches on this machine, and in how long: benchmarks/results/fits/runs.json.

    SNN_SYNTH_DATA=... python benchmarks/fits.py --runs runs/fits

takes ten minutes on two cores. Runs in the folder that are finished are not run again; after a change of a config, give
another. Close what else runs on the machine: the load average before each run is recorded.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from snn_synth.files import atomic_write
from snn_synth.keys import present

FITS = {
    "ae_mnist": ["ae_mnist"],
    "ae_mnist_online": ["ae_mnist", "ae_mnist_online"],
    "a2i_fsdd": ["a2i_fsdd"],
}
OUT = Path(__file__).resolve().parent / "results" / "fits" / "runs.json"


def main() -> None:
    """Run what is missing, and collect what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/fits"), help="folder of the runs")
    runs: Path = parser.parse_args().runs
    found = {name: _fitted(runs / name, configs) for name, configs in FITS.items()}
    with atomic_write(OUT) as draft:
        draft.write_text(json.dumps(found, indent=1) + "\n")


def _fitted(folder: Path, configs: list[str]) -> dict[str, Any]:
    """What a run measured, how long the command took, and how busy the machine was before it."""
    took, fit = folder.with_suffix(".json"), ["fit", *(f"--config={config}" for config in configs)]
    if not took.is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "snn_synth.cli", *fit, f"--trainer.default_root_dir={folder}"]
        print(folder.name, flush=True)
        load, start = os.getloadavg()[0], time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        took.write_text(json.dumps({"seconds": round(seconds), "cores": os.cpu_count(), "load_before": round(load, 2)}))
    measured = json.loads((folder / "metrics.json").read_text())
    tested = {key: measured[key] for key in present(measured) if key.startswith("test/")}
    command_line = shlex.join(["snn-synth", *fit])
    return {"command": command_line, **tested, **json.loads(took.read_text()), "versions": measured["versions"]}


if __name__ == "__main__":
    main()
