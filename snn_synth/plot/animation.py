"""The image forming over the time steps, as a GIF."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from snn_synth.errors import InputError
from snn_synth.files import atomic_write
from snn_synth.plot.figure import FAINT, PIXELS, Array, as_array

ZOOM = 8  # of a frame of an animation
CAPTION = 20  # height of its caption


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
        >>> import torch
        >>> frames = image_forming(torch.ones(15, 784))
        >>> len(frames), frames[0].size
        (15, (224, 244))
    """
    spikes = as_array(output_spikes, (None, PIXELS * PIXELS), "output spikes")
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
