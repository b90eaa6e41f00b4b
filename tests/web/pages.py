"""Both pages, served on this machine; and the pictures that the docs show of them."""

import contextlib
import functools
import http.server
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[2]
TRY_STATUS = "document.getElementById('status').textContent"
WIDE, PHONE = (1100, 900), (390, 844)  # windows in which pictures are taken
WEB_STATUS = "(document.querySelector('#said [role=status]')?.innerText ?? '')"


class Quiet(http.server.SimpleHTTPRequestHandler):
    extensions_map = {
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(folder):
    """The address of a folder's files."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def running(*options):
    """The address of `snn-synth web`, in a process of its own."""
    with process_of_page(*options) as (_, url):
        yield url


@contextlib.contextmanager
def process_of_page(*options, log=None, program=("-m", "snn_synth.cli")):
    """The process of `snn-synth web`, and its address; ``log`` is a file for its standard error."""
    command = [sys.executable, *program, "web", "--port", "0", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=environment, text=True) as process:
        try:
            found = (re.search(r"http://\S+", line) for line in process.stdout)  # some versions of gradio say more
            yield process, next(filter(None, found))[0]
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def open_try(browser, url):
    browser.open(url)
    browser.wait(f"{TRY_STATUS}.startsWith('Ready') || {TRY_STATUS}.includes('could not')", 120)
    assert browser.run(TRY_STATUS).startswith("Ready")


def open_web(browser, url):
    browser.open(url)
    browser.wait("document.querySelector('#sound input[type=file], #sound button')", 120)
    time.sleep(0.5)  # Gradio puts the rest together


def picture_try(browser, url, path, window=WIDE):
    """The static page after it has drawn the sample of a 7."""
    browser.resize(*window)
    browser.colours("light", reduced_motion=True)
    open_try(browser, url)
    browser.run("document.querySelector('#samples [aria-label=seven]').click()")
    browser.wait(f"{TRY_STATUS}.startsWith('It drew')")
    browser.screenshot(path)
    browser.resize(*WIDE)


def picture_web(browser, url, path, window=WIDE):
    """The page of `snn-synth web` after it has drawn the sample of a 7."""
    browser.resize(*window)
    browser.colours("light")
    open_web(browser, url)
    browser.wait("document.querySelectorAll('#samples button').length == 10")
    browser.run("document.querySelectorAll('#samples button')[7].click()")
    browser.wait("document.body.innerText.includes('image after step 30 of 30')", 120)
    time.sleep(1)
    browser.screenshot(path)
    browser.resize(*WIDE)


def unlike(path, other):
    """How far two screenshots lie apart, in grey levels, seen from afar: fonts differ between machines."""
    here, there = (np.asarray(Image.open(one).convert("L").resize((64, 64)), float) for one in (path, other))
    return np.abs(here - there).mean()


def assert_shown(name, now):
    """The docs' picture of this name is a small file, and that of the page as it is now."""
    shown = ROOT / "docs/images" / name
    assert unlike(shown, now) < 8
    assert shown.stat().st_size < 150_000
