"""Every picture of the project.

Each function returns a matplotlib figure of its own (no pyplot, no global state), sized for a page about 1000
pixels wide; :func:`save_figure` and :func:`save_animation` write them. Colours are Okabe and Ito's, and the
maps are perceptually uniform, so that the pictures read the same with a colour-blind eye and in grey.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from PIL import Image, ImageDraw, ImageFont

from snn_synth.errors import InputError
from snn_synth.files import atomic_write

Array: TypeAlias = torch.Tensor | npt.NDArray[Any]

BLUE, ORANGE, INK = "#0072B2", "#D55E00", "#404040"
CURVES = ((ORANGE, "-"), (BLUE, "--"), ("#009E73", "-."), ("#CC79A7", ":"))
PIXELS = 28  # side of an image
FAINT = 0.1  # brightness below which an image is shown as dark as it is
ZOOM = 8  # of a frame of an animation
CAPTION = 20  # height of its caption


def _numpy(values: Array, shape: tuple[int | None, ...], what: str) -> npt.NDArray[np.float32]:
    """The values as a float array, if they have the shape; None stands for any length but 0."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().float().numpy()
    array = np.asarray(values, dtype=np.float32)
    fits = len(array.shape) == len(shape) and all(
        n > 0 if m is None else n == m for n, m in zip(array.shape, shape, strict=True)
    )
    if not fits:
        wanted = "[" + ", ".join("*" if m is None else str(m) for m in shape) + "]"
        raise InputError(f"Expected {what} of shape {wanted}, got {list(array.shape)}")
    return array


def _images(images: Array, what: str = "images") -> npt.NDArray[np.float32]:
    """[N, 1, 28, 28] or [N, 28, 28] as [N, 28, 28]."""
    if images.ndim == 4 and images.shape[1] == 1:
        images = images[:, 0]
    return _numpy(images, (None, PIXELS, PIXELS), what)


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _frame(ax: Axes, xlabel: str, ylabel: str) -> None:
    ax.set_xlabel(xlabel, fontsize=9, color=INK)
    ax.set_ylabel(ylabel, fontsize=9, color=INK)
    ax.tick_params(labelsize=8, colors=INK, length=3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(INK)


def _title(ax: Axes, title: str) -> None:
    ax.set_title(title, fontsize=9, color=INK)


def _draw_image(ax: Axes, image: npt.NDArray[np.float32], title: str = "") -> None:
    # Standardized, as the paper compares images: the brightest pixel is white, unless the image is all but silent.
    ax.imshow(image, cmap="gray", vmin=0, vmax=max(image.max(), FAINT), interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    _title(ax, title)


def _draw_waveform(ax: Axes, samples: npt.NDArray[np.float32], rate: int) -> None:
    if rate < 1:
        raise InputError(f"Expected a sample rate of at least 1 Hz, got {rate}")
    ax.plot(np.arange(len(samples)) / rate, samples, color=BLUE, linewidth=0.6)
    ax.margins(x=0)
    _frame(ax, "time (s)", "amplitude")


def _draw_spectrogram(ax: Axes, values: npt.NDArray[np.float32]) -> None:
    ax.imshow(values, cmap="cividis", origin="lower", aspect="auto", interpolation="nearest", vmin=0, vmax=1)
    _frame(ax, "frame", "channel")


def _draw_raster(ax: Axes, spikes: npt.NDArray[np.float32]) -> None:
    steps, neurons = np.nonzero(spikes)
    # Thousands of neurons share a few hundred pixels: thin, translucent dashes show their rate as a shade.
    crowd = spikes.shape[1]
    width, shade = np.clip(250 / crowd, 0.5, 4), np.clip(400 / crowd, 0.1, 1)
    ax.hlines(neurons, steps + 0.6, steps + 1.4, colors=INK, linewidth=float(width), alpha=float(shade))
    ax.set(xlim=(0.5, spikes.shape[0] + 0.5), ylim=(-0.5, spikes.shape[1] - 0.5))
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    _frame(ax, "time step", "neuron")


def _draw_hidden(ax: Axes, spikes: npt.NDArray[np.float32]) -> None:
    steps, neurons = spikes.shape
    edges = (0.5, steps + 0.5, -0.5, neurons - 0.5)
    ax.imshow(
        spikes.T,
        cmap="gray_r",
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        vmin=0,
        vmax=1,
        extent=edges,
    )
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    _frame(ax, "time step", "hidden neuron")


def image_grid(images: Array, columns: int = 10, titles: Sequence[str] | None = None) -> Figure:
    """Images in rows, black 0 and white 1.

    Args:
        images: the images, in [0, 1].
        columns: how many stand in a row.
        titles: one for each image.

    Shape:
        images: [N, 1, 28, 28] or [N, 28, 28].

    Returns:
        A figure with N axes.

    Raises:
        InputError: for another shape, or another number of titles.

    Example:
        >>> len(image_grid(torch.rand(12, 1, 28, 28), columns=5).axes)
        12
    """
    grid = _images(images)
    if columns < 1:
        raise InputError(f"Expected `columns` to be at least 1, got {columns}")
    if titles is not None and len(titles) != len(grid):
        raise InputError(f"Expected {len(grid)} titles, one for each image, got {len(titles)}")
    columns = min(columns, len(grid))
    rows = -(-len(grid) // columns)
    figure = _figure(0.9 * columns, (0.9 if titles is None else 1.1) * rows)
    for i, image in enumerate(grid):
        _draw_image(figure.add_subplot(rows, columns, i + 1), image, "" if titles is None else titles[i])
    return figure


def reconstructions(originals: Array, outputs: Array, labels: Sequence[str] | None = None) -> Figure:
    """Two rows: the images that went in, and below each what came out.

    Shape:
        originals, outputs: [N, 1, 28, 28] or [N, 28, 28]; `labels`: N titles.

    Returns:
        A figure with 2 N axes, the originals first.

    Raises:
        InputError: for another shape, or another number of labels.

    Example:
        >>> len(reconstructions(torch.rand(4, 28, 28), torch.rand(4, 28, 28)).axes)
        8
    """
    above, below = _images(originals, "originals"), _images(outputs, "outputs")
    if len(above) != len(below):
        raise InputError(f"Expected as many outputs as originals, got {len(below)} and {len(above)}")
    if labels is not None and len(labels) != len(above):
        raise InputError(f"Expected {len(above)} labels, one for each image, got {len(labels)}")
    figure = image_grid(np.concatenate([above, below]), columns=len(above))
    for ax, label in zip(figure.axes, labels or [], strict=False):
        _title(ax, label)
    for row, name in ((0, "input"), (len(above), "output")):
        figure.axes[row].set_ylabel(name, fontsize=9, color=INK)
    return figure


def digit_grid(images: Array) -> Figure:
    """Images drawn from spoken digits: a column for each digit, a row for each utterance (paper, figure 9B).

    Shape:
        images: [10, K, 28, 28], K utterances for each digit.

    Returns:
        A figure with 10 K axes, row by row.

    Raises:
        InputError: for another shape.

    Example:
        >>> figure = digit_grid(torch.rand(10, 5, 28, 28))
        >>> len(figure.axes), figure.axes[3].get_title()
        (50, '3')
    """
    grid = _numpy(images, (10, None, PIXELS, PIXELS), "images").swapaxes(0, 1)
    figure = image_grid(grid.reshape(-1, PIXELS, PIXELS), columns=10)
    for digit in range(10):
        _title(figure.axes[digit], str(digit))
    return figure


def waveform(samples: Array, rate: int) -> Figure:
    """A sound over its time in seconds; samples [n] at `rate` hertz.

    Example:
        >>> waveform(torch.zeros(8000), 8000).axes[0].get_xlabel()
        'time (s)'
    """
    figure = _figure(6, 1.8)
    _draw_waveform(figure.add_subplot(), _numpy(samples, (None,), "samples"), rate)
    return figure


def spectrogram(values: Array) -> Figure:
    """A spectrogram [C, F] in [0, 1]: low channels at the bottom, time to the right.

    Example:
        >>> spectrogram(torch.rand(39, 100)).axes[0].get_ylabel()
        'channel'
    """
    figure = _figure(6, 2.4)
    _draw_spectrogram(figure.add_subplot(), _numpy(values, (None, None), "a spectrogram"))
    return figure


def spike_raster(spikes: Array) -> Figure:
    """One dash for each spike of [T, N]: time steps from 1 to T to the right, neurons upwards.

    Example:
        >>> len(spike_raster(torch.eye(5)).axes[0].collections[0].get_segments())
        5
    """
    figure = _figure(6, 3)
    _draw_raster(figure.add_subplot(), _numpy(spikes, (None, None), "spikes"))
    return figure


def hidden_map(spikes: Array) -> Figure:
    """The hidden state [T_h, N] as the bitmap that is stored: a spike is black.

    Example:
        >>> hidden_map(torch.eye(15, 196)).axes[0].images[0].get_array().shape
        (196, 15)
    """
    figure = _figure(3, 3)
    _draw_hidden(figure.add_subplot(), _numpy(spikes, (None, None), "a hidden state"))
    return figure


def word_journey(
    samples: Array,
    rate: int,
    spectrogram: Array,
    input_spikes: Array,
    hidden: Array,
    image: Array,
    target: Array | None = None,
    title: str = "",
) -> Figure:
    """What becomes of a word: waveform, spectrogram, input spikes, hidden state, image, side by side.

    Shape:
        samples [n], spectrogram [C, F], input_spikes [T, N], hidden [T, H], image and target [28, 28].

    Returns:
        A figure with five axes, or six with a target.

    Raises:
        InputError: for another shape.

    Example:
        >>> spikes = torch.eye(30)
        >>> figure = word_journey(
        ...     torch.zeros(800), 8000, torch.rand(39, 100), spikes, spikes, torch.rand(28, 28), title="seven"
        ... )
        >>> [ax.get_title() for ax in figure.axes]
        ['waveform', 'spectrogram', 'input spikes', 'hidden state', 'image']
    """
    pictures = [("image", image)] + ([] if target is None else [("target", target)])
    figure = _figure(13, 2.5)
    axes = figure.subplots(1, 4 + len(pictures), width_ratios=[1.2, 1.2, 1, 1] + [1] * len(pictures))
    _draw_waveform(axes[0], _numpy(samples, (None,), "samples"), rate)
    _draw_spectrogram(axes[1], _numpy(spectrogram, (None, None), "a spectrogram"))
    _draw_raster(axes[2], _numpy(input_spikes, (None, None), "input spikes"))
    _draw_hidden(axes[3], _numpy(hidden, (None, None), "a hidden state"))
    for ax, name in zip(axes, ("waveform", "spectrogram", "input spikes", "hidden state"), strict=False):
        _title(ax, name)
    for ax, (name, picture) in zip(axes[4:], pictures, strict=True):
        _draw_image(ax, _numpy(picture, (PIXELS, PIXELS), name), name)
    if title:
        figure.suptitle(title, fontsize=11, color=INK)
    return figure


def comparison_bars(values: Mapping[str, float], ylabel: str) -> Figure:
    """One bar for each name, its value above it; the first in the accent colour.

    Example:
        >>> len(comparison_bars({"AE-SNN": 0.09, "AE-ANN": 0.12}, "test MSE").axes[0].patches)
        2
    """
    if not values:
        raise InputError("Expected at least one value to compare, got none")
    figure = _figure(1.5 + 1.1 * len(values), 2.8)
    ax = figure.add_subplot()
    bars = ax.bar(list(values), list(values.values()), width=0.6, color=[ORANGE] + [BLUE] * (len(values) - 1))
    ax.bar_label(bars, fmt="%.3f", fontsize=9, color=INK, padding=2)
    ax.margins(y=0.15)
    _frame(ax, "", ylabel)
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
    figure = _figure(5, 2.8)
    ax = figure.add_subplot()
    for (name, curve), (colour, dashes) in zip(curves.items(), CURVES, strict=False):
        steps = range(1, len(curve) + 1)
        ax.plot(steps, curve, label=name, color=colour, linestyle=dashes, marker="o", markersize=3)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(frameon=False, fontsize=8, labelcolor=INK)
    _frame(ax, xlabel, ylabel)
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
    figure = _figure(3 * columns, 2.6 * -(-len(panels) // columns))
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
        _frame(ax, xlabel, ylabel)
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


def image_forming(output_spikes: Array) -> list[Image.Image]:
    r"""Frames of the image forming: after step t, each pixel shows the spikes it has fired so far.

    .. math:: I_t = \frac{\sum_{s \le t} A[s]}{\max_i \sum_{s \le T} A_i[s]}

    Shape:
        output_spikes: [T, 784].

    Returns:
        T grey frames, each pixel 8 x 8, the time step written below.

    Raises:
        InputError: for another shape.

    Example:
        >>> frames = image_forming(torch.ones(15, 784))
        >>> len(frames), frames[0].size
        (15, (224, 244))
    """
    spikes = _numpy(output_spikes, (None, PIXELS * PIXELS), "output spikes")
    steps = len(spikes)
    counts = spikes.cumsum(axis=0)
    grey = (255 * counts / max(counts[-1].max(), FAINT * steps)).round().astype(np.uint8).reshape(steps, PIXELS, PIXELS)
    frames = []
    for t, pixels in enumerate(grey.repeat(ZOOM, axis=1).repeat(ZOOM, axis=2), start=1):
        frame = Image.new("L", (PIXELS * ZOOM, PIXELS * ZOOM + CAPTION), 255)
        frame.paste(Image.fromarray(pixels), (0, 0))
        where = (PIXELS * ZOOM / 2, PIXELS * ZOOM + CAPTION / 2)
        ImageDraw.Draw(frame).text(where, f"t = {t} of {steps}", 64, ImageFont.load_default(12), anchor="mm")
        frames.append(frame)
    return frames


def save_animation(frames: Sequence[Image.Image], path: str | Path, frame_ms: int = 120, last_ms: int = 2000) -> None:
    """Write frames as a GIF that repeats, the last frame held longer; whole or not at all.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "forming.gif"
        >>> save_animation(image_forming(torch.eye(15, 784)), path)
        >>> Image.open(path).n_frames
        15
    """
    if not frames:
        raise InputError("Expected at least one frame to animate, got none")
    first, *others = frames
    durations = [frame_ms] * len(others) + [last_ms]
    with atomic_write(path) as partial:
        first.save(partial, format="GIF", save_all=True, append_images=others, duration=durations, loop=0)


def save_figure(figure: Figure, path: str | Path, dpi: int = 120) -> None:
    """Write a figure as a PNG; whole or not at all.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "grid.png"
        >>> save_figure(image_grid(torch.rand(3, 28, 28)), path)
        >>> Image.open(path).format
        'PNG'
    """
    with atomic_write(path) as partial:
        figure.savefig(partial, format="png", dpi=dpi)
