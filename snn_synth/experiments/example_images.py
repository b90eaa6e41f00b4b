"""Coloured shapes to try a training on images of one's own with: what ``snn-synth example images`` writes."""

import io
import math

import numpy as np
from PIL import Image, ImageDraw

KINDS = {"circles": 40, "squares": 4, "triangles": 3, "stars": 10}  # and their corners
COUNT = 50  # of each kind
SIDE = 64  # pixels
FINE = 4  # times finer, while it is drawn, to have smooth edges


def draw(kind: str, random: np.random.Generator) -> Image.Image:
    """A bright shape on a dark ground: place, size, turn and colours at random.

    Args:
        kind: one of ``KINDS``.
        random: draws them.

    Returns:
        RGB, 64 x 64 pixels.

    Example:
        >>> draw("stars", np.random.default_rng(0)).size
        (64, 64)
    """
    side = FINE * SIDE
    image = Image.new("RGB", (side, side), tuple(map(int, random.integers(0, 60, 3))))
    x, y = side * random.uniform(0.38, 0.62, 2)
    radius, turn, corners = side * random.uniform(0.2, 0.36), random.uniform(0, math.tau), KINDS[kind]
    points = []
    for corner in range(corners):
        reach = radius * (0.45 if kind == "stars" and corner % 2 else 1)
        angle = turn + math.tau * corner / corners
        points.append((x + reach * math.cos(angle), y + reach * math.sin(angle)))
    ImageDraw.Draw(image).polygon(points, tuple(map(int, random.integers(90, 256, 3))))
    return image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def as_png(image: Image.Image) -> bytes:
    """An image as the content of a PNG file.

    Example:
        >>> as_png(Image.new("L", (2, 2)))[1:4]
        b'PNG'
    """
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def example_images() -> dict[str, bytes]:
    """Fifty drawings of each kind, in a folder of its name: the files by their paths.

    Example:
        >>> files = example_images()
        >>> len(files), next(iter(files))
        (200, 'circles/00.png')
    """
    random = np.random.default_rng(0)
    return {f"{kind}/{number:02}.png": as_png(draw(kind, random)) for kind in KINDS for number in range(COUNT)}
