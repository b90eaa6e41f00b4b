import contextlib
import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from snn_synth import files
from snn_synth.errors import InputError
from snn_synth.files import atomic_write


def test_the_old_file_stands_until_the_block_ends(tmp_path: Path):
    target = tmp_path / "new" / "file.txt"
    with atomic_write(target) as partial:
        partial.write_text("first")
        assert not target.exists()
    with atomic_write(target) as partial:
        partial.write_text("second")
        assert target.read_text() == "first"
    assert target.read_text() == "second"


def test_an_error_leaves_the_old_file_and_no_rubbish(tmp_path: Path):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(TypeError), atomic_write(target) as partial:
        partial.write_text("half")
        partial.write_text(None)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_file_gets_the_permissions_of_any_new_file(tmp_path: Path):
    (tmp_path / "ordinary").write_text("")
    with atomic_write(tmp_path / "file") as partial:
        partial.write_text("")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_a_file_where_a_folder_should_be_is_an_input_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match=r"Expected to write .*file/x\.txt"),
        atomic_write(tmp_path / "file" / "x.txt"),
    ):
        pass


def test_a_folder_where_the_file_should_be_is_an_input_error(tmp_path: Path):
    (tmp_path / "name").mkdir()
    with (
        pytest.raises(InputError, match=r"Expected to write .*name"),
        atomic_write(tmp_path / "name") as partial,
    ):
        partial.write_text("")
    assert [child.name for child in tmp_path.iterdir()] == ["name"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_write_permission_is_an_input_error(tmp_path: Path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="Permission denied"), atomic_write(tmp_path / "x.txt"):
        pass


WRITER = """
import sys
from snn_synth.files import atomic_write

with atomic_write(sys.argv[1]) as partial:
    partial.write_text("from another process")
    print("at it", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def writer(tmp_path):
    """A process that has written its draft of `tmp_path / "file"` and waits for a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, tmp_path / "file"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "at it\n"
    yield process
    process.kill()
    process.communicate()


def test_what_a_killed_process_left_goes_with_the_next_write(tmp_path, writer):
    target, mine = tmp_path / "file", tmp_path / ".file.mine.draft"
    target.write_text("old")
    mine.mkdir()
    writer.kill()
    writer.wait()
    assert target.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 3
    with atomic_write(tmp_path / "other") as partial:  # the next write there may be of another file
        partial.write_text("new")
    assert target.read_text() == "old"
    assert sorted(tmp_path.iterdir()) == [mine, target, tmp_path / "other"]


def test_a_process_that_is_at_it_is_let_be(tmp_path, writer):
    target = tmp_path / "file"
    with atomic_write(target) as partial:
        partial.write_text("first")
    assert target.read_text() == "first"
    writer.communicate("go on\n")
    assert writer.returncode == 0
    assert target.read_text() == "from another process"
    assert list(tmp_path.iterdir()) == [target]


def test_a_draft_that_another_process_sweeps_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    real, swept = files.locked, []

    @contextlib.contextmanager
    def locked(path):
        with real(path):
            if not swept:
                swept.append(path.parent)
                shutil.rmtree(path.parent)
            yield

    monkeypatch.setattr(files, "locked", locked)
    with atomic_write(tmp_path / "file") as partial:
        assert partial.parent not in swept
        partial.write_text("whole")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "whole")]


def test_a_full_disk_is_one_sentence_and_the_old_file_stays(tmp_path, small_files):
    target = tmp_path / "file"
    target.write_text("old")

    def fill():
        with atomic_write(target) as partial, partial.open("wb") as file:
            for _ in range(100):
                file.write(bytes(100))

    with (
        small_files(1000),
        pytest.raises(InputError, match=f"Expected to write {target}, got File too large: {target}"),
    ):
        fill()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_errors_of_the_disk_are_told_from_others(tmp_path, code):
    with pytest.raises(InputError, match="Expected to write"), atomic_write(tmp_path / "file"):
        raise OSError(code, os.strerror(code))
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "file"):
        (tmp_path / "another").read_text()


def test_a_file_system_without_locks_is_written_to(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("filelock.FileLock._acquire", refuse)
    with atomic_write(tmp_path / "file") as partial:
        partial.write_text("new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "new")]
