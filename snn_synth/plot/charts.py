"""Numbers: bars, curves of training, curves of growth."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from snn_synth.errors import InputError
from snn_synth.plot.figure import BLUE, CURVES, INK, ORANGE, label_axes, new_figure


def comparison_bars(values: Mapping[str, float], ylabel: str) -> Figure:
    """One bar for each name, its value above it; the first in the accent colour.

    Example:
        >>> len(comparison_bars({"AE-SNN": 0.09, "AE-ANN": 0.12}, "test MSE").axes[0].patches)
        2
    """
    if not values:
        raise InputError("Expected at least one value to compare, got none")
    figure = new_figure(1.5 + 1.1 * len(values), 2.8)
    ax = figure.add_subplot()
    bars = ax.bar(list(values), list(values.values()), width=0.6, color=[ORANGE] + [BLUE] * (len(values) - 1))
    ax.bar_label(bars, fmt="%.3f", fontsize=9, color=INK, padding=2)
    ax.margins(y=0.15)
    label_axes(ax, "", ylabel)
    return figure


def learning_curve(curves: Mapping[str, Sequence[float]], ylabel: str, xlabel: str = "epoch") -> Figure:
    """One line for each name over the epochs, counted from 1.

    Example:
        >>> figure = learning_curve({"train": [0.3, 0.2], "val": [0.4, 0.3]}, "MSE")
        >>> [line.get_label() for line in figure.axes[0].lines]
        ['train', 'val']
    """
    if not any(len(curve) for curve in curves.values()):
        raise InputError("Expected at least one value to draw, got none")
    if len(curves) > len(CURVES):
        raise InputError(f"Expected at most {len(CURVES)} curves, got {len(curves)}")
    figure = new_figure(5, 2.8)
    ax = figure.add_subplot()
    for (name, curve), (colour, dashes) in zip(curves.items(), CURVES, strict=False):
        steps = range(1, len(curve) + 1)
        ax.plot(steps, curve, label=name, color=colour, linestyle=dashes, marker="o", markersize=3)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(frameon=False, fontsize=8, labelcolor=INK)
    label_axes(ax, xlabel, ylabel)
    return figure


def growth(
    panels: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]], law: float = 1.0, columns: int = 4
) -> Figure:
    r"""Curves in log-log, a panel for each quantity; beside each curve, dotted, the power law through its last point.

    Args:
        panels: what stands on the axes, as ``"x\ny"``, to the curves ``(x, y)`` by name.
        law: exponent of the reference line.
        columns: panels in a row.

    Returns:
        A figure with an axis for each panel.

    Raises:
        InputError: if there is nothing to draw.

    Example:
        >>> figure = growth({"T\nseconds": {"ours": ([1, 2, 4], [3, 5, 9])}})
        >>> [line.get_label() for line in figure.axes[0].lines], figure.axes[0].get_xlabel()
        (['ours', '~ T'], 'T')
    """
    if not panels:
        raise InputError("Expected at least one curve to draw, got none")
    columns = min(columns, len(panels))
    figure = new_figure(3 * columns, 2.6 * -(-len(panels) // columns))
    power = "" if law == 1 else f"^{law:g}"
    for place, (labels, curves) in enumerate(panels.items(), start=1):
        ax = figure.add_subplot(-(-len(panels) // columns), columns, place)
        xlabel, ylabel = labels.split("\n")
        for (name, (x, y)), (colour, dashes) in zip(curves.items(), CURVES, strict=False):
            ax.plot(x, y, label=name, color=colour, linestyle=dashes, marker="o", markersize=3)
            expected = [y[-1] * (value / x[-1]) ** law for value in x]
            ax.plot(x, expected, label=f"~ {xlabel}{power}", color=colour, linestyle=":", linewidth=0.8)
        ax.set(xscale="log", yscale="log")
        ax.set_xticks(sorted({value for x, _ in curves.values() for value in x}))
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
        label_axes(ax, xlabel, ylabel)
    handles = {line.get_label(): line for ax in figure.axes for line in ax.lines if line.get_marker() == "o"}
    dotted = figure.axes[0].lines[1]
    figure.legend(
        [*handles.values(), dotted],
        [*map(str, handles), "expected law, through the last point"],
        loc="outside lower center",
        ncols=len(handles) + 1,
        frameon=False,
        fontsize=8,
        labelcolor=INK,
    )
    return figure


def training_and_test(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    finals: Mapping[str, tuple[float, float, float | None]],
    ylabel: str = "standardized MSE",
) -> Figure:
    """How the error of each arm of an experiment falls, and beside that where it ends.

    Args:
        curves: (batches, errors) of each arm while it trains.
        finals: mean, standard deviation and published value (or None) of the test error of each arm.
        ylabel: of both.

    Returns:
        A figure with two axes.

    Raises:
        InputError: if there is nothing to draw, or the arms differ.

    Example:
        >>> figure = training_and_test({"SNN": ([1, 2], [0.9, 0.4])}, {"SNN": (0.35, 0.01, 0.357)})
        >>> [line.get_label() for line in figure.axes[0].lines]
        ['SNN']
    """
    if not curves or list(curves) != list(finals):
        raise InputError(f"Expected the same arms, at least one, got {list(curves)} and {list(finals)}")
    figure = new_figure(10, max(3, 0.35 * len(curves) + 1.2))
    left, right = figure.subplots(1, 2, width_ratios=[1.3, 1])
    for place, name in enumerate(curves):
        colour, dashes = CURVES[place % len(CURVES)][0], CURVES[place // len(CURVES) % len(CURVES)][1]
        left.plot(*curves[name], label=name, color=colour, linestyle=dashes, linewidth=1.2)
        mean, deviation, published = finals[name]
        right.barh(place, mean, xerr=deviation, color=colour, height=0.6, ecolor=INK)
        right.text(mean + deviation, place, f" {mean:.3f}", va="center", fontsize=8, color=INK)
        if published is not None:
            right.plot(published, place - 0.3, marker="D", markersize=6, color=INK, markerfacecolor="white")
    left.set_ylim(bottom=0)
    left.legend(frameon=False, fontsize=8, labelcolor=INK)
    right.set_yticks(range(len(finals)), list(finals))
    right.invert_yaxis()
    right.margins(x=0.15)
    label_axes(left, "batch", f"{ylabel} in training")
    legend = "" if all(published is None for _, _, published in finals.values()) else " (diamond: the paper)"
    label_axes(right, f"{ylabel} on the test set{legend}", "")
    return figure
