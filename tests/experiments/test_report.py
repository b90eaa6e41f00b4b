import base64
import io
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
from PIL import Image

from snn_synth import plot
from snn_synth.experiments.report import write_report

SCORES = {
    "audio_to_image": {"standardized_mse": 0.1, "nearest_class": 0.97},
    "ann": {"standardized_mse": 0.05, "nearest_class": 0.98},
}
METRICS = {
    **SCORES,
    "ann": SCORES["ann"] | {"autoencoder_standardized_mse": 0.06},
    "autoencoder": {"standardized_mse": 0.09},
    "test_utterances": 550,
    "held_out_voices": {"voices": ["en-us+m3"], **SCORES, "utterances": 520},
    "noise": {"white noise, 10 dB below": {**SCORES, "utterances": 260}},
    "real_voices": None,
    "seconds": {"total": 70.0},
    "versions": {"torch": "2 & 3"},
    "command": "snn-synth demo",
}


class Page(HTMLParser):
    """What a browser would load, the text, and whether tags are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.links, self.tags, self.open, self.words = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "srcset", "data", "poster")]
        assert tag != "img" or dict(attrs).get("alt")
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def content(link):
    kind, _, code = link.partition(";base64,")
    return kind.removeprefix("data:"), io.BytesIO(base64.b64decode(code, validate=True))


@pytest.fixture
def sections(tmp_path):
    noise = np.random.default_rng(0)
    plot.save_figure(plot.image_grid(noise.random((10, 28, 28))), tmp_path / "grid.png")
    plot.save_animation(plot.image_forming(noise.random((15, 784)) < 0.3), tmp_path / "forming.gif")
    soundfile.write(tmp_path / "seven.wav", 0.5 * noise.uniform(-1, 1, 4000), 8000)
    word = {"word": "<seven>", "animation": tmp_path / "forming.gif", "sound": tmp_path / "seven.wav"}
    return [{"title": "A & B", "text": "1 < 2", "words": [word | {"picture": tmp_path / "grid.png"}]}]


def test_the_page_holds_all_that_it_shows(sections, tmp_path):
    write_report(tmp_path / "out" / "report.html", METRICS, sections)
    text = (tmp_path / "out" / "report.html").read_text()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["report.html"]
    page = Page(text)
    assert "://" not in text, "nothing comes from elsewhere"
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert len(page.links) == 3
    for link in page.links:
        kind, file = content(link)
        if kind == "audio/wav":
            assert soundfile.info(file).frames == 4000
        else:
            with Image.open(file) as picture:
                assert kind == f"image/{picture.format.lower()}"
                picture.load()
    assert "<seven>" not in text
    assert "A & B" in page.words


def test_pictures_become_smaller_and_look_the_same(sections, tmp_path):
    write_report(tmp_path / "report.html", METRICS, sections)
    link = next(link for link in Page((tmp_path / "report.html").read_text()).links if "image/png" in link)
    _, file = content(link)
    assert len(file.getvalue()) < 0.7 * (tmp_path / "grid.png").stat().st_size
    with Image.open(file) as shown, Image.open(tmp_path / "grid.png") as drawn:
        difference = np.asarray(shown.convert("L"), float) - np.asarray(drawn.convert("L"), float)
    assert np.abs(difference).max() < 16


def test_it_says_what_the_network_is_good_for(tmp_path):
    write_report(tmp_path / "report.html", METRICS, [])
    said = " ".join(" ".join(Page((tmp_path / "report.html").read_text()).words).split())
    assert "97% of the words are right by voices that it was trained on" in said
    assert "Words of real people were not at hand" in said
    real = {"corpus": "FSDD", **SCORES, "utterances": 300}
    real["audio_to_image"] = {"standardized_mse": 0.5, "nearest_class": 0.61}
    write_report(tmp_path / "report.html", METRICS | {"real_voices": real}, [])
    said = " ".join(" ".join(Page((tmp_path / "report.html").read_text()).words).split())
    assert "Of 300 words of six real people, 61% are right" in said
    assert "Real people, never heard (FSDD) 61.0%" in said.replace(" 0.500", "")
