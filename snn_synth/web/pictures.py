"""Pictures of the page, each inside its HTML: no file is written, and none is asked for by another request."""

import base64
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from html import escape

import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from snn_synth import plot
from snn_synth.experiments.hearing import UNSURE, Heard
from snn_synth.web.show import Redrawn, Word

DIGITS = [str(digit) for digit in range(10)]

# matplotlib is not made for several threads, and would keep fonts open for each that it has seen.
_plotting = ThreadPoolExecutor(1, "plotting")


def address_of(image: Tensor) -> str:
    """An image in [0, 1], ``[H, W]`` or ``[C, H, W]``, as the address of a picture that holds itself.

    Example:
        >>> address_of(torch.zeros(2, 2))[:22]
        'data:image/png;base64,'
    """
    content, pixels = io.BytesIO(), (255 * image.clamp(0, 1)).round().to(torch.uint8)
    if pixels.dim() == 3:
        pixels = pixels.movedim(0, 2) if len(pixels) == 3 else pixels[0]
    Image.fromarray(pixels.cpu().numpy()).save(content, format="PNG")
    return _address(content)


def _plotted(figure: Figure, width: float, height: float) -> str:
    """In inches; as narrow as a phone, so that its words can be read there."""
    figure.set_size_inches(width, height)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=160)
    return _address(content)


def _address(content: io.BytesIO) -> str:
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def figure(address: str, caption: str, kind: str = "") -> str:
    """A picture with its caption, which is read aloud, too."""
    said = escape(caption)
    return f'<figure class="{kind}"><img src="{address}" alt="{said}"><figcaption>{said}</figcaption></figure>'


def figures(*parts: str, kind: str = "") -> str:
    """Pictures side by side, or below each other where there is no space."""
    return f'<div class="figures {kind}">{"".join(parts)}</div>'


def sentence(text: str, wrong: bool = False) -> str:
    """What the page says, for everyone: a screen reader says it when it changes."""
    return f'<p role="status" class="said{" wrong" if wrong else ""}">{escape(text)}</p>'


def said(heard: Heard) -> str:
    """What was heard, as a sentence.

    Example:
        >>> said(Heard([{"label": "7", "probability": 0.987}], ["clipped: 3 % of the samples are at full scale"]))
        'It drew the digit 7 (probability 0.98). Clipped: 3 % of the samples are at full scale.'
    """
    doubts = "".join(f" {one[:1].upper()}{one[1:]}." for one in heard.warnings)
    digits = "" if set(heard.labels) - set(DIGITS) else "the digit " if len(heard.labels) == 1 else "the digits "
    return f"It drew {digits}{heard.drawn}.{doubts}"


def invitation(labels: Sequence[str]) -> str:
    """What a visitor may say.

    Example:
        >>> invitation(["yes", "no"])
        'Say one of yes, no; the network draws it.'
    """
    word = "an English digit from 0 to 9" if list(labels) == DIGITS else f"one of {', '.join(labels)}"
    return f"Say {word}; the network draws it."


def only(labels: Sequence[str]) -> str:
    """What the network does with everything that it does not know.

    Example:
        >>> only(["yes", "no"])[:58]
        'It always draws one of yes, no, even for other words or no'
    """
    known = "the ten digits" if list(labels) == DIGITS else ", ".join(labels)
    return (
        f"It always draws one of {known}, even for other words or noise, and may report a high probability when it is "
        "wrong. If a word is drawn wrong, say it again: close to the microphone, in a quiet place, with 0.2 s of pause "
        "between words."
    )


def probabilities(heard: Heard) -> str:
    """A table of bars: a row for each digit, a column for each word."""
    rows = []
    for label in heard.words[0]["probabilities"]:
        cells = []
        for word in heard.words:
            share = word["probabilities"][label]
            best = ' class="best"' if label == word["label"] and share >= UNSURE else ""
            cells.append(f'<td{best}><i style="width:{100 * share:.1f}%"></i><span>{100 * share:.1f} %</span></td>')
        rows.append(f'<tr><th scope="row">{escape(label)}</th>{"".join(cells)}</tr>')
    return f'<table class="sure"><caption>how probable each digit is</caption>{"".join(rows)}</table>'


def still(word: Word) -> str:
    """Waveform, spectrogram and hidden spikes of a word, which do not move."""
    return _plotting.submit(_still, word).result()


def _still(word: Word) -> str:
    wave, picture = plot.waveform(word.waveform, word.sample_rate), plot.spectrogram(word.spectrogram)
    shown = figure(_plotted(wave, 4, 1.6), "waveform: amplitude over seconds")
    shown += figure(_plotted(picture, 4, 2.2), "spectrogram: mel channels, low ones below, over frames")
    return figures(f"<div>{shown}</div>", _hidden(word.stages.hidden[:, 0]), kind="wide")


def _hidden(spikes: Tensor) -> str:
    caption = f"hidden spikes of {spikes.shape[1]} neurons over time steps"
    return figure(_plotted(plot.hidden_map(spikes), 3.4, 3.6), caption)


def still_drawing(image: Tensor, redrawn: Redrawn, others: dict[str, Tensor]) -> str:
    """Hidden spikes of a drawing, and what networks of other papers make of it."""
    hidden = _plotting.submit(_hidden, redrawn.hidden).result()
    small = [figure(address_of(image[0]), "as the network sees it", "pixels")]
    small += [figure(address_of(one), f"through {name}", "pixels") for name, one in others.items()]
    return figures(*small, kind="small") + figures(hidden, kind="wide")


def moving(images: list[Tensor], spikes: list[Tensor], step: int, steps: int) -> str:
    """Image and input spikes of each word at a time step."""
    shown = []
    for image, fired in zip(images, spikes, strict=True):
        shown.append(figure(address_of(image), f"image after step {step} of {steps}", "pixels"))
        if len(images) == 1:
            shown.append(figure(address_of(1 - fired.flip(0)), f"input spikes of step {step}", "pixels"))
    return figures(*shown, kind="moving" if len(images) == 1 else "small")


def grid(images: Tensor) -> str:
    """Ten new digits."""
    return figures(
        *(figure(address_of(one), f"new digit {k}", "pixels") for k, one in enumerate(images, 1)), kind="small"
    )
