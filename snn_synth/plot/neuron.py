"""A neuron over time, and the network that makes images of sounds."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch
from matplotlib.ticker import MaxNLocator

from snn_synth.plot.figure import BLUE, INK, ORANGE, Array, as_array, as_images, label_axes, new_figure, title_axes
from snn_synth.plot.images import draw_image
from snn_synth.plot.signals import draw_hidden, draw_spectrogram


def membrane_trace(inputs: Array, membrane: Array, spikes: Array, threshold: float = 1.0) -> Figure:
    """What a neuron does with its input: spikes of its synapses, its membrane with threshold and resets, its spikes.

    The membrane is that before its reset; a dotted line falls from there to 0, where it starts again.

    Args:
        inputs: spikes of each synapse.
        membrane: V before reset.
        spikes: of the neuron.
        threshold: where it fires.

    Shape:
        inputs [T, K], membrane and spikes [T].

    Returns:
        A figure with three axes.

    Raises:
        InputError: for another shape, or another number of time steps.

    Source:
        Roy, Panda & Roy 2019, figure 2B.

    Example:
        >>> import torch
        >>> from snn_synth.neurons import SigmoidLeaky
        >>> inputs = torch.ones(5, 1)
        >>> fired, membrane = SigmoidLeaky().scan(0.6 * inputs[:, None])
        >>> figure = membrane_trace(inputs, membrane[:, 0, 0], fired[:, 0, 0])
        >>> [ax.get_ylabel() for ax in figure.axes]
        ['synapse', 'membrane V', 'output']
    """
    shown = as_array(inputs, (None, None), "input spikes")
    potential, fired = as_array(membrane, (len(shown),), "a membrane"), as_array(spikes, (len(shown),), "spikes")
    steps = np.arange(1, len(shown) + 1)
    figure = new_figure(7, 3.6)
    above, middle, below = figure.subplots(3, 1, sharex=True, height_ratios=[1, 3, 0.6])
    for synapse, row in enumerate(shown.T, start=1):
        above.vlines(steps[row > 0], synapse - 0.35, synapse + 0.35, color=INK, linewidth=1.2)
    above.set(ylim=(0.4, shown.shape[1] + 0.6), yticks=range(1, shown.shape[1] + 1))
    after = np.where(fired > 0, 0, potential)  # where the next time step starts from
    starts = np.append(0, after[:-1])
    middle.plot(np.stack([steps - 1, steps]), np.stack([starts, potential]), color=BLUE, linewidth=1.4)
    middle.vlines(steps[fired > 0], 0, potential[fired > 0], color=BLUE, linewidth=1, linestyle=":")
    middle.plot(steps[fired > 0], potential[fired > 0], "o", color=ORANGE, markersize=4)
    middle.axhline(threshold, color=ORANGE, linewidth=1, linestyle="--")
    middle.text(
        1.01, threshold, "threshold", transform=middle.get_yaxis_transform(), fontsize=8, color=ORANGE, va="center"
    )
    below.vlines(steps[fired > 0], 0, 1, color=ORANGE, linewidth=2)
    below.set(ylim=(0, 1.2), yticks=[])
    below.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    for ax, name in ((above, "synapse"), (middle, "membrane V"), (below, "output")):
        label_axes(ax, "time step" if ax is below else "", name)
    return figure


def architecture(
    spectrogram: Array,
    code: Array,
    drawn: Array,
    image: Array,
    hidden: Array,
    redrawn: Array,
) -> Figure:
    """The model that makes images of sounds: an audiocoder that learns the hidden spikes of an autoencoder of images.

    Args:
        spectrogram: of a word.
        code: spikes that the audiocoder makes of it.
        drawn: image that the decoder makes of them.
        image: that the word is paired with.
        hidden: spikes that the autoencoder's encoder makes of it, which the audiocoder learns.
        redrawn: image that the decoder makes of those.

    Shape:
        spectrogram [C, F], code [T, H], hidden [T_h, H]; images [H, W] or [1, H, W].

    Returns:
        A figure with six axes: the way of the image above, that of the word below.

    Raises:
        InputError: for another shape.

    Source:
        Roy, Panda & Roy 2019, figure 8.

    Example:
        >>> import torch
        >>> image, spikes = torch.rand(28, 28), torch.eye(15, 196)
        >>> figure = architecture(torch.rand(39, 100), spikes, image, image, spikes, image)
        >>> [ax.get_title() for ax in figure.axes]
        ['image', 'hidden spikes', 'regenerated', 'spectrogram', 'code', 'image of the word']
    """
    figure = new_figure(9.6, 5)
    figure.set_layout_engine("none")  # places are given, and arrows run between them
    (first, maps, redone), (second, coded, made) = (
        [figure.add_axes((left, bottom, 0.17, 0.33)) for left in (0.06, 0.44, 0.81)] for bottom in (0.59, 0.1)
    )
    stored, fired = as_array(hidden, (None, None), "hidden spikes"), as_array(code, (None, None), "a code")
    pixels, neurons = as_images(image[None], "an image")[0], stored.shape[1]
    draw_image(first, pixels, "image")
    draw_hidden(maps, stored)
    draw_image(redone, as_images(redrawn[None], "an image")[0], "regenerated")
    draw_spectrogram(second, as_array(spectrogram, (None, None), "a spectrogram"))
    draw_hidden(coded, fired)
    draw_image(made, as_images(drawn[None], "an image")[0], "image of the word")
    maps.set_xlabel("")
    for ax, name in ((maps, "hidden spikes"), (second, "spectrogram"), (coded, "code")):
        title_axes(ax, name)
    _arrow(first, maps, f"encoder\n{pixels.size}-{neurons}", BLUE)
    _arrow(maps, redone, f"decoder\n{neurons}-{pixels.size}", BLUE)
    _arrow(second, coded, "audiocoder", ORANGE)
    _arrow(coded, made, "the same\ndecoder", BLUE)
    figure.add_artist(_link(maps, (0.5, -0.13), coded, (0.5, 1.14), INK, "--"))
    figure.text(0.535, 0.51, "target", fontsize=9, color=INK, va="center")
    return figure


def _link(
    start: Axes, at: tuple[float, float], end: Axes, to: tuple[float, float], color: str, style: str
) -> ConnectionPatch:
    places: Any = {"coordsA": start.transAxes, "coordsB": end.transAxes}
    return ConnectionPatch(
        at, to, arrowstyle="-|>", mutation_scale=14, color=color, linewidth=1.4, linestyle=style, **places
    )


def _arrow(start: Axes, end: Axes, label: str, color: str) -> None:
    """From the right of one to the left of the next, which may have an axis there; the label lies on it."""
    left = -0.32 if end.get_ylabel() else -0.05
    start.figure.add_artist(_link(start, (1.05, 0.5), end, (left, 0.5), color, "-"))
    (x0, x1), y = (
        (start.get_position().x1, end.get_position().x0),
        start.get_position().y0 + start.get_position().height / 2,
    )
    middle = (x0 + x1 + 0.17 * (left + 0.05)) / 2
    start.figure.text(middle, y + 0.02, label, fontsize=9, color=color, ha="center", va="bottom")
