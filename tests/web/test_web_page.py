"""The page of `snn-synth web` in headless Chromium."""

import time

import numpy as np
import pytest
import soundfile

from tests.web.conftest import microphone
from tests.web.pages import PHONE, WEB_STATUS, WIDE, assert_shown, open_web, picture_web, running

DREW = f"({WEB_STATUS}.startsWith('It drew') ? {WEB_STATUS} : '')"
FILE = "input[type=file]"


@pytest.fixture(scope="module")
def browser(chromium, web_page):
    with chromium() as browser:
        yield browser
        assert browser.outside == []
        assert browser.errors == []


def upload(browser, file):
    """Go to the page's upload, and hand over a file."""
    browser.wait(f"document.querySelector('{FILE}') || false")
    browser.upload(FILE, file)


def press(browser, selector, name):
    """Click what has this name."""
    found = f"[...document.querySelectorAll('{selector}')].find(one => one.innerText.trim() == '{name}')"
    browser.wait(f"{found} || false")
    browser.run(f"{found}.click()")


def test_five_visitors_at_once_get_their_own_digits(chromium, web_page, words):
    with chromium() as browser:  # of their own: a browser keeps six connections to a server, an open page one of them
        sessions = []
        for digit in (1, 3, 5, 7, 9):
            sessions.append((digit, browser.tab()))
            open_web(browser, web_page)
        for digit, session in sessions:
            browser.use(session)
            upload(browser, words[digit])
        for digit, session in sessions:
            browser.use(session)
            assert browser.wait(DREW, 120).startswith(f"It drew the digit {digit} (probability ")
        assert browser.outside == []
        assert browser.errors == []


def test_a_bad_file_is_refused_in_one_sentence(browser, web_page, tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), 8000)
    open_web(browser, web_page)
    upload(browser, tmp_path / "silent.wav")
    said = browser.wait(f"({WEB_STATUS}.startsWith('Expected') ? {WEB_STATUS} : '')")
    assert said == "Expected a sound with a peak of at least 0.0001, got silence in silent.wav."


def test_a_large_file_is_refused(browser, web_page, tmp_path):
    (tmp_path / "large.wav").write_bytes(bytes(11_000_000))
    open_web(browser, web_page)
    upload(browser, tmp_path / "large.wav")
    browser.wait("/10.?MB|size|large/i.test(document.body.innerText)")
    assert "/tmp" not in browser.run("document.body.innerText")


def test_the_page_says_what_it_knows_and_how_to_open_a_file(browser, web_page):
    open_web(browser, web_page)
    browser.wait("document.querySelector('#only')")
    assert "It always draws one of the ten digits, even for other words" in browser.run("document.body.innerText")
    browser.wait("[...document.querySelectorAll('button')].some(one => one.innerText.trim() == 'Open a sound file')")


def test_a_microphone_is_heard(chromium, web_page, words, padded):
    with chromium(*microphone(padded(words[9]))) as browser:
        open_web(browser, web_page)
        press(browser, "#sound button", "Record")
        browser.wait("[...document.querySelectorAll('#sound button')].some(one => one.innerText.trim() == 'Stop')")
        time.sleep(3)
        press(browser, "#sound button", "Stop")
        assert browser.wait(DREW, 120).startswith("It drew the digit 9")
        assert browser.outside == []


def test_a_digit_is_drawn_by_the_arrow_keys_and_redrawn(browser, web_page):
    open_web(browser, web_page)
    press(browser, "[role=tab]", "Draw a digit")
    browser.wait("document.querySelector('#canvas canvas')")
    browser.run("document.querySelector('#canvas canvas').focus()")
    browser.press(" ", "Space")
    for _ in range(10):
        browser.press("ArrowDown")
    browser.press(" ", "Space")
    browser.run("document.querySelector('#redraw').click()")
    browser.wait("document.body.innerText.includes('image after step 15 of 15')", 120)
    assert browser.run("document.body.innerText.includes('It passed through 196 hidden neurons')")


@pytest.mark.parametrize(("network", "pixels"), [("VQ-diffusion", 28), ("Spiking-GAN", 14), ("ESVAE", 28)])
def test_new_digits(browser, web_page, network, pixels):
    open_web(browser, web_page)
    press(browser, "[role=tab]", "New digits")
    label = f"[...document.querySelectorAll('label')].find(one => one.innerText.startsWith('{network}'))"
    browser.wait(f"{label} || false")
    browser.run(f"{label}.click()")
    browser.wait("document.querySelector('#more')")
    browser.run("document.querySelector('#more').click()")
    browser.wait("document.querySelectorAll('#new img').length == 10")
    assert browser.wait("document.querySelector('#new img').naturalWidth") == pixels


def test_the_sliders_draw_again(browser, web_page):
    open_web(browser, web_page)
    browser.run("document.querySelectorAll('#samples button')[4].click()")
    browser.wait("document.body.innerText.includes('image after step 30 of 30')", 120)
    browser.run("document.querySelectorAll('input[type=range]')[0].focus()")
    browser.press("ArrowRight")
    browser.wait("document.body.innerText.includes('image after step 31 of 31')", 120)
    assert browser.run(WEB_STATUS).startswith("It drew the digit 4")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(browser, web_page, scheme):
    browser.resize(360, 740)
    browser.colours(scheme)
    open_web(browser, web_page)
    browser.run("document.querySelectorAll('#samples button')[0].click()")
    assert browser.wait(DREW, 120).startswith("It drew the digit 0")
    assert browser.fits()
    browser.resize(1100, 900)
    browser.colours("light")


@pytest.mark.parametrize(("name", "window"), [("web.png", WIDE), ("web-phone.png", PHONE)])
def test_the_picture_of_the_docs_is_this_page(browser, web_page, tmp_path, name, window):
    picture_web(browser, web_page, tmp_path / "now.png", window)
    assert_shown(name, tmp_path / "now.png")


def test_the_pages_own_policy_lets_everything_work(chromium, web_page):
    with chromium() as browser:
        browser.send("Page.setBypassCSP", enabled=False)
        open_web(browser, web_page)
        browser.run("document.querySelectorAll('#samples button')[6].click()")
        assert browser.wait(DREW, 120).startswith("It drew the digit 6")
        assert browser.run("fetch('https://example.org/').then(() => 'left', () => 'stayed')") == "stayed"
        assert browser.outside == []


def test_it_ends_with_an_open_page(chromium):
    pytest.importorskip("gradio")
    with chromium() as browser, running() as url:
        open_web(browser, url)
        # `running` fails if the server has not ended half a minute after it was told to
