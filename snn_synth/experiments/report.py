"""The demo's report: one HTML page beside its pictures, without scripts or anything from elsewhere."""

from html import escape
from pathlib import Path
from typing import Any

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
footer { color: #777; font-size: .85rem; margin-top: 3rem; }
"""


def write_report(path: Path, metrics: dict[str, Any], sections: list[dict[str, Any]]) -> None:
    """Write the page.

    Args:
        path: of the page; the pictures lie beside it.
        metrics: what ``metrics.json`` holds.
        sections: each with ``title``, ``text``, and ``pictures`` (file names) or ``words`` (``word``, ``picture``,
            ``animation``, ``sound``).
    """
    body = "\n".join([_figures(metrics), *map(_section, sections), _seconds(metrics)])
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


def _figures(metrics: dict[str, Any]) -> str:
    a2i, held_out, ann = metrics["audio_to_image"], metrics["held_out_voices"], metrics["ann"]
    rows = [
        ("Speech to image, spiking", a2i, metrics["test_utterances"]),
        ("Speech to image, conventional (ANN)", ann, metrics["test_utterances"]),
        ("Unheard voices, spiking", held_out["audio_to_image"], metrics["held_out_utterances"]),
        ("Unheard voices, conventional (ANN)", held_out["ann"], metrics["held_out_utterances"]),
    ]
    cells = "\n".join(
        f"<tr><td>{escape(name)}</td><td>{scores['mse']:.3f}</td><td>{scores['nearest_class']:.1%}</td>"
        f"<td>{count}</td></tr>"
        for name, scores, count in rows
    )
    return f"""<table><tr><th>on test data</th><th>MSE</th><th>nearest to its own digit</th><th>utterances</th></tr>
{cells}
<tr><td>Autoencoder alone, spiking</td><td>{metrics["autoencoder"]["mse"]:.3f}</td><td></td><td></td></tr>
<tr><td>Autoencoder alone, conventional (ANN)</td><td>{ann["autoencoder_mse"]:.3f}</td><td></td><td></td></tr></table>
<p>MSE is the paper's: image and output are given zero mean and unit variance first, so 0 is perfect and a blank output
scores 1. The paper reports 0.254 for this task on its own recordings (TI-46), and 0.144 for an ANN.</p>"""


def _section(section: dict[str, Any]) -> str:
    pictures = "\n".join(
        f'<img src="{escape(name)}" alt="{escape(section["title"])}">' for name in section.get("pictures", [])
    )
    words = "\n".join(
        f'<div class="word"><img src="{escape(w["picture"])}" alt="the way of the word {escape(w["word"])}">'
        f'<div><img src="{escape(w["animation"])}" alt="the image forming over time">'
        f'<audio controls src="{escape(w["sound"])}"></audio></div></div>'
        for w in section.get("words", [])
    )
    return f"<h2>{escape(section['title'])}</h2>\n<p>{escape(section['text'])}</p>\n{pictures}{words}"


def _seconds(metrics: dict[str, Any]) -> str:
    rows = "\n".join(f"<tr><td>{escape(k)}</td><td>{v:.1f}</td></tr>" for k, v in metrics["seconds"].items())
    versions = ", ".join(f"{escape(name)} {escape(v)}" for name, v in metrics["versions"].items())
    return f"""<h2>Time</h2><table><tr><th>stage</th><th>seconds</th></tr>
{rows}</table>
<footer><code>{escape(metrics["command"])}</code> · {versions}</footer>"""
