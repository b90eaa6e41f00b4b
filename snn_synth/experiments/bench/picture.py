"""One picture of a machine: how many times as fast as the first implementation each other one is."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from snn_synth.errors import InputError
from snn_synth.experiments.bench.implementations import IMPLEMENTATIONS
from snn_synth.experiments.bench.report import speed
from snn_synth.plot.figure import BLUE, INK, ORANGE, label_axes, new_figure, title_axes

COLUMNS = 2


def draw(records: Mapping[str, Mapping[str, Any]]) -> Figure:
    """A panel for each workload with more than one implementation, a bar for each that was timed; ours in orange.

    Raises:
        InputError: if there is none.
    """
    panels = {}
    for name, record in records.items():
        first = next(iter(record["implementations"]))
        ratios = {key: ratio for key in record["implementations"] if (ratio := speed(record, key, first)) is not None}
        if len(ratios) > 1:
            panels[name] = first, ratios
    if not panels:
        raise InputError("Expected a workload with more than one implementation that was timed, got none")
    rows = -(-len(panels) // COLUMNS)
    most = max(len(ratios) for _, ratios in panels.values())
    figure = new_figure(4.2 * COLUMNS, (0.22 * most + 0.7) * rows)
    axes = figure.subplots(rows, COLUMNS, squeeze=False).flatten()
    for ax, (name, (first, ratios)) in zip(axes, panels.items(), strict=False):
        titles = [IMPLEMENTATIONS[key].title for key in ratios]
        colours = [ORANGE if key in ("ours", "mixed") else BLUE for key in ratios]
        bars = ax.barh(titles, list(ratios.values()), color=colours)
        ax.bar_label(bars, fmt="%.1f", fontsize=7, color=INK, padding=2)
        ax.invert_yaxis()
        ax.margins(x=0.12)
        title_axes(ax, name)
        label_axes(ax, f"times as fast as {IMPLEMENTATIONS[first].title}", "")
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    return figure
