"""The page's events and its command, without a browser."""

import base64
import subprocess
import sys

import numpy as np
import pytest
import torch

from snn_synth.cli import main
from snn_synth.experiments.synthesis import load


@pytest.fixture
def page():
    pytest.importorskip("gradio")
    from snn_synth.web import app

    return app.Page(load("fsdd"))


def test_the_image_forms_step_by_step(page, words, monkeypatch):
    monkeypatch.setattr("snn_synth.web.app.FRAME", 0)
    shown = list(page.sound(str(words[5]), 12, 0.1))
    assert len(shown) == 12
    assert len({moving for _, moving, _, _ in shown}) == 12
    assert all("It drew the digit 5" in said for said, *_ in shown)


SESSIONS = """
from gradio.state_holder import StateHolder
from snn_synth.experiments.synthesis import load
from snn_synth.web import app
sessions = StateHolder()
sessions.set_blocks(app.build(load("fsdd"), []))
for number in range(app.SESSIONS + 10):
    sessions[str(number)]
print(len(sessions.session_data))
"""


def test_old_sessions_are_forgotten():
    """Gradio keeps the page's settings for each, 200 kB, and 10,000 sessions if nobody says otherwise."""
    pytest.importorskip("gradio")
    child = subprocess.run([sys.executable, "-c", SESSIONS], capture_output=True, text=True)
    assert child.stdout == "200\n", child.stderr


def test_bad_sounds_and_drawings_become_a_sentence(page, tmp_path):
    (tmp_path / "text.wav").write_text("no sound")
    ((said, *others),) = page.sound(str(tmp_path / "text.wav"), 30, 0.1)
    assert "Expected a sound file" in said
    assert str(tmp_path) not in said
    assert set(others) == {"<p></p>"}
    for drawn in ("", "!", base64.b64encode(bytes(7)).decode(), base64.b64encode(b"\xff" * 56**2).decode()):
        ((said, *_),) = page.drawing(drawn, 15, 0.1)
        assert "Expected a drawing, got an empty canvas" in said


def test_what_the_canvas_hands_over_becomes_ink(page):
    from snn_synth.web.app import ink

    paper = np.full((56, 56), 255, np.uint8)
    paper[10:20, 30:35] = 0
    strokes = ink(base64.b64encode(paper.tobytes()).decode())
    assert torch.equal(strokes.nonzero(), torch.from_numpy(255 - paper).nonzero())


def test_without_gradio_the_command_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr("snn_synth.web.server.find_spec", lambda name: None)
    assert main(["web"]) == 2
    assert capsys.readouterr().err == (
        "snn-synth: error: Expected the package gradio (extra `web`) to serve the page, got none: "
        "pip install 'snn_synth[web]'\n"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--port", "99999"], "Expected an address to listen at, got 127.0.0.1 port 99999"),
        (["--host", "192.0.2.1"], "Expected an address to listen at, got 192.0.2.1 port 7860"),
        (["--share"], "Expected the options of `snn-synth web --help`"),
        (["--checkpoint", "mnist"], "Expected a saved AudioToImage"),
    ],
)
def test_bad_options_are_one_sentence(options, said, capsys):
    pytest.importorskip("gradio")
    assert main(["web", *options]) == 2
    assert said in capsys.readouterr().err


def test_the_functions_need_no_gradio():
    script = "import sys, snn_synth.web.show, snn_synth.web.pictures, snn_synth.cli.web; print('gradio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
