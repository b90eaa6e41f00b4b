import hashlib
import io
import multiprocessing
import os
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from snn_synth import files
from snn_synth.data import fetch
from snn_synth.data.download import CHUNK
from snn_synth.errors import InputError

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
DEAD = "http://127.0.0.1:9/file"  # the discard port: nobody listens


def test_a_file_arrives_whole_and_leaves_no_part(server, tmp_path):
    server.files["/file"] = CONTENT
    path = fetch([server.url("/file")], tmp_path / "new" / "file", SHA256, progress=False)
    assert path.read_bytes() == CONTENT
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("first", ["dead", "missing", "wrong", "truncated"])
def test_the_second_mirror_helps_when_the_first_fails(server, tmp_path, first):
    server.files |= {"/good": CONTENT, "/wrong": b"something else", "/truncated": CONTENT}
    server.truncated.add("/truncated")
    url = DEAD if first == "dead" else server.url(f"/{first}")
    path = fetch([url, server.url("/good")], tmp_path / "file", SHA256, progress=False)
    assert path.read_bytes() == CONTENT


def test_a_part_file_is_resumed_from_where_it_ended(server, tmp_path):
    server.files["/file"] = CONTENT
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    path = fetch([server.url("/file")], tmp_path / "file", SHA256, progress=False)
    assert path.read_bytes() == CONTENT
    assert server.requests == [("/file", "bytes=1000-")]


def test_a_truncated_transfer_is_resumed_by_the_next_call(server, tmp_path):
    server.files["/file"] = CONTENT
    server.truncated.add("/file")
    with pytest.raises(InputError, match=f"{len(CONTENT) // 2} of {len(CONTENT)} bytes"):
        fetch([server.url("/file")], tmp_path / "file", SHA256, progress=False)
    assert not (tmp_path / "file").exists()
    server.truncated.clear()
    fetch([server.url("/file")], tmp_path / "file", SHA256, progress=False)
    assert server.requests[-1] == ("/file", f"bytes={len(CONTENT) // 2}-")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_server_without_ranges_sends_the_file_anew(server, tmp_path):
    server.files["/file"] = CONTENT
    server.ranges = False
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    assert fetch([server.url("/file")], tmp_path / "file", SHA256, progress=False).read_bytes() == CONTENT
    assert len(server.requests) == 1


@pytest.mark.parametrize("part", [b"another file's start", CONTENT + b"too long"])
def test_a_part_of_another_file_is_thrown_away(server, tmp_path, part):
    server.files["/file"] = CONTENT
    (tmp_path / "file.part").write_bytes(part)
    assert fetch([server.url("/file")], tmp_path / "file", SHA256, progress=False).read_bytes() == CONTENT


@pytest.mark.parametrize("part", [False, True])
def test_a_wrong_hash_leaves_nothing_and_is_told(server, tmp_path, part):
    """What a part may have spoilt is fetched once more, and nothing else is."""
    server.files["/file"] = b"something else"
    if part:
        (tmp_path / "file.part").write_bytes(b"some")
    with pytest.raises(InputError, match=SHA256):
        fetch([server.url("/file")], tmp_path / "file", SHA256, progress=False)
    assert list(tmp_path.iterdir()) == []
    assert server.requests == [("/file", "bytes=4-"), ("/file", None)][not part :]


def test_a_part_is_kept_where_a_mirror_has_no_file_and_the_next_goes_on(server, tmp_path):
    server.files["/good"] = CONTENT
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    urls = [server.url("/missing"), server.url("/good")]
    assert fetch(urls, tmp_path / "file", SHA256, progress=False).read_bytes() == CONTENT
    assert server.requests == [("/missing", "bytes=1000-"), ("/good", "bytes=1000-")]


def test_a_transfer_that_was_resumed_and_ends_early_is_not_tried_again_at_once(server, tmp_path):
    server.files["/file"] = CONTENT
    server.truncated.add("/file")
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    with pytest.raises(InputError, match=f"closed after {len(CONTENT) // 2} of {len(CONTENT)} bytes"):
        fetch([server.url("/file")], tmp_path / "file", SHA256, progress=False)
    assert server.requests == [("/file", "bytes=1000-")]
    assert (tmp_path / "file.part").read_bytes() == CONTENT[: len(CONTENT) // 2]


def test_the_error_names_file_folder_mirrors_and_what_to_do(tmp_path):
    with pytest.raises(InputError) as caught:
        fetch([DEAD, DEAD + "2"], tmp_path / "file", SHA256, progress=False)
    message = str(caught.value)
    for part in ("file", str(tmp_path), DEAD, DEAD + "2", str(tmp_path / "file"), "SNN_SYNTH_DATA"):
        assert part in message


def test_an_unwritable_folder_is_an_input_error(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"Expected below in .*file.*cannot be downloaded there"):
        fetch([server.url("/file")], tmp_path / "file" / "below", None, progress=False)
    assert server.requests == []


@pytest.mark.parametrize("length", ["junk", "-5", "", "1e9", "9" * 5000])
def test_a_content_length_that_is_no_number_is_not_believed(server, tmp_path, length):
    server.files["/file"] = CONTENT
    server.lengths["/file"] = length
    assert fetch([server.url("/file")], tmp_path / "file", SHA256, progress=False).read_bytes() == CONTENT


def test_a_mirror_that_promises_more_than_it_sends_is_named(server, tmp_path):
    server.files["/file"] = CONTENT
    server.lengths["/file"] = str(10**12)
    with pytest.raises(InputError, match=f"{len(CONTENT)} of {10**12} bytes"):
        fetch([server.url("/file")], tmp_path / "file", SHA256, progress=False)


def test_a_mirror_that_sends_too_much_is_given_up(server, tmp_path):
    server.files |= {"/endless": CONTENT * 10, "/good": CONTENT}
    urls = [server.url("/endless"), server.url("/good")]
    path = fetch(urls, tmp_path / "file", SHA256, progress=False, max_bytes=len(CONTENT))
    assert path.read_bytes() == CONTENT
    with pytest.raises(InputError, match=f"more than {len(CONTENT)} bytes"):
        fetch(urls[:1], tmp_path / "other", SHA256, progress=False, max_bytes=len(CONTENT))
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("length", ["", str(CHUNK + 1)])
def test_a_byte_too_many_is_seen_whether_or_not_it_was_promised(server, tmp_path, length):
    server.files["/file"] = bytes(CHUNK + 1)
    server.lengths["/file"] = length
    with pytest.raises(InputError, match=f"more than {CHUNK} bytes"):
        fetch([server.url("/file")], tmp_path / "file", None, progress=False, max_bytes=CHUNK)
    server.files["/file"] = bytes(CHUNK)
    server.lengths["/file"] = str(CHUNK + 1)
    with pytest.raises(InputError, match=f"closed after {CHUNK} of {CHUNK + 1} bytes"):
        fetch([server.url("/file")], tmp_path / "file", None, progress=False, max_bytes=CHUNK)
    server.lengths["/file"] = ""
    assert fetch(
        [server.url("/file")], tmp_path / "other", None, progress=False, max_bytes=CHUNK
    ).read_bytes() == bytes(CHUNK)


@pytest.fixture
def mirror(monkeypatch):
    """A mirror without a network: what its replies give, and how long each request would wait."""

    class Reply(io.BytesIO):
        status, headers = 206, {}

    class Mirror:
        def __init__(self):
            self.timeouts, self.error = [], None

        def urlopen(self, request, timeout):
            self.timeouts.append(timeout)
            if isinstance(self.error, urllib.error.HTTPError):
                raise self.error
            reply = Reply(b"x")
            if self.error:
                reply.read = self.read
            return reply

        def read(self, size):
            raise self.error

    mirror = Mirror()
    monkeypatch.setattr(urllib.request, "urlopen", mirror.urlopen)
    return mirror


def test_a_gigabyte_is_the_most_where_nothing_is_said_and_half_a_minute_is_waited(mirror, tmp_path):
    """The parts are holes, which take no space; one that grows too large is thrown away."""
    for have, size in ((2**30 - 1, 2**30), (2**30, 1)):
        part = tmp_path / f"{have}.part"
        part.touch()
        os.truncate(part, have)
        assert fetch(["http://one"], tmp_path / str(have), None, progress=False).stat().st_size == size
    fetch(["http://one"], tmp_path / "soon", None, progress=False, timeout=2.5)
    assert mirror.timeouts == [30.0, 30.0, 30.0, 2.5]


def test_a_connection_that_breaks_off_is_no_end_of_a_file(mirror, tmp_path):
    """Without a length nothing else says that bytes are missing."""
    mirror.error = TimeoutError("timed out")
    with pytest.raises(InputError, match=r"http://one \(timed out\)"):
        fetch(["http://one"], tmp_path / "file", None, progress=False)
    assert not (tmp_path / "file").exists()


def test_a_mirror_that_sends_no_range_of_a_whole_file_is_named(mirror, tmp_path):
    mirror.error = urllib.error.HTTPError("http://one", 416, "Range Not Satisfiable", {}, None)
    with pytest.raises(InputError, match=r"http://one \(HTTP 416\)"):
        fetch(["http://one"], tmp_path / "file", None, progress=False)


def test_progress_counts_from_what_a_part_has(server, tmp_path, capsys):
    server.files["/file"] = CONTENT
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    fetch([server.url("/file")], tmp_path / "file", SHA256)
    shown = capsys.readouterr().err
    assert "file: 100%" in shown
    assert "256k/256k" in shown
    fetch([server.url("/file")], tmp_path / "other", SHA256, progress=False)
    assert capsys.readouterr().err == ""


def test_a_full_disk_is_one_sentence_and_the_rest_comes_later(server, tmp_path, small_files):
    server.files["/file"] = CONTENT
    with small_files(100_000), pytest.raises(InputError, match=r"Expected to write .*file.*, got File too large"):
        fetch([server.url("/file")], tmp_path / "file", SHA256, progress=False)
    assert fetch([server.url("/file")], tmp_path / "file", SHA256, progress=False).read_bytes() == CONTENT
    assert server.requests[-1][1]  # resumed


def test_a_folder_in_the_files_place_is_told(server, tmp_path):
    server.files["/file"] = CONTENT
    (tmp_path / "file").mkdir()
    with pytest.raises(InputError, match=r"Expected to write .*file, got Is a directory"):
        fetch([server.url("/file")], tmp_path / "file", SHA256, progress=False)
    assert (tmp_path / "file").is_dir()


def test_a_file_system_without_locks_is_no_obstacle(server, tmp_path, monkeypatch):
    def none(path):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(files, "FileLock", none)
    server.files["/file"] = CONTENT
    assert fetch([server.url("/file")], tmp_path / "file", SHA256, progress=False).read_bytes() == CONTENT


def test_of_several_that_want_a_file_one_downloads_it(server, tmp_path):
    server.files["/file"] = CONTENT
    with ThreadPoolExecutor(8) as pool:
        fetches = [
            pool.submit(fetch, [server.url("/file")], tmp_path / "file", SHA256, progress=False) for _ in range(8)
        ]
        assert {fetched.result().read_bytes() for fetched in fetches} == {CONTENT}
    assert server.requests == [("/file", None)]
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_killed_download_is_resumed_and_leaves_nothing(server, tmp_path):
    server.files["/file"] = CONTENT
    server.stalled.add("/file")
    arguments = ([server.url("/file")], tmp_path / "file", SHA256)
    process = multiprocessing.get_context("fork").Process(target=fetch, args=arguments, kwargs={"progress": False})
    process.start()
    part, deadline = tmp_path / "file.part", time.monotonic() + 60
    while not (part.exists() and part.stat().st_size >= CHUNK) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.join()
    have = part.stat().st_size
    server.stalled.clear()
    server.go_on.set()
    assert fetch(*arguments, progress=False).read_bytes() == CONTENT
    assert server.requests[-1] == ("/file", f"bytes={have}-")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
