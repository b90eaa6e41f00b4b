"""Sounds, spectrograms and spikes, and every step from a word to its image."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from snn_synth.errors import InputError
from snn_synth.plot.figure import BLUE, INK, Array, as_array, as_images, label_axes, new_figure, title_axes
from snn_synth.plot.images import draw_image


def draw_waveform(ax: Axes, samples: npt.NDArray[np.float32], rate: int) -> None:
    """Amplitude over the time in seconds."""
    if rate < 1:
        raise InputError(f"Expected a sample rate of at least 1 Hz, got {rate}")
    ax.plot(np.arange(len(samples)) / rate, samples, color=BLUE, linewidth=0.6)
    ax.margins(x=0)
    label_axes(ax, "time (s)", "amplitude")


def draw_spectrogram(ax: Axes, values: npt.NDArray[np.float32], xlabel: str = "frame", ylabel: str = "channel") -> None:
    """Low channels at the bottom, time to the right."""
    ax.imshow(values, cmap="cividis", origin="lower", aspect="auto", interpolation="nearest", vmin=0, vmax=1)
    label_axes(ax, xlabel, ylabel)


def _draw_raster(ax: Axes, spikes: npt.NDArray[np.float32], neuron: str = "neuron") -> None:
    steps, neurons = np.nonzero(spikes)
    # Thousands of neurons share a few hundred pixels: thin, translucent dashes show their rate as a shade.
    crowd = spikes.shape[1]
    width, shade = np.clip(250 / crowd, 0.5, 4), np.clip(400 / crowd, 0.1, 1)
    ax.hlines(neurons, steps + 0.6, steps + 1.4, colors=INK, linewidth=float(width), alpha=float(shade))
    ax.set(xlim=(0.5, spikes.shape[0] + 0.5), ylim=(-0.5, spikes.shape[1] - 0.5))
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    label_axes(ax, "time step", neuron)


def draw_hidden(ax: Axes, spikes: npt.NDArray[np.float32]) -> None:
    """Hidden spikes as a bitmap: a spike is black."""
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
    label_axes(ax, "time step", "hidden neuron")


def waveform(samples: Array, rate: int) -> Figure:
    """A sound over its time in seconds; samples [n] at `rate` hertz.

    Example:
        >>> import torch
        >>> waveform(torch.zeros(8000), 8000).axes[0].get_xlabel()
        'time (s)'
    """
    figure = new_figure(6, 1.8)
    draw_waveform(figure.add_subplot(), as_array(samples, (None,), "samples"), rate)
    return figure


def spectrogram(*values: Array, titles: Sequence[str] | None = None, seconds: Sequence[float] | None = None) -> Figure:
    """A spectrogram [C, F] in [0, 1]: low channels at the bottom, time to the right; or several, side by side.

    Args:
        values: the spectrograms.
        titles: one for each.
        seconds: how long each sound lasts that its frames divide.

    Raises:
        InputError: for another shape, or another number of titles or seconds.

    Example:
        >>> import torch
        >>> (ax,) = spectrogram(torch.rand(39, 100), titles=["7"], seconds=[0.42]).axes
        >>> ax.get_xlabel(), ax.get_ylabel()
        ('frame (100 over 0.42 s)', 'channel, low ones below')
    """
    figure = new_figure(6 if len(values) == 1 else 3 * len(values), 2.4)
    axes = _side_by_side(figure, len(values), titles)
    if seconds is not None and len(seconds) != len(values):
        raise InputError(f"Expected {len(values)} lengths, one for each spectrogram, got {len(seconds)}")
    for place, (ax, one) in enumerate(zip(axes, values, strict=True)):
        frame = "frame" if seconds is None else f"frame ({one.shape[-1]} over {seconds[place]:.2f} s)"
        draw_spectrogram(ax, as_array(one, (None, None), "a spectrogram"), frame, "channel, low ones below")
    return figure


def spike_raster(*spikes: Array, titles: Sequence[str] | None = None, neuron: str = "neuron") -> Figure:
    """One dash for each spike of [T, N]: time steps from 1 to T to the right, neurons upwards; or several side by side.

    Args:
        spikes: what each shows.
        titles: one for each.
        neuron: which neurons they are, to stand at the axis.

    Raises:
        InputError: for another shape, or another number of titles.

    Example:
        >>> import torch
        >>> len(spike_raster(torch.eye(5)).axes[0].collections[0].get_segments())
        5
    """
    figure = new_figure(6 if len(spikes) == 1 else 3 * len(spikes), 3)
    for ax, one in zip(_side_by_side(figure, len(spikes), titles), spikes, strict=True):
        _draw_raster(ax, as_array(one, (None, None), "spikes"), neuron)
    return figure


def _side_by_side(figure: Figure, count: int, titles: Sequence[str] | None) -> list[Axes]:
    """Axes in a row, each with its title."""
    if titles is not None and len(titles) != count:
        raise InputError(f"Expected {count} titles, one for each, got {len(titles)}")
    axes = [figure.add_subplot(1, count, place) for place in range(1, count + 1)]
    for ax, title in zip(axes, titles or (), strict=False):
        title_axes(ax, title)
    return axes


def first_spikes(layers: Mapping[str, Array], never: float | None = None) -> Figure:
    """When each neuron of each layer fires, at most once: a row of dots for each layer, one sample.

    Args:
        layers: times by the layers' names, from input to output.
        never: the time that stands for a silent neuron, beside inf.

    Shape:
        each [N].

    Returns:
        A figure with an axes for each layer; its title counts those that fire.

    Raises:
        InputError: for another shape, or no layer.

    Example:
        >>> import torch
        >>> figure = first_spikes({"input": torch.tensor([0.0, 0.5]), "output": torch.tensor([1.0, torch.inf])})
        >>> [ax.get_title() for ax in figure.axes]
        ['input: 2 of 2 fire', 'output: 1 of 2 fire']
    """
    if not layers:
        raise InputError("Expected the times of at least one layer, got none")
    times = {name: as_array(one, (None,), f"the times of {name!r}") for name, one in layers.items()}
    fires = {name: np.isfinite(one) & (one != (np.inf if never is None else never)) for name, one in times.items()}
    last = max([one[fires[name]].max(initial=0) for name, one in times.items()]) or 1
    figure = new_figure(6, 1.6 * len(times))
    for number, (name, one) in enumerate(times.items(), start=1):
        ax = figure.add_subplot(len(times), 1, number)
        neurons = np.flatnonzero(fires[name])
        ax.scatter(one[neurons], neurons, s=float(np.clip(600 / len(one), 1, 20)), color=INK, linewidths=0)
        ax.set(xlim=(-0.02 * last, 1.02 * last), ylim=(-0.5, len(one) - 0.5))
        label_axes(ax, "time" if number == len(times) else "", "neuron")
        title_axes(ax, f"{name}: {len(neurons)} of {len(one)} fire")
    return figure


def hidden_map(spikes: Array) -> Figure:
    """Hidden spikes [T_h, N] as the bitmap that is stored: a spike is black.

    Example:
        >>> import torch
        >>> hidden_map(torch.eye(15, 196)).axes[0].images[0].get_array().shape
        (196, 15)
    """
    figure = new_figure(3, 3)
    draw_hidden(figure.add_subplot(), as_array(spikes, (None, None), "hidden spikes"))
    return figure


def word_to_image(
    samples: Array,
    rate: int,
    spectrogram: Array,
    input_spikes: Array,
    hidden: Array,
    image: Array,
    target: Array | None = None,
    title: str = "",
) -> Figure:
    """What becomes of a word: waveform, spectrogram, input spikes, hidden spikes, image, side by side.

    Shape:
        samples [n], spectrogram [C, F], input_spikes [T, N], hidden [T, H], image and target [H, W] or [1, H, W],
        or [3, H, W] in colour.

    Returns:
        A figure with five axes, or six with a target.

    Raises:
        InputError: for another shape.

    Example:
        >>> import torch
        >>> spikes = torch.eye(30)
        >>> figure = word_to_image(
        ...     torch.zeros(800), 8000, torch.rand(39, 100), spikes, spikes, torch.rand(28, 28), title="seven"
        ... )
        >>> [ax.get_title() for ax in figure.axes]
        ['waveform', 'spectrogram', 'input spikes', 'hidden spikes', 'image']
    """
    pictures = [("image", image)] + ([] if target is None else [("target", target)])
    figure = new_figure(13, 2.5)
    axes = figure.subplots(1, 4 + len(pictures), width_ratios=[1.2, 1.2, 1, 1] + [1] * len(pictures))
    draw_waveform(axes[0], as_array(samples, (None,), "samples"), rate)
    draw_spectrogram(axes[1], as_array(spectrogram, (None, None), "a spectrogram"))
    _draw_raster(axes[2], as_array(input_spikes, (None, None), "input spikes"))
    draw_hidden(axes[3], as_array(hidden, (None, None), "hidden spikes"))
    for ax, name in zip(axes, ("waveform", "spectrogram", "input spikes", "hidden spikes"), strict=False):
        title_axes(ax, name)
    for ax, (name, picture) in zip(axes[4:], pictures, strict=True):
        draw_image(ax, as_images(picture[None], name)[0], name)
    if title:
        figure.suptitle(title, fontsize=11, color=INK)
    return figure
