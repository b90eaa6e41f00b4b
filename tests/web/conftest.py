import importlib.util

import numpy as np
import pytest
import soundfile

from snn_synth.web.samples import spoken
from tests.web import browser
from tests.web.pages import ROOT, running, serving


@pytest.fixture(scope="session")
def chromium():
    """Opens a headless Chromium."""
    if browser.CHROMIUM is None:
        pytest.skip(browser.WITHOUT)
    return browser.Browser


@pytest.fixture(scope="session")
def words(tmp_path_factory):
    """A WAV file of each digit, by voices of espeak-ng."""
    pytest.importorskip("espeakng_loader")
    return spoken(tmp_path_factory.mktemp("words"))


@pytest.fixture(scope="session")
def build():
    """The module docs/try/build.py."""
    spec = importlib.util.spec_from_file_location("try_page", ROOT / "docs/try/build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def try_page(build, chromium, tmp_path_factory):
    """The address of the static page."""
    pytest.importorskip("onnx")
    folder = tmp_path_factory.mktemp("try")
    build.main(folder)
    if not (folder / "ort/version").is_file():
        pytest.skip("npm could not fetch onnxruntime-web")
    with serving(folder) as url:
        yield url


@pytest.fixture(scope="session")
def web_page(chromium):
    """The address of `snn-synth web`."""
    pytest.importorskip("gradio")
    with running() as url:
        yield url


@pytest.fixture
def padded(tmp_path):
    """A word with silence around it, for Chromium's microphone."""

    def write(file, before=1.0, after=8.0):
        samples, rate = soundfile.read(file, dtype="int16")
        path = tmp_path / f"padded-{file.name}"
        soundfile.write(path, np.pad(samples, (int(before * rate), int(after * rate))), rate, "PCM_16")
        return path

    return write


def microphone(file):
    """Flags with which Chromium's microphone plays a file, once, and is given to every page that asks."""
    return (
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={file}%noloop",
    )
