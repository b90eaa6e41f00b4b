"""The page, in Gradio: three tabs over the functions of ``show``."""

import base64
import time
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import torch

from snn_synth.errors import InputError
from snn_synth.experiments.synthesis import Source
from snn_synth.models import AESNN, AudioToImage
from snn_synth.web import pictures, show
from snn_synth.web.uploads import LIFETIME

HERE = Path(__file__).parent
FRAME = 0.08  # seconds that a time step is shown
SIDE = 56  # of a drawing that canvas.js hands over
SESSIONS = 200  # that Gradio remembers at most, with 200 kB each: a visitor's drawing is in it, until others came
EMPTY = "<p></p>"
START = pictures.sentence("Record a word, open a sound file or pick a sample.")
STEPS: dict[str, Any] = {"label": "time steps", "info": "how many steps the network runs, each with new input spikes"}
LEAK: dict[str, Any] = {
    "label": "leak",
    "info": "share of its membrane potential that a neuron loses in a time step; trained with 0.1",
}
SOUNDS = [".wav", ".flac", ".ogg", ".mp3"]
CANVAS = """
<p>Draw a digit with a finger or a mouse, or with the arrow keys; the space bar puts the pen down and lifts it.</p>
<canvas width="280" height="280" tabindex="0" role="img" aria-label="paper to draw a digit on"></canvas>
<p><button type="button">Clear</button> <span class="pen" role="status"></span></p>
"""
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


class Page:
    """What the events of the page call.

    Args:
        source: the network that hears.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.autoencoder = AESNN.from_pretrained("mnist-portable")
        self.digits = AudioToImage.from_pretrained("fsdd").gallery

    def sound(self, file: str | None, num_steps: float, leak: float) -> Iterator[tuple[str, str, str, str]]:
        """What is said, the image as it forms, how probable each label is, and the other stages."""
        if file is None:
            yield START, EMPTY, EMPTY, EMPTY
            return
        try:
            shown = show.listen(self.source, Path(file), int(num_steps), leak)
        except InputError as error:
            yield pictures.sentence(f"{error}.", wrong=True), EMPTY, EMPTY, EMPTY
            return
        said, sure = pictures.sentence(pictures.said(shown.heard)), pictures.probabilities(shown.heard)
        below, shape = "".join(pictures.still(word) for word in shown.words), self.source.model.image_shape
        forming = zip(*(show.steps(word.stages.output_spikes[:, 0]) for word in shown.words), strict=True)
        for step, images in enumerate(forming, start=1):
            spikes = [word.stages.input_spikes[step - 1, 0].view_as(word.spectrogram) for word in shown.words]
            moving = pictures.moving([image.view(shape) for image in images], spikes, step, int(num_steps))
            yield said, moving, sure, below
            time.sleep(FRAME)

    def drawing(self, drawn: str, num_steps: float, leak: float) -> Iterator[tuple[str, str, str]]:
        """The same for what canvas.js hands over, or for an image of MNIST by its digit."""
        try:
            image = self.digits[[int(drawn)]] if drawn in set("0123456789") else show.centred(ink(drawn))
            redrawn = show.redraw(self.autoencoder, image, int(num_steps), leak)
        except InputError as error:
            yield pictures.sentence(f"{error}.", wrong=True), EMPTY, EMPTY
            return
        below = pictures.still_drawing(image, redrawn, show.by_other_papers(image))
        said = pictures.sentence("It passed through 196 hidden neurons, and was drawn again from their spikes.")
        for step, forming in enumerate(show.steps(redrawn.output_spikes), start=1):
            spikes = redrawn.input_spikes[step - 1].view(show.SIDE, show.SIDE).flip(0)
            yield said, pictures.moving([forming.view(image.shape[1:])], [spikes], step, int(num_steps)), below
            time.sleep(FRAME)

    def new(self, kind: str, digit: float, seed: float | None) -> tuple[str, float]:
        """Ten new digits, and the next seed."""
        try:
            return pictures.grid(show.new_digits(kind, int(digit), int(seed or 0))), (seed or 0) + 1
        except InputError as error:
            return pictures.sentence(f"{error}.", wrong=True), 0


def build(source: Source, samples: list[Path]) -> gr.Blocks:
    """The page's parts and events.

    Args:
        source: the network that hears.
        samples: a sound file for each of its labels, or none.
    """
    page = Page(source)
    age = (600, int(LIFETIME))  # every ten minutes, uploads that are an hour old are deleted
    blocks = gr.Blocks(title="snn_synth: say a word, see it drawn", analytics_enabled=False, delete_cache=age)
    with blocks:
        invitation = escape(pictures.invitation(source.model.labels or ()))
        gr.HTML(f"<h1>Say a word, see it drawn</h1><p>{invitation}</p>")
        with gr.Tab("Say a word"):
            _speech(page, samples)
        with gr.Tab("Draw a digit"):
            _autoencoder(page)
        with gr.Tab("New digits"):
            _generators(page)
    blocks.queue(default_concurrency_limit=10, api_open=False)
    blocks.state_session_capacity = SESSIONS
    return blocks


def _speech(page: Page, samples: list[Path]) -> None:
    audio = gr.Audio(sources=["microphone"], type="filepath", label="your word", elem_id="sound", buttons=["download"])
    opened = gr.UploadButton("Open a sound file", file_types=SOUNDS, type="filepath", elem_id="open")
    buttons = []
    if samples:
        gr.HTML("<p>or hear a computer's voice say:</p>")
        with gr.Row(elem_id="samples", elem_classes="numbers"):
            buttons = [gr.Button(name, size="sm", min_width=40) for name in page.source.model.labels or ()]
    with gr.Row():
        steps = gr.Slider(*show.STEPS, value=page.source.num_steps, step=1, **STEPS)
        leak = gr.Slider(*show.LEAKS, value=0.1, step=0.01, **LEAK)
    said = gr.HTML(START, elem_id="said")
    gr.HTML(f"<p>{escape(pictures.only(page.source.model.labels or ()))}</p>", elem_id="only")
    with gr.Row():
        with gr.Column(scale=3, min_width=280):
            moving = gr.HTML(EMPTY, elem_id="moving")
        with gr.Column(scale=2, min_width=240):
            sure = gr.HTML(EMPTY, elem_id="sure")
    inputs, outputs = [audio, steps, leak], [said, moving, sure, gr.HTML(EMPTY, elem_id="still")]
    changed = [audio.input, steps.input, leak.input]  # `release` would not hear the keyboard
    gr.on(changed, page.sound, inputs, outputs, trigger_mode="always_last", **QUIET)
    opened.upload(lambda path: path, opened, audio, **QUIET).then(page.sound, inputs, outputs, **QUIET)
    for button, file in zip(buttons, samples, strict=True):
        taken = button.click(lambda path=str(file): path, None, audio, **QUIET)
        taken.then(page.sound, inputs, outputs, **QUIET)


def _autoencoder(page: Page) -> None:
    drawn = gr.State("")
    canvas = gr.HTML("", html_template=CANVAS, js_on_load=(HERE / "canvas.js").read_text(), elem_id="canvas")
    send = gr.Button("Send it through the autoencoder", variant="primary", elem_id="redraw")
    gr.HTML("<p>or an image of MNIST:</p>")
    with gr.Row(elem_id="images", elem_classes="numbers"):
        images = [gr.Button(str(digit), size="sm", min_width=40) for digit in range(10)]
    with gr.Row():
        steps = gr.Slider(*show.STEPS, value=15, step=1, **STEPS)
        leak = gr.Slider(*show.LEAKS, value=0.1, step=0.01, **LEAK)
    inputs, outputs = [drawn, steps, leak], [gr.HTML(EMPTY) for _ in range(3)]
    gr.on([steps.input, leak.input], page.drawing, inputs, outputs, trigger_mode="always_last", **QUIET)
    send.click(lambda given: given or "", canvas, drawn, **QUIET).then(page.drawing, inputs, outputs, **QUIET)
    for digit, button in enumerate(images):
        taken = button.click(lambda digit=str(digit): digit, None, drawn, **QUIET)
        taken.then(page.drawing, inputs, outputs, **QUIET)


def _generators(page: Page) -> None:
    with gr.Row():
        kind = gr.Radio(list(show.GENERATORS), value=next(iter(show.GENERATORS)), label="network")
        digit = gr.Slider(0, 9, value=3, step=1, label="digit")
        seed = gr.Number(0, precision=0, label="seed of the random numbers", minimum=0)
    more = gr.Button("Draw new ones", variant="primary", elem_id="more")
    more.click(page.new, [kind, digit, seed], [gr.HTML(EMPTY, elem_id="new"), seed], **QUIET)


def ink(drawing: str) -> torch.Tensor:
    """Strokes in [0, 1], ``[56, 56]``, of what canvas.js hands over: bytes in base64, 255 where nothing was drawn.

    Raises:
        InputError: for anything else.
    """
    try:
        content = np.frombuffer(base64.b64decode(drawing, validate=True), np.uint8)
    except (ValueError, TypeError):
        content = np.zeros(0, np.uint8)
    if len(content) != SIDE**2:
        raise InputError("Expected a drawing, got an empty canvas")
    return 1 - torch.from_numpy(content.copy()).float().view(SIDE, SIDE) / 255
