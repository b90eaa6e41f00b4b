"""The image forming over the time steps, as a GIF."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from snn_synth.errors import InputError
from snn_synth.files import atomic_write
from snn_synth.plot.figure import FAINT, Array, as_array, as_images

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
        >>> Image.open(path).n_frames
        15
    """
    if not frames:
        raise InputError("Expected at least one frame to animate, got none")
    first, *others = frames
    durations = [frame_ms] * len(others) + [last_ms]
    with atomic_write(path) as partial:
        first.save(partial, format="GIF", save_all=True, append_images=others, duration=durations, loop=0)
