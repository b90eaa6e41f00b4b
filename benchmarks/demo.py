"""The demo by three seeds, a few minutes each: docs/results/demo/metrics.json, of which results.py makes a table.

    SNN_SYNTH_DATA=... python benchmarks/demo.py --runs runs/demos

SNN_SYNTH_DATA has FSDD, whose words of real people are tested, too. Runs that are finished are not run again.
"""

import argparse
import json
from pathlib import Path

from snn_synth.data import FSDD
from snn_synth.experiments import demo
from snn_synth.files import atomic_write

SEEDS = 0, 1, 2
OUT = Path(__file__).resolve().parents[1] / "docs" / "results" / "demo" / "metrics.json"


def main() -> None:
    """Run what is missing, and collect what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/demos"), help="folder of the runs")
    runs: Path = parser.parse_args().runs
    FSDD(download=False)  # refused before anything is trained if it is not there
    found = {}
    for seed in SEEDS:
        metrics = runs / str(seed) / "metrics.json"
        if not metrics.is_file():
            demo.run(metrics.parent, seed)
        found[str(seed)] = json.loads(metrics.read_text())
        del found[str(seed)]["command"]  # which has no seed
    with atomic_write(OUT) as draft:
        draft.write_text(json.dumps({"command": "python benchmarks/demo.py", "seeds": found}, indent=2) + "\n")
    print(f"Wrote {OUT}; next: python benchmarks/results.py")


if __name__ == "__main__":
    main()
