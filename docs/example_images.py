"""Draws images to try docs/own-data.md with: python docs/example_images.py FOLDER.

200 pictures in colour, 64 x 64 pixels: 50 circles, squares, triangles and stars, each kind in a folder of its name.
"""

import math
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

KINDS = {"circles": 40, "squares": 4, "triangles": 3, "stars": 10}  # and their corners
SIDE = 64  # pixels
FINE = 4  # times finer, while it is drawn, to have smooth edges


def draw(kind: str, random: np.random.Generator) -> Image.Image:
    """A bright shape on a dark ground: place, size, turn and colours at random."""
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


def main(folder: Path, count: int = 50) -> None:
    """Draw them all."""
    random = np.random.default_rng(0)
    for kind in KINDS:
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            draw(kind, random).save(folder / kind / f"{number:02}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
