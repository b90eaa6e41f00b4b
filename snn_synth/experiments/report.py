"""The demo's report: one HTML file that holds its pictures and sounds, without scripts or anything from elsewhere."""

import base64
import io
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from snn_synth.files import atomic_write

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 1080px; margin: 2.5rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.7rem; margin-bottom: .2rem; } h2 { font-size: 1.2rem; margin: 2.6rem 0 .3rem; }
p { max-width: 46rem; } img { max-width: 100%; height: auto; } .lead { color: #555; }
table { border-collapse: collapse; margin: 1rem 0; } td, th { padding: .3rem 1.2rem .3rem 0; text-align: right; }
th { font-weight: 600; border-bottom: 1px solid #bbb; } td:first-child, th:first-child { text-align: left; }
.word { display: flex; align-items: center; gap: 1rem; border-top: 1px solid #ddd; padding: .8rem 0; }
.word > img { width: 78%; } .word > div { width: 20%; text-align: center; }
.word div img { width: 9rem; image-rendering: pixelated; } audio { width: 100%; }
.good { background: #f3f6f9; border-left: 4px solid #0072B2; padding: .6rem 1.2rem; }
footer { color: #777; font-size: .85rem; margin-top: 3rem; }
"""


KINDS = {".png": "image/png", ".gif": "image/gif", ".wav": "audio/wav"}
KEYS = ("audio_to_image", "ann")  # of what was measured, in the order of the table's columns
COLOURS = 128  # of a picture: a third of its size, and no eye sees it


def write_report(path: Path, metrics: dict[str, Any], sections: list[dict[str, Any]]) -> None:
    """Write the page.

    Args:
        path: of the page.
        metrics: what ``metrics.json`` holds.
        sections: each with ``title``, ``text``, and ``pictures`` (files) or ``words`` (``word`` and the files
            ``picture``, ``animation``, ``sound``), or both.
    """
    body = "\n".join([_figures(metrics), _good_for(metrics), *map(_section, sections), _seconds(metrics)])
    page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>snn_synth: speech to image</title><style>{STYLE}</style></head><body>
<h1>Speech to image with spiking neurons</h1>
<p class="lead">A spoken digit goes in as spikes, an image of it comes out as spikes: the audiocoder and autoencoder of
Roy, Panda &amp; Roy (2019), trained in this run.</p>
{body}
</body></html>
"""
    with atomic_write(path) as draft:
        draft.write_text(page)


def embedded(path: Path) -> str:
    """A file as a ``data:`` URI; a PNG with a palette instead of true colour.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "dot.png"
        >>> Image.new("L", (1, 1)).save(path)
        >>> embedded(path)[:30]
        'data:image/png;base64,iVBORw0K'
    """
    content = path.read_bytes()
    if path.suffix == ".png":
        buffer = io.BytesIO()
        with Image.open(path) as picture:
            picture.convert("RGB").quantize(COLOURS).save(buffer, format="PNG", optimize=True)
        content = buffer.getvalue()
    return f"data:{KINDS[path.suffix]};base64,{base64.b64encode(content).decode()}"


def _figures(metrics: dict[str, Any]) -> str:
    a2i, ann, unheard, real = (metrics[name] for name in ("audio_to_image", "ann", "held_out_voices", "real_voices"))
    groups = [
        ("Synthetic voices, heard in training", {"audio_to_image": a2i, "ann": ann}, metrics["test_utterances"]),
        ("Synthetic voices, never heard", unheard, unheard["utterances"]),
        *((f"The same, {name}", found, found["utterances"]) for name, found in metrics["noise"].items()),
        *([] if real is None else [("Real people, never heard (FSDD)", real, real["utterances"])]),
    ]
    cells = "\n".join(
        f"<tr><td>{escape(name)}</td>"
        + "".join(f"<td>{found[k]['nearest_class']:.1%}</td><td>{found[k]['standardized_mse']:.3f}</td>" for k in KEYS)
        + f"<td>{count}</td></tr>"
        for name, found, count in groups
    )
    return f"""<table><tr><th></th><th colspan="2">spiking</th><th colspan="2">conventional (ANN)</th><th></th></tr>
<tr><th>on test data</th><th>right</th><th>MSE</th><th>right</th><th>MSE</th><th>words</th></tr>
{cells}
<tr><td>Images, autoencoder alone</td><td></td><td>{metrics["autoencoder"]["standardized_mse"]:.3f}</td><td></td>
<td>{ann["autoencoder_standardized_mse"]:.3f}</td><td></td></tr></table>
<p>A word is right if its image is nearest to that of its own digit. MSE is the paper's: image and output are given zero
mean and unit variance first, so 0 is perfect and a blank output scores 1. The paper reports 0.254 for this task on its
own recordings (TI-46), and 0.144 for an ANN.</p>"""


def _good_for(metrics: dict[str, Any]) -> str:
    def right(found: dict[str, Any]) -> str:
        return f"{found['audio_to_image']['nearest_class']:.0%}"

    real = metrics["real_voices"]
    people = (
        "Words of real people were not at hand to measure: set SNN_SYNTH_DATA to a folder that has FSDD."
        if real is None
        else f"Of {real['utterances']} words of six real people, {right(real)} are right: it has heard synthetic "
        "voices alone."
    )
    noises = ", ".join(f"{right(found)} with {name}" for name, found in metrics["noise"].items())
    return f"""<div class="good"><h2 style="margin-top:.4rem">What this network is good for</h2>
<p>English digits, one word at a time, said by espeak-ng's synthetic voices: {right(metrics)} of the words are right by
voices that it was trained on, {right(metrics["held_out_voices"])} by voices it never heard, and of these still
{escape(noises)}.</p>
<p>What it is not good for: {escape(people)} Other words, other languages, several people at once: whatever is said, it
draws a digit. For your own voice take the network that comes with the package, which was trained on people:
<code>snn-synth synthesize --out pictures FILE.wav</code></p></div>"""


def _section(section: dict[str, Any]) -> str:
    words = "\n".join(
        f'<div class="word"><img src="{embedded(w["picture"])}" alt="the way of the word {escape(w["word"])}">'
        f'<div><img src="{embedded(w["animation"])}" alt="the image forming over time">'
        f'<audio controls src="{embedded(w["sound"])}"></audio></div></div>'
        for w in section.get("words", [])
    )
    pictures = "\n".join(
        f'<img src="{embedded(path)}" alt="{escape(section["title"])}">' for path in section.get("pictures", [])
    )
    return f"<h2>{escape(section['title'])}</h2>\n<p>{escape(section['text'])}</p>\n{words}\n{pictures}"


def _seconds(metrics: dict[str, Any]) -> str:
    rows = "\n".join(f"<tr><td>{escape(k)}</td><td>{v:.1f}</td></tr>" for k, v in metrics["seconds"].items())
    versions = ", ".join(f"{escape(name)} {escape(v)}" for name, v in metrics["versions"].items())
    return f"""<h2>Time</h2><table><tr><th>stage</th><th>seconds</th></tr>
{rows}</table>
<footer><code>{escape(metrics["command"])}</code> · {versions}</footer>"""
