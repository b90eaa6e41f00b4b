"""Numbers: bars, curves of training, curves of growth."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from snn_synth.errors import InputError
from snn_synth.plot.figure import BLUE, CURVES, INK, ORANGE, in_lines, label_axes, new_figure

MARKER, NUMBER = 0.02, 0.13  # what a diamond and a number take, as shares of the longest bar


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


def share_bars(shares: Mapping[str, float], xlabel: str) -> Figure:
    """One lying bar for each share in [0, 1], from above, in per cent; the first in the accent colour.

    Raises:
        InputError: if there is nothing to draw.

    Example:
        >>> len(share_bars({"clean": 0.97, "noise, 10 dB": 0.52}, "words drawn right").axes[0].patches)
        2
    """
    if not shares:
        raise InputError("Expected at least one share to draw, got none")
    figure = new_figure(6, 0.8 + 0.24 * len(shares))
    ax = figure.add_subplot()
    names, values = list(shares), [100 * share for share in shares.values()]
    bars = ax.barh(names, values, height=0.7, color=[ORANGE] + [BLUE] * (len(shares) - 1))
    ax.bar_label(bars, fmt="%.0f %%", fontsize=8, color=INK, padding=3)
    ax.invert_yaxis()
    ax.set_xlim(0, 110)
    ax.set_xticks(range(0, 101, 20))
    ax.margins(y=0.01)
    label_axes(ax, f"{xlabel}, %", "")
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
    finals: Mapping[str, Mapping[str, tuple[float, float, float | None]]],
    ylabel: str = "standardized MSE",
) -> Figure:
    """How a measure of each variant of an experiment changes in training, and beside that where it ends.

    Args:
        curves: (batches, values) of each variant while it trains.
        finals: of each variant, by the name of a measure, its mean, standard deviation and published value (or None);
            the further measures are drawn paler.
        ylabel: of the curves.

    Returns:
        A figure with two axes; with those of the ends alone if nothing was watched.

    Raises:
        InputError: if there is nothing to draw, or the variants or their measures differ.

    Example:
        >>> figure = training_and_test({"SNN": ([1, 2], [0.9, 0.4])}, {"SNN": {"test MSE": (0.35, 0.01, 0.357)}})
        >>> [line.get_label() for line in figure.axes[0].lines], figure.axes[1].get_xlabel()
        (['SNN'], 'test MSE (diamond: the paper)')
    """
    if not curves or list(curves) != list(finals):
        raise InputError(f"Expected the same variants, at least one, got {list(curves)} and {list(finals)}")
    measures = list(next(iter(finals.values())))
    if not measures or any(list(one) != measures for one in finals.values()):
        raise InputError(
            f"Expected the same measures of each variant, at least one, got { {a: [*f] for a, f in finals.items()} }"
        )
    watched = any(len(values) for _, values in curves.values())
    figure = new_figure(10 if watched else 6, max(3, (0.15 + 0.2 * len(measures)) * len(curves) + 1.2))
    *lefts, right = figure.subplots(1, 2, width_ratios=[1.3, 1]) if watched else [figure.subplots()]
    height = 0.7 / len(measures)
    longest = max(max(mean + off, published or 0) for one in finals.values() for mean, off, published in one.values())
    for place, name in enumerate(curves):
        colour, dashes = CURVES[place % len(CURVES)][0], CURVES[place // len(CURVES) % len(CURVES)][1]
        for left in lefts:
            left.plot(*curves[name], label=in_lines(name), color=colour, linestyle=dashes, linewidth=1.2)
        for row, measure in enumerate(measures):
            mean, deviation, published = finals[name][measure]
            y = place - 0.35 + height * (row + 0.5)
            right.barh(y, mean, xerr=deviation, color=colour, alpha=1 - 0.8 * row / len(measures), height=0.9 * height)
            if published is not None:
                right.plot(published, y, marker="D", markersize=5, color=INK, markerfacecolor="white")
            end = mean + deviation
            if published is not None and -MARKER * longest < published - end < NUMBER * longest:
                end = max(end, published + MARKER * longest)  # where the diamond would cover the number
            right.text(end, y, f" {mean:.3f}", va="center", fontsize=8 if height > 0.3 else 6, color=INK)
    for left in lefts:
        left.set_ylim(bottom=0)
        left.legend(frameon=False, fontsize=8, labelcolor=INK)
        label_axes(left, "batch", textwrap.fill(f"{ylabel} in training", 36))
    right.set_yticks(range(len(finals)), [in_lines(name) for name in finals])
    right.invert_yaxis()
    right.margins(x=0.15)
    diamond = any(found[2] is not None for one in finals.values() for found in one.values())
    shown = ", then ".join(measures) + (" (diamond: the paper)" if diamond else "")
    label_axes(right, textwrap.fill(shown, 56), "")
    return figure


def grouped_bars(
    panels: Mapping[str, Mapping[str, Mapping[str, tuple[float, float, float | None]]]], ylabel: str
) -> Figure:
    """Measures side by side, of each member of some groups: a panel for each group, on one scale.

    Args:
        panels: by the names of group and member, and of a measure, its mean and standard deviation (and another number,
            which :func:`training_and_test` shows); the first measure is in the accent colour.
        ylabel: of the measures.

    Returns:
        A figure with an axis for each group.

    Raises:
        InputError: if there is nothing to draw, or the measures differ.

    Example:
        >>> figure = grouped_bars({"SNN": {"george": {"unheard": (0.8, 0, None), "heard": (0.97, 0, None)}}}, "share")
        >>> len(figure.axes[0].patches), figure.axes[0].get_title()
        (2, 'SNN')
    """
    measures = {tuple(found) for members in panels.values() for found in members.values()}
    if len(measures) != 1 or not next(iter(measures)):
        raise InputError(f"Expected the same measures of each member, at least one, got {sorted(measures)}")
    (names,) = measures
    width = 0.8 / len(names)
    figure = new_figure(5, 1.9 * len(panels) + 0.6)
    axes = figure.subplots(len(panels), 1, sharey=True, squeeze=False)[:, 0]
    for ax, (title, members) in zip(axes, panels.items(), strict=True):
        for place, measure in enumerate(names):
            means, deviations = zip(*(found[measure][:2] for found in members.values()), strict=True)
            x = [member + width * (place - (len(names) - 1) / 2) for member in range(len(members))]
            colour = ORANGE if place == 0 else BLUE
            bars = ax.bar(x, means, yerr=deviations, width=0.9 * width, color=colour, label=measure)
            ax.bar_label(bars, fmt="%.2f", fontsize=6, color=INK, padding=1)
        ax.set_xticks(range(len(members)), list(members))
        ax.set_title(title, fontsize=9, color=INK)
        ax.margins(y=0.15)
        label_axes(ax, "", "")
    figure.supylabel(textwrap.fill(ylabel, 24), fontsize=8, color=INK)
    figure.legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=len(names),
        frameon=False,
        fontsize=8,
        labelcolor=INK,
    )
    return figure


def sweep_scatter(runs: Sequence[tuple[Mapping[str, object], float]], metric: str) -> Figure:
    """What a search found: a panel for each setting that varies, a point for each run, the best in the accent colour.

    Args:
        runs: settings and result of each, the best first.
        metric: name of the result.

    Returns:
        A figure with an axis for each setting that varies; one axis if none does.

    Raises:
        InputError: if there are no runs.

    Example:
        >>> runs = [({"lr": 0.01, "mask": True}, 0.1), ({"lr": 0.1, "mask": True}, 0.3)]
        >>> [ax.get_xlabel() for ax in sweep_scatter(runs, "val/pixel_mse").axes]
        ['lr']
    """
    if not runs:
        raise InputError("Expected at least one run to draw, got none")
    names = [name for name in runs[0][0] if len({repr(settings[name]) for settings, _ in runs}) > 1]
    names = names or list(runs[0][0])[:1]
    columns = min(3, len(names))
    figure = new_figure(3.2 * columns, 2.6 * -(-len(names) // columns))
    results = [result for _, result in runs]
    for place, name in enumerate(names, start=1):
        ax = figure.add_subplot(-(-len(names) // columns), columns, place)
        values: list[Any] = [settings[name] for settings, _ in runs]
        numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
        x = values if numbers else [str(value) for value in values]
        ax.scatter(x, results, s=18, color=[ORANGE] + [BLUE] * (len(runs) - 1), zorder=3)
        if numbers and min(values) > 0 and max(values) > 20 * min(values):
            ax.set_xscale("log")
        label_axes(ax, name.rsplit(".", 1)[-1], metric if (place - 1) % columns == 0 else "")
    return figure
