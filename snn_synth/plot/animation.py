"""An image forming over the time steps, alone or beside the word that it is drawn from, as a GIF."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from snn_synth.errors import InputError
from snn_synth.files import atomic_write
from snn_synth.plot.figure import FAINT, INK, Array, as_array, as_images, new_figure, title_axes
from snn_synth.plot.images import draw_image
from snn_synth.plot.signals import draw_hidden, draw_spectrogram, draw_waveform

SIDE = 224  # of a frame of an animation, about
CAPTION = 20  # height of its caption


def image_forming(output_spikes: Array, image_shape: Sequence[int] = (1, 28, 28)) -> list[Image.Image]:
    r"""Frames of the image forming: after step t, each pixel shows the spikes it has fired so far.

    .. math:: I_t = \frac{\sum_{s \le t} A[s]}{\max_i \sum_{s \le T} A_i[s]}

    Args:
        output_spikes: of the network that draws the image.
        image_shape: channels (1, or 3 for colour), height and width.

    Shape:
        output_spikes: [T, C * H * W].

    Returns:
        T frames, each pixel as large as fits into 224 x 224, the time step written below.

    Raises:
        InputError: for another shape.

    Example:
        >>> import torch
        >>> frames = image_forming(torch.ones(15, 784))
        >>> len(frames), frames[0].size
        (15, (224, 244))
    """
    channels, height, width = image_shape
    spikes = as_array(output_spikes, (None, channels * height * width), "output spikes")
    steps, zoom = len(spikes), max(1, SIDE // max(height, width))
    counts = spikes.cumsum(axis=0)
    values = (255 * counts / max(counts[-1].max(), FAINT * steps)).round().astype(np.uint8)
    shown = as_images(values.reshape(steps, channels, height, width)).astype(np.uint8)
    frames = []
    for t, pixels in enumerate(shown.repeat(zoom, axis=1).repeat(zoom, axis=2), start=1):
        image = Image.fromarray(pixels)
        frame = Image.new(image.mode, (width * zoom, height * zoom + CAPTION), "white")
        frame.paste(image, (0, 0))
        where = (width * zoom / 2, height * zoom + CAPTION / 2)
        ImageDraw.Draw(frame).text(where, f"t = {t} of {steps}", "#404040", ImageFont.load_default(12), anchor="mm")
        frames.append(frame)
    return frames


def word_forming(
    samples: Array,
    rate: int,
    spectrogram: Array,
    hidden: Array,
    output_spikes: Array,
    image_shape: Sequence[int] = (1, 28, 28),
    word: str = "",
) -> list[Image.Image]:
    """Frames of a spoken word becoming an image: at step t, the hidden spikes and the image of the steps until then.

    Args:
        samples: of the sound.
        rate: its sample rate in Hz.
        spectrogram: of the word.
        hidden: spikes that the audiocoder makes of it.
        output_spikes: spikes of the decoder.
        image_shape: channels (1, or 3 for colour), height and width.
        word: title of the sound.

    Shape:
        samples [n], spectrogram [C, F], hidden [T, H], output_spikes [T, C * H * W].

    Returns:
        T frames of 960 x 264 pixels.

    Raises:
        InputError: for another shape, or spikes of different numbers of time steps.

    Example:
        >>> import torch
        >>> spikes = torch.ones(15, 196)
        >>> frames = word_forming(torch.zeros(800), 8000, torch.rand(39, 100), spikes, torch.ones(15, 784))
        >>> len(frames), frames[0].size
        (15, (960, 264))
    """
    channels, height, width = image_shape
    spikes = as_array(output_spikes, (None, channels * height * width), "output spikes")
    code = as_array(hidden, (len(spikes), None), "hidden spikes")
    drawn = as_images((spikes.cumsum(axis=0) / len(spikes)).reshape(len(spikes), *image_shape), "output spikes")
    figure = new_figure(9.6, 2.64)
    axes = figure.subplots(1, 4, width_ratios=[1.3, 1.3, 1.1, 1])
    draw_waveform(axes[0], as_array(samples, (None,), "samples"), rate)
    draw_spectrogram(axes[1], as_array(spectrogram, (None, None), "a spectrogram"))
    draw_hidden(axes[2], code)
    draw_image(axes[3], drawn[-1])
    for ax, title in zip(axes, (word or "a word", "spectrogram", "hidden spikes", "image"), strict=True):
        title_axes(ax, title)
    raster, picture = axes[2].images[0], axes[3].images[0]
    frames = []
    for t in range(1, len(spikes) + 1):
        raster.set_data(np.where(np.arange(len(code)) < t, code.T, 0))
        picture.set_data(drawn[t - 1])
        axes[3].set_xlabel(f"step {t} of {len(spikes)}", fontsize=9, color=INK)
        frames.append(_rendered(figure))
    return frames


def _rendered(figure: Figure) -> Image.Image:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")  # type: ignore[no-untyped-call]


def side_by_side(animations: Sequence[Sequence[Image.Image]]) -> list[Image.Image]:
    """Animations of as many frames, of one height, as one: those of the words of a recording.

    Example:
        >>> import torch
        >>> frames = side_by_side([image_forming(torch.ones(15, 784))] * 3)
        >>> len(frames), frames[0].size
        (15, (672, 244))
    """
    joined = []
    for frames in zip(*animations, strict=True):
        frame = Image.new(frames[0].mode, (sum(one.width for one in frames), frames[0].height), "white")
        for place, one in enumerate(frames):
            frame.paste(one, (sum(before.width for before in frames[:place]), 0))
        joined.append(frame)
    return joined


def save_animation(frames: Sequence[Image.Image], path: str | Path, frame_ms: int = 120, last_ms: int = 2000) -> None:
    """Write frames as a GIF that repeats, the last frame held longer; whole or not at all.

    Example:
        >>> import torch
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "forming.gif"
        >>> save_animation(image_forming(torch.eye(15, 784)), path)
        >>> with Image.open(path) as saved:
        ...     saved.n_frames
        15
    """
    if not frames:
        raise InputError("Expected at least one frame to animate, got none")
    first, *others = frames
    durations = [frame_ms] * len(others) + [last_ms]
    with atomic_write(path) as partial:
        first.save(partial, format="GIF", save_all=True, append_images=others, duration=durations, loop=0)
