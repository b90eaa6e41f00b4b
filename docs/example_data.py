"""Makes sounds and images to try docs/own-data.md with: python docs/example_data.py FOLDER.

FOLDER/sounds: four words, 15 recordings each, by five voices of espeak-ng (extra `demo`); FOLDER/images: 50 drawings of
each; FOLDER/new: a recording of each by a voice that is not among the five.
"""

import math
import sys
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image, ImageDraw

from snn_synth.data.espeak import speak

VOICES = ("en-us+m1", "en+f2", "en-us+f3", "en+m4", "en-us+m5")
OTHER_VOICE = "en-us+f1"
SIDE = 112  # pixels


def draw_cat(draw: ImageDraw.ImageDraw, x: float, y: float, r: float) -> None:
    """A head with eyes and pointed ears."""
    draw.ellipse([x - r, y - 0.7 * r, x + r, y + r], outline=255, width=7)
    for side in (-r, r):
        draw.polygon(
            [(x + 0.95 * side, y - 1.2 * r), (x + 0.85 * side, y - 0.2 * r), (x + 0.3 * side, y - 0.65 * r)], 255
        )
        draw.ellipse([x + 0.4 * side - 4, y - 4, x + 0.4 * side + 4, y + 4], 255)


def draw_dog(draw: ImageDraw.ImageDraw, x: float, y: float, r: float) -> None:
    """A head with a nose and long ears."""
    draw.ellipse([x - 0.75 * r, y - r, x + 0.75 * r, y + r], 140)
    for side in (-r, r):
        ear = x + 0.95 * side
        draw.ellipse([ear - 0.3 * r, y - 0.9 * r, ear + 0.3 * r, y + 0.6 * r], 255)
    draw.ellipse([x - 7, y + 0.3 * r - 5, x + 7, y + 0.3 * r + 5], 255)


def draw_sun(draw: ImageDraw.ImageDraw, x: float, y: float, r: float) -> None:
    """A disk with eight rays."""
    draw.ellipse([x - 0.6 * r, y - 0.6 * r, x + 0.6 * r, y + 0.6 * r], 255)
    for ray in range(8):
        along, across = math.cos(ray * math.pi / 4), math.sin(ray * math.pi / 4)
        ends = [x + 0.8 * r * along, y + 0.8 * r * across, x + 1.3 * r * along, y + 1.3 * r * across]
        draw.line(ends, 255, width=6)


def draw_tree(draw: ImageDraw.ImageDraw, x: float, y: float, r: float) -> None:
    """A triangle on a trunk."""
    draw.polygon([(x, y - 1.3 * r), (x - r, y + 0.5 * r), (x + r, y + 0.5 * r)], 230)
    draw.rectangle([x - 5, y + 0.5 * r, x + 5, y + 1.3 * r], 255)


WORDS = {"cat": draw_cat, "dog": draw_dog, "sun": draw_sun, "tree": draw_tree}


def write_images(folder: Path, count: int = 50) -> None:
    """Drawings of each word, at places and of sizes that a seed draws."""
    random = np.random.default_rng(0)
    for word, draw in WORDS.items():
        (folder / word).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            image = Image.new("L", (SIDE, SIDE))
            x, y = random.uniform(SIDE / 2 - 8, SIDE / 2 + 8, 2)
            draw(ImageDraw.Draw(image), x, y, random.uniform(26, 36))
            image.save(folder / word / f"{number}.png")


def write_sounds(folder: Path, voice: str, takes: int, name: str) -> None:
    """What a voice says, at speeds and pitches that a seed draws; `name` is that of a file, with its word and take."""
    random = np.random.default_rng(list(voice.encode()))
    lines = [(word, take) for word in WORDS for take in range(takes)]
    job = [[word, *map(int, random.integers((130, 30, 30), (220, 70, 70)))] for word, _ in lines]
    rate, spoken = speak({"voice": voice, "takes": job})
    for (word, take), samples in zip(lines, spoken, strict=True):
        path = folder / name.format(word=word, voice=voice, take=take)
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, rate)


def main(folder: Path) -> None:
    """Write everything."""
    write_images(folder / "images")
    for voice in VOICES:
        write_sounds(folder / "sounds", voice, 3, "{word}/{voice}/{take}.wav")
    write_sounds(folder / "new", OTHER_VOICE, 1, "{word}.wav")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
