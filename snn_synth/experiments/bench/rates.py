"""Time of a training step against how many hidden neurons fire: no rate may be slow."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from matplotlib.figure import Figure

from snn_synth import kernels
from snn_synth.experiments.bench import case as cases
from snn_synth.experiments.bench.case import Case
from snn_synth.experiments.bench.implementations import IMPLEMENTATIONS, Run, ours
from snn_synth.experiments.bench.measure import in_turns, summary
from snn_synth.plot.figure import INK, label_axes, new_figure

RATES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
PLAIN = "products in float32"
TITLES = {"snntorch": "snnTorch", "reference": "snn_synth, reference", PLAIN: PLAIN, "ours": "snn_synth"}
_HALVINGS = 30


def at_rate(case: Case, rate: float) -> Case:
    """The same case with the first layer's weights scaled so that this share of the hidden neurons fires."""
    low, high = 0.0, 64.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        found = _scaled(case, middle)
        low, high = (middle, high) if cases.rates(found)["hidden"] < rate else (low, middle)
    return found


def measure(
    case: Case, repeats: int, rates: Sequence[float] = RATES, tick: Callable[[], object] = int
) -> list[dict[str, Any]]:
    """At each rate the times of snnTorch, of our reference functions, of ours, and of ours with products in float32."""
    rows = []
    for rate in rates:
        here = at_rate(case, rate)
        builds: dict[str, Callable[[Case], Run]] = {
            "snntorch": IMPLEMENTATIONS["snntorch"].build,
            "reference": IMPLEMENTATIONS["reference"].build,
            PLAIN: partial(ours.build, context=partial(kernels.use, "numba", "float32")),
            "ours": IMPLEMENTATIONS["ours"].build,
        }
        runs = {name: build(here) for name, build in builds.items()}
        for run in runs.values():
            run.step()
        # A step trains, and the rate moves: each implementation has weights of its own, and all move alike.
        seconds = in_turns({name: run.step for name, run in runs.items()}, repeats, tick=tick)
        rows.append({"hidden": cases.rates(here)["hidden"]} | {name: summary(seconds[name]) for name in runs})
    return rows


def draw(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Milliseconds of a step against the rate."""
    figure = new_figure(5, 3.2)
    axes = figure.subplots()
    for name, title in TITLES.items():
        axes.plot([row["hidden"] for row in rows], [1e3 * row[name]["median"] for row in rows], "o-", label=title)
    axes.set_ylim(bottom=0)
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=8, labelcolor=INK)
    label_axes(axes, "share of hidden neurons that fire", "milliseconds a training step")
    return figure


def _scaled(case: Case, factor: float) -> Case:
    first, *others = case.weights
    return replace(case, weights=[torch.mul(first, factor), *others])
