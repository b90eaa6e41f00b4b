"""Spoken words and drawings of them, to try a training on one's own with: what ``snn-synth example words`` writes."""

import io
import math

import numpy as np
import soundfile
from PIL import Image, ImageDraw

from snn_synth.data.espeak import speak
from snn_synth.experiments.example_images import as_png

VOICES = ("en-us+m1", "en+f2", "en-us+f3", "en+m4", "en-us+m5")
OTHER_VOICE = "en-us+f1"
TAKES = 3  # of each word by each voice
COUNT = 50  # drawings of each word
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


def drawings() -> dict[str, bytes]:
    """Drawings of each word, at places and of sizes that a seed draws: PNG files by their paths.

    Example:
        >>> files = drawings()
        >>> len(files), next(iter(files))
        (200, 'cat/0.png')
    """
    random, files = np.random.default_rng(0), {}
    for word, draw in WORDS.items():
        for number in range(COUNT):
            image = Image.new("L", (SIDE, SIDE))
            x, y = random.uniform(SIDE / 2 - 8, SIDE / 2 + 8, 2)
            draw(ImageDraw.Draw(image), x, y, random.uniform(26, 36))
            files[f"{word}/{number}.png"] = as_png(image)
    return files


def recordings(voice: str, takes: int, name: str) -> dict[str, bytes]:
    """What a voice says, at speeds and pitches that a seed draws: WAV files by their paths.

    Args:
        voice: of espeak-ng.
        takes: of each word.
        name: a path, with the word and the number of the take in braces.

    Raises:
        InputError: if espeakng-loader is not installed (extra `demo`).

    Example:
        >>> list(recordings("en-us+f1", 1, "{word}-{take}.wav"))
        ['cat-0.wav', 'dog-0.wav', 'sun-0.wav', 'tree-0.wav']
    """
    random = np.random.default_rng(list(voice.encode()))
    lines = [(word, take) for word in WORDS for take in range(takes)]
    job = [[word, *map(int, random.integers((130, 30, 30), (220, 70, 70)))] for word, _ in lines]
    rate, spoken = speak({"voice": voice, "takes": job})
    files = {}
    for (word, take), samples in zip(lines, spoken, strict=True):
        content = io.BytesIO()
        soundfile.write(content, samples, rate, format="WAV")
        files[name.format(word=word, take=take)] = content.getvalue()
    return files


def example_words() -> dict[str, bytes]:
    """All files by their paths.

    ``sounds``: 15 recordings of each word by five voices; ``images``: 50 drawings of each; ``new``: a recording of each
    by a voice that is not among the five.

    Raises:
        InputError: if espeakng-loader is not installed (extra `demo`).

    Example:
        >>> len(example_words())
        264
    """
    files = {f"images/{path}": content for path, content in drawings().items()}
    for voice in VOICES:
        files |= recordings(voice, TAKES, f"sounds/{{word}}/{voice}/{{take}}.wav")
    return files | recordings(OTHER_VOICE, 1, "new/{word}.wav")
