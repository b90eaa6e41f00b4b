"""The axes of the static page's canvases, on a phone: each tick stands at its value's place."""

import pytest
import soundfile

from snn_synth.experiments.synthesis import load, read_recording
from tests.web.pages import PHONE, TRY_STATUS, open_try

# Name, colours, size and ticks (value, place as a share of the canvas) of an axis.
AXIS = """((canvas, axis) => {
  const frame = canvas.getBoundingClientRect(), part = (kind) => canvas.parentElement.querySelector(`.${axis}-${kind}`);
  const place = ({ left, right, top, bottom }) => axis === "x" ? ((left + right) / 2 - frame.left) / frame.width
    : (frame.bottom - (top + bottom) / 2) / frame.height;
  const name = getComputedStyle(part("name")), caption = getComputedStyle(canvas.closest("figure").lastElementChild);
  return {
    name: part("name").innerText, colours: [name.color, caption.color], size: parseFloat(name.fontSize),
    ticks: [...part("ticks").children].map((one) => [Number(one.innerText), place(one.getBoundingClientRect())]),
  };
})"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_tick_stands_at_its_value(chromium, try_page, words, scheme):
    seconds = soundfile.info(words[7]).duration
    ((start, end),) = read_recording(load("fsdd").model, words[7]).words
    sound, channel = ("time (s)", start, end), ("frequency channel", -0.5, 38.5)
    expected = {  # of x and y: the name, the values at the edges
        "wave": (("time (s)", 0, seconds), ("amplitude", -1, 1)),
        "spectrogram": (sound, channel),
        "input": (sound, channel),
        "hidden": (("time step", 0.5, 30.5), ("hidden neuron", -0.5, 195.5)),
    }
    with chromium() as browser:
        browser.resize(*PHONE)
        browser.colours(scheme, reduced_motion=True)
        open_try(browser, try_page)
        browser.upload("#file", words[7])
        browser.wait(f"{TRY_STATUS}.startsWith('It drew')")
        assert browser.fits()
        for canvas, sides in expected.items():
            for axis, (name, low, high) in zip("xy", sides, strict=True):
                found = browser.run(f"{AXIS}(document.getElementById('{canvas}'), '{axis}')")
                assert found["name"] == name
                assert found["colours"][0] == found["colours"][1], "as readable as the caption"
                assert found["size"] >= 12
                assert 3 <= len(found["ticks"]) <= 7
                for value, place in found["ticks"]:
                    assert place == pytest.approx((value - low) / (high - low), abs=0.02)
