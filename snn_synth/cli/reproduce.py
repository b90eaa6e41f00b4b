"""``snn-synth reproduce``."""

from typing import Any

from snn_synth.cli.parsers import PARSERS
from snn_synth.experiments.reproduce.catalogue import EXPERIMENTS, find
from snn_synth.experiments.reproduce.run import run as reproduce
from snn_synth.experiments.reproduce.searches import SEARCHES

COLUMNS = 5  # of the further measures side by side


def run(argv: list[str]) -> None:
    """Run the experiments of a name and say where their results lie, or list what there is."""
    arguments = PARSERS["reproduce"]().parse_args(argv[1:])
    if arguments.list or arguments.name is None:
        print(listing())
        return
    for name, experiment in find(arguments.name).items():
        metrics = reproduce(
            name,
            experiment,
            arguments.out,
            preset=arguments.preset,
            seeds=arguments.seeds,
            force=arguments.force,
            argv=argv,
        )
        print(f"\n{table(metrics)}\nWrote {arguments.out / name}: metrics.json and pictures")


def listing() -> str:
    """What there is to reproduce, what each shows, and how long it takes.

    Example:
        >>> print(listing().splitlines()[1].split()[0])
        table1-mnist
    """
    lines = [f"{'name':<20} {'quick':>8} {'full':>8}   (minutes on two cores for one seed, roughly)"]
    for name, one in (EXPERIMENTS | SEARCHES).items():
        quick, full = one.minutes
        lines.append(f"{name:<20} {quick:>8g} {full:>8g}   {one.shows}")
    return "\n".join([*lines, "table1 is all of its rows, so is readings, all is everything but the searches."])


def table(metrics: dict[str, Any]) -> str:
    """What was measured of each variant and of groups of them: the first measure with the paper's, then all others."""
    measures: list[str] = [*metrics["measures"], *metrics.get("also", ())]
    measure, others = measures[0], measures[1:]
    means = {f"{name}, mean of {len(one['variants'])}": one for name, one in metrics.get("groups", {}).items()}
    rows = metrics["variants"] | means
    width = max(map(len, rows))
    lines = [f"{'':<{width}} {measure:>14} {'+-':>7} {'paper':>7}"]
    for variant, found in rows.items():
        value = found[measure]
        spread = "" if value["std"] is None else f"{value['std']:.3f}"
        published = "" if found.get("paper") is None else f"{found['paper']:.3f}"
        lines.append(f"{variant:<{width}} {value['mean']:>14.3f} {spread:>7} {published:>7}")
    for start in range(0, len(others), COLUMNS):
        keys = others[start : start + COLUMNS]
        lines.append(f"\n{'':<{width}} " + " ".join(f"{key:>{max(9, len(key))}}" for key in keys))
        for variant, found in rows.items():
            cells = (f"{found[key]['mean']:.4g}" if key in found else "" for key in keys)
            lines.append(
                f"{variant:<{width}} "
                + " ".join(f"{cell:>{max(9, len(key))}}" for cell, key in zip(cells, keys, strict=True))
            )
    return "\n".join(lines)
