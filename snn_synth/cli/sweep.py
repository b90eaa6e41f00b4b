"""``snn-synth sweep``."""

from pathlib import Path
from typing import Any

from snn_synth.cli.configs import find_sweep
from snn_synth.cli.parsers import PARSERS
from snn_synth.experiments.sweep.run import RUNS, measure
from snn_synth.experiments.sweep.run import run as sweep


def run(argv: list[str]) -> None:
    """Run a sweep and say which of its runs was best."""
    arguments = PARSERS["sweep"]().parse_args(argv[1:])
    path: Path = find_sweep(arguments.file)
    result = sweep(path, arguments.count, arguments.jobs, arguments.seed, arguments.allow_import)
    print(f"\n{table(result)}\nWrote {RUNS / result['sweep']['name']}: sweep.json, sweep.png and the log of each run")


def table(result: dict[str, Any], most: int = 10) -> str:
    """The best runs, with their settings."""
    metric, runs = result["sweep"]["metric"]["name"], result["runs"]
    lines = [f"{metric:>12}  run"]
    for one in runs[:most]:
        value = measure(one, metric)
        given = " ".join(
            f"--{name} {setting:.4g}" if isinstance(setting, float) else f"--{name} {setting}"
            for name, setting in one["settings"].items()
        )
        lines.append(f"{'failed' if value is None else format(value, '.4f'):>12}  {one['run']}  {given}")
    failed = sum(one["error"] is not None for one in runs)
    return "\n".join(lines + ([f"{failed} of {len(runs)} failed; their logs say why"] if failed else []))
