"""The static page with recordings of half a minute: the right digits, a page that still answers, and bounded memory."""

import os

import numpy as np
import pytest
import soundfile

from tests.trust.watching import PROC, children, held
from tests.web.conftest import build, chromium, try_page, words  # noqa: F401  (fixtures)
from tests.web.pages import TRY_STATUS, open_try

N = int(os.environ.get("SNN_SYNTH_TRUST", "0"))
RECORDINGS = 3 + N // 20
DIGITS = (3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9)  # two seconds each
MOST = 100_000_000  # bytes that all of Chromium's processes may grow by; a recording decoded at 48 kHz takes 6 million

pytestmark = pytest.mark.slow

# Frames that the browser shows, and the longest time between two of them, in seconds.
WATCH = """(() => {
  const seen = (window.seen = { frames: 0, longest: 0 });
  let last = performance.now();
  requestAnimationFrame(function next(now) {
    seen.frames++;
    seen.longest = Math.max(seen.longest, (now - last) / 1000);
    last = now;
    requestAnimationFrame(next);
  });
})()"""


@pytest.fixture
def recording(words, tmp_path):  # noqa: F811
    """Half a minute in which digits are said, over a steady noise."""
    rate = soundfile.info(words[0]).samplerate
    sound = np.random.default_rng(0).normal(0, 0.001, 30 * rate)
    for place, digit in enumerate(DIGITS):
        word, own = soundfile.read(words[digit])
        assert own == rate
        sound[(2 * place * rate + rate // 2) :][: len(word)] += word
    soundfile.write(tmp_path / "digits.wav", sound, rate)
    return tmp_path / "digits.wav"


@pytest.mark.skipif(not PROC.exists(), reason="needs /proc")
def test_half_a_minute_of_digits(chromium, try_page, recording, tried):  # noqa: F811
    with chromium() as browser:
        browser.colours("light", reduced_motion=True)
        open_try(browser, try_page)
        browser.run(WATCH)
        memory = []
        for _ in range(RECORDINGS):
            browser.run(f"Object.assign(window.seen, {{ frames: 0 }}), {TRY_STATUS} = ''")
            browser.upload("#file", recording)
            said = browser.wait(f"({TRY_STATUS}.startsWith('It drew') ? {TRY_STATUS} : '')", 600)
            assert said.startswith(f"It drew the digits {' '.join(map(str, DIGITS))} (probabilities ")
            # However slow the machine is: between two words the browser can show something.
            assert browser.run("window.seen.frames") >= len(DIGITS) / 2
            browser.send("HeapProfiler.collectGarbage")
            memory.append(held(*children(browser.process.pid))["bytes"])
        tried("recordings of half a minute on the static page", RECORDINGS)
        print(f"longest time without a frame {browser.run('window.seen.longest'):.2f} s; memory {memory}")
        assert memory[-1] - memory[1] < MOST
        assert browser.errors == []


def test_of_two_sounds_the_later_is_shown(chromium, try_page, recording, words, tried):  # noqa: F811
    with chromium() as browser:
        browser.colours("light", reduced_motion=True)
        open_try(browser, try_page)
        browser.upload("#file", recording)
        browser.upload("#file", words[7])
        assert browser.wait(f"({TRY_STATUS}.startsWith('It drew') ? {TRY_STATUS} : '')", 600).startswith(
            "It drew the digit 7 (probability "
        )
        browser.run("new Promise((go) => setTimeout(go, 1000))")
        assert browser.run(TRY_STATUS).startswith("It drew the digit 7 (probability ")
        tried("recordings of half a minute on the static page")
