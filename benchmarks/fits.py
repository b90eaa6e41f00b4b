"""What `snn-synth fit` reaches on this machine, and in how long: benchmarks/results/fits/runs.json.

    SNN_SYNTH_DATA=... python benchmarks/fits.py --runs runs/fits

takes half an hour on two cores. Runs in the folder that are finished are not run again; after a change of a config,
give another. Close what else runs on the machine: the load average before each run is recorded.
"""

import argparse
import json
import shlex
import time
from pathlib import Path
from typing import Any

from run_fit import fit, measured

from snn_synth.experiments.bench.machine import machine
from snn_synth.files import atomic_write
from snn_synth.keys import present

FITS = {
    "ae_mnist": ["ae_mnist"],
    "ae_mnist_online": ["ae_mnist", "ae_mnist_online"],
    "a2i_fsdd": ["a2i_fsdd"],
    "a2i_fsdd_b": ["a2i_fsdd_b"],
    "tc_mnist": ["tc_mnist"],
    "hv_mnist": ["hv_mnist"],
}
MACHINE = "cpu", "cores", "load_average"
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
    """What a run measured, how long the command took, on what machine, and how busy that was before."""
    took = folder.with_suffix(".json")
    if not took.is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        facts = {key: value for key, value in machine().items() if key in MACHINE}
        start = time.perf_counter()
        fit(configs, folder)
        took.write_text(json.dumps({"seconds": round(time.perf_counter() - start), **facts}))
    metrics = measured(folder)
    tested = {key: metrics[key] for key in present(metrics) if key.startswith("test/")}
    command = shlex.join(["snn-synth", "fit", *(f"--config={config}" for config in configs)])
    return {"command": command, **tested, **json.loads(took.read_text()), "versions": metrics["versions"]}


if __name__ == "__main__":
    main()
