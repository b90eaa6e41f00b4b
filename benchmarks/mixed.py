"""What mixed precision does to the final error: three configs, three seeds each, in float32 and in mixed precision.

    SNN_SYNTH_DATA=... python benchmarks/mixed.py --runs runs/mixed

takes up to two hours on two cores, and writes benchmarks/results/mixed/errors.json, of which benchmarks/report.py makes
a table. Runs that are finished are not run again. Where the processor has no products in bfloat16,
benchmarks/rounded.py rounds as one that has.
"""

import argparse
import json
from pathlib import Path

from run_fit import COMMAND, fit, measured

from snn_synth.experiments.bench.machine import machine
from snn_synth.files import atomic_write
from snn_synth.kernels.cpu.products import has_bfloat16

CONFIGS = "ae_mnist", "ae_fashion_mnist", "a2i_fsdd"
PRECISIONS = "float32", "mixed"
SEEDS = 0, 1, 2
ROUNDED = (str(Path(__file__).with_name("rounded.py")),)
OUT = Path(__file__).resolve().parent / "results" / "mixed" / "errors.json"


def main() -> None:
    """Run what is missing, and collect the errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/mixed"), help="folder of the runs")
    runs: Path = parser.parse_args().runs
    errors = {
        config: {precision: [_error(runs, config, seed, precision) for seed in SEEDS] for precision in PRECISIONS}
        for config in CONFIGS
    }
    found = {"cpu": machine()["cpu"], "bfloat16": "native" if has_bfloat16() else "emulated", "errors": errors}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(OUT) as draft:
        draft.write_text(json.dumps(found, indent=1) + "\n")
    print(f"Wrote {OUT}; next: python benchmarks/report.py")


def _error(runs: Path, config: str, seed: int, precision: str) -> float:
    """The test error of one run."""
    folder = runs / f"{config}-{seed}-{precision}"
    if not measured(folder):
        seeds = (f"{argument}={seed}" for argument in ("--seed_everything", "--model.seed", "--data.seed"))
        program = ROUNDED if precision == "mixed" and not has_bfloat16() else COMMAND
        fit([config], folder, f"--model.precision={precision}", *seeds, command=program)
    return float(measured(folder)["test/standardized_mse"])


if __name__ == "__main__":
    main()
