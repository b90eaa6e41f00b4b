"""`snn-synth web` under load: each visitor gets the own digit, and the server holds in the end what it held before."""

import contextlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice

import numpy as np
import pytest
import soundfile

from tests.trust.visitors import Page
from tests.trust.watching import PROC, files_below, held
from tests.web.conftest import words  # noqa: F401  (a fixture)
from tests.web.pages import process_of_page

N = int(os.environ.get("SNN_SYNTH_TRUST", "0"))
AT_ONCE, IN_A_ROW = max(5, N // 10), max(10, N)
# Bytes that memory may grow by: what is taken once is not all taken after the first visitors (26 million measured), and
# what is kept of each visitor shows soon: his word is 40 thousand, the spikes of it 200 thousand.
WARM = 10  # visitors in a row before any are counted: until then caches fill, and pictures find their memory
MOST_AT_FIRST, MOST_EACH = 50_000_000, 10_000
COME_AND_GO = 5  # open files and threads that are there for a moment
KEPT = 100_000_000  # bytes of uploads, fewer than else, so that they are reached in the end
SMALL = f"""
import sys
from snn_synth.cli import main
from snn_synth.web import uploads
uploads.EVERY, uploads.MOST_BYTES = 1, {KEPT}
sys.exit(main(sys.argv[1:]))
"""
BAD = {
    "text": "Expected a sound file (WAV, FLAC, OGG, MP3, NIST SPHERE), got word.wav",
    "empty": "Expected a sound file (WAV, FLAC, OGG, MP3, NIST SPHERE), got word.wav",
    "long": "Expected a sound of at most 30 seconds, got 31.0 seconds in word.wav",
    "large": "File size exceeded maximum allowed size of 10485760 bytes",
}

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not N or not PROC.exists(), reason="make trust, with /proc")]


@pytest.fixture
def bad(tmp_path):
    """Files that nobody should upload, all of one name."""
    files = {kind: tmp_path / kind / "word.wav" for kind in BAD}
    for file in files.values():
        file.parent.mkdir()
    files["text"].write_text("no sound")
    files["empty"].touch()
    soundfile.write(files["long"], np.random.default_rng(0).normal(0, 0.1, 31 * 8000), 8000)
    files["large"].write_bytes(bytes(11_000_000))
    return files


@pytest.fixture
def word(words, tmp_path):  # noqa: F811
    """Writes the recording of a visitor, who says the last digit of his number, each at his own loudness."""

    def write(number):
        samples, rate = soundfile.read(words[number % 10])
        file = tmp_path / str(number) / "word.wav"
        file.parent.mkdir(exist_ok=True)
        soundfile.write(file, samples * (1 - number / 10_000), rate)
        return file

    return write


@pytest.fixture
def served(tmp_path, monkeypatch):
    """The process of the page, its address, where its uploads lie, and what it has said."""
    pytest.importorskip("gradio")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    log = tmp_path / "log"
    with log.open("w") as output, process_of_page(log=output, program=("-c", SMALL)) as (server, url):
        (uploads,) = (tmp_path / "temporary").glob("snn-synth-web-*")
        yield server, Page(url), uploads / "uploads"
    assert "rror" not in log.read_text()
    assert list((tmp_path / "temporary").iterdir()) == []


def kept(uploads):
    """Files of uploads, the oldest first, and how many bytes they take."""
    found = []
    for path in files_below(uploads):
        with contextlib.suppress(FileNotFoundError):  # gone meanwhile
            found.append((path.stat().st_ctime, path.stat().st_size, path))
    return [path for *_, path in sorted(found)], sum(size for _, size, _ in found)


def test_visitors_at_once_and_in_a_row(served, word, bad, tried):
    server, page, uploads = served

    def drawn(number):
        assert page.visit(word(number)).startswith(f"It drew the digit {number % 10} (probability "), number

    def refused(kind):
        if kind in BAD:
            assert page.visit(bad[kind]).startswith(BAD[kind])
        else:
            page.break_off(bad["long"])

    kinds = list(islice(cycle([*BAD, "one that breaks off"]), max(5, AT_ONCE // 5)))
    with ThreadPoolExecutor(AT_ONCE + len(kinds)) as pool:
        for one in [pool.submit(refused, kind) for kind in kinds] + [pool.submit(drawn, k) for k in range(AT_ONCE)]:
            one.result()
    tried("visitors of `snn-synth web` at once", AT_ONCE)
    tried("bad uploads among them", len(kinds))

    for number in range(WARM + IN_A_ROW):
        drawn(number)
        if number + 1 == WARM + IN_A_ROW // 10:
            before = held(server.pid)
    after = held(server.pid)
    tried("visitors of `snn-synth web` in a row", WARM + IN_A_ROW)
    print(f"{before} after a tenth, {after} in the end")
    assert after["bytes"] < before["bytes"] + MOST_AT_FIRST + MOST_EACH * IN_A_ROW
    assert after["files"] <= before["files"] + COME_AND_GO
    assert after["threads"] <= before["threads"] + COME_AND_GO

    oldest = kept(uploads)[0][0]
    for _ in range(KEPT // 5_000_000):
        page.break_off(bad["large"])
    until = time.monotonic() + 600
    while oldest.exists() or kept(uploads)[1] > KEPT:
        assert time.monotonic() < until, "uploads are not removed"
        time.sleep(0.5)
    drawn(IN_A_ROW)
