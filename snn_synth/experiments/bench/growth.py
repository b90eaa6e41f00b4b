"""How time and memory grow with time steps, batch, hidden neurons and inputs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from matplotlib.figure import Figure

from snn_synth import plot
from snn_synth.experiments.bench.case import prepare
from snn_synth.experiments.bench.memory import alone
from snn_synth.experiments.bench.workloads import LARGE, SMALL, Rule, Workload

LAW = 1.0  # exponent of everything below, for large values: linear in T, in B, in hidden neurons, in inputs
PARTIES: dict[Rule, tuple[str, ...]] = {"bptt": ("snntorch", "ours"), "online": ("ours",)}
BASE = Workload("bptt", SMALL, 15, 100, (), pretraining=20)
WIDE = replace(BASE, sizes=LARGE, num_steps=30, batch=50, pretraining=4)


def curves(quick: bool = False) -> dict[str, list[tuple[int, Workload]]]:
    """The points of each curve: the value on its axis, and the workload there."""
    steps, batches, hidden, inputs = [15, 30, 60, 120], [25, 50, 100, 200, 400], [196, 512, 1024, 2048], [784, 3900]
    wide = replace(WIDE, sizes=(0, 196, 196))
    if quick:
        steps, batches, hidden = steps[:2], batches[:2], hidden[:2]
    else:
        wide, inputs = WIDE, [*inputs, 15600, LARGE[0]]
    return {
        "time steps T": [(n, replace(BASE, num_steps=n)) for n in steps],
        "batch B": [(n, replace(BASE, batch=n)) for n in batches],
        "hidden neurons": [(n, replace(BASE, sizes=(784, n, 784))) for n in hidden],
        "inputs": [(n, replace(wide, sizes=(n, *wide.sizes[1:]))) for n in inputs],
    }


def measure(
    device: str = "cpu", quick: bool = False, repeats: int = 3, tick: Callable[[], object] = int
) -> list[dict[str, Any]]:
    """Measure every point in processes of its own.

    Returns:
        A row for each curve: ``axis``, ``rule``, ``implementation``, ``network`` (what stays the same), ``x``,
        ``seconds`` and ``grown_bytes`` at each x, and the slopes of both in log-log.
    """
    rows: dict[tuple[str, Rule, str], dict[str, Any]] = {}
    for axis, points in curves(quick).items():
        for x, shape in points:
            weights = prepare(shape, device)
            for rule, parties in PARTIES.items():
                case = replace(weights, workload=replace(shape, rule=rule))
                for implementation, found in alone(case, list(parties), repeats).items():
                    if "error" in found:
                        continue
                    empty = {
                        "axis": axis,
                        "rule": rule,
                        "implementation": implementation,
                        "network": _network(axis, shape),
                    }
                    row = rows.setdefault(
                        (axis, rule, implementation), empty | {"x": [], "seconds": [], "grown_bytes": []}
                    )
                    row["x"].append(x)
                    row["seconds"].append(found["median"])
                    row["grown_bytes"].append(found["grown_bytes"])
            tick()
    for row in rows.values():
        row["slopes"] = {key: slope(row["x"], row[key]) for key in ("seconds", "grown_bytes")}
    return list(rows.values())


def points(quick: bool = False) -> int:
    """How many points there are."""
    return sum(map(len, curves(quick).values()))


def slope(x: Sequence[float], y: Sequence[float]) -> float | None:
    r"""Exponent p of the best :math:`y = c x^p`, by least squares of the logarithms.

    Example:
        >>> slope([1, 2, 4], [3, 12, 48])
        2.0
    """
    if len(x) < 2 or min(y) <= 0:
        return None
    log_x, log_y = torch.tensor(x, dtype=torch.float64).log(), torch.tensor(y, dtype=torch.float64).log()
    centred = log_x - log_x.mean()
    return round(((centred * log_y).sum() / centred.square().sum()).item(), 3)


def draw(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """All curves in one picture, each with the line of its law."""
    panels: dict[str, dict[str, tuple[Sequence[float], Sequence[float]]]] = {}
    names = {"ours": "snn_synth", "snntorch": "snnTorch"}
    for key, unit, scale in (("seconds", "seconds a batch", 1.0), ("grown_bytes", "memory, MB", 1e-6)):
        for row in rows:
            label = f"{names[row['implementation']]}, {'BPTT' if row['rule'] == 'bptt' else 'online rule'}"
            panel = panels.setdefault(f"{row['axis']}\n{unit}", {})
            panel[label] = row["x"], [value * scale for value in row[key]]
    return plot.growth(panels, law=LAW, columns=len({row["axis"] for row in rows}))


def _network(axis: str, shape: Workload) -> str:
    inputs, hidden, outputs = ("N" if axis == "inputs" else shape.sizes[0], *shape.sizes[1:])
    steps, batch = (
        "N" if axis == name else n for name, n in (("time steps T", shape.num_steps), ("batch B", shape.batch))
    )
    return f"{inputs}-{'N' if axis == 'hidden neurons' else hidden}-{outputs}, T={steps}, B={batch}"
