"""numba's cache: never an old kernel, and never in the way. Real processes on a copy of the package."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

import snn_synth
from snn_synth.kernels.cpu import cache
from snn_synth.kernels.cpu.collection import CollectionPause
from snn_synth.kernels.cpu.notice import KEPT, NOT_KEPT

# `_hidden_error` of step.py has the derivative of sigmoid.py inside.
RUN = """
import torch
torch.set_num_threads(1)
from snn_synth.kernels.cpu import step
one = torch.ones(1, 1)
layer = step.State(one, torch.zeros(2, 1, 1))
layer.membranes.fill_(1)
print("result", step.hidden_error(step.errors(one), one, layer, 1.0, 1.0).values.item())
"""


@pytest.fixture
def package(tmp_path):
    """A copy of the package that processes in its folder import."""
    source = Path(snn_synth.__file__).parent
    shutil.copytree(source, tmp_path / "snn_synth", ignore=shutil.ignore_patterns("__pycache__", "weights"))
    return tmp_path / "snn_synth"


def start(package, code=RUN, **environment):
    names = {"HOME", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "PYTHONPATH"}
    kept = {name: value for name, value in os.environ.items() if name not in names}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=package.parent,
        env=kept | {"NUMBA_DEBUG_CACHE": "1", "PYTHONPATH": str(package.parent)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process):
    """The result, and how many kernels came from the disk."""
    out = process.communicate(timeout=120)[0]
    assert process.returncode == 0, out
    (line,) = [line for line in out.splitlines() if line.startswith("result")]
    return float(line.split()[1]), out.count("[cache] data loaded")


@pytest.mark.slow
def test_an_edit_of_an_inlined_file_is_seen_and_old_kernels_go(package):
    kept = package / "kernels" / "cpu" / "__pycache__" / "numba"
    both = [finish(process) for process in [start(package), start(package)]]  # at once, on no cache
    assert [result for result, _ in both] == [0.25, 0.25]
    assert finish(start(package)) == (0.25, 2)  # errors() and hidden_error()
    (first,) = kept.iterdir()
    sigmoid = package / "kernels" / "cpu" / "sigmoid.py"
    sigmoid.write_text(sigmoid.read_text().replace("return slope * e /", "return 2 * slope * e /"))
    assert finish(start(package)) == (0.5, 0)
    (second,) = kept.iterdir()
    assert second.name != first.name


@pytest.mark.slow
def test_kernels_work_without_a_place_to_write(package):
    (package / "kernels" / "cpu" / "__pycache__").write_text("")  # root may write to read-only folders, not below files
    ear = "\nfrom snn_synth.data.frontends import passive_ear\n"
    process = start(package, RUN + ear, XDG_CACHE_HOME="/dev/null/no", NUMBA_CACHE_DIR="/dev/null/neither")
    assert finish(process) == (0.25, 0)


def test_the_key_is_every_file_that_code_may_come_from(tmp_path, monkeypatch):
    for name in ("functional", "kernels/cpu"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setattr(cache, "_PACKAGE", tmp_path)
    seen = {cache._version()}
    for name, text in (
        ("functional/a.py", ""),
        ("kernels/a.py", ""),
        ("kernels/cpu/b.py", ""),
        ("functional/a.py", "1"),
        ("kernels/cpu/b.py", "1"),
        ("kernels/cpu/b.py", "2"),
    ):
        (tmp_path / name).write_text(text)
        assert cache._version() not in seen
        seen.add(cache._version())
    (tmp_path / "kernels/notes.txt").write_text("")
    assert cache._version() in seen


def test_the_files_are_those_of_this_package():
    assert Path(snn_synth.__file__).parent == cache._PACKAGE


def test_the_first_place_that_can_be_written_to_is_taken_and_what_is_old_there_removed(tmp_path, monkeypatch):
    blocked, full, good, other = places = [tmp_path / name for name in ("blocked", "full", "good/below", "other")]
    monkeypatch.setattr(cache, "_places", lambda: iter(places))
    monkeypatch.setattr(cache, "_version", lambda: "now")
    temporary = cache.tempfile.TemporaryFile

    def write(dir):
        if dir.parent == full:
            raise OSError(28, "No space left")
        return temporary(dir=dir)

    monkeypatch.setattr(cache.tempfile, "TemporaryFile", write)
    blocked.write_text("no folder")
    (good / "before/that").mkdir(parents=True)
    (good / "a file").write_text("")  # which is in nobody's way
    for _ in range(2):
        assert cache.folder.__wrapped__() == good / "now"
        assert {path.name for path in good.iterdir()} == {"now", "a file"}
        (good / "now" / "kernel").touch()
    assert (good / "now" / "kernel").exists()
    assert not other.exists()
    places[:] = [blocked, full]
    assert cache.folder.__wrapped__() is None


def test_numba_s_own_setting_comes_first(tmp_path, monkeypatch):
    beside = Path(cache.__file__).parent / "__pycache__" / "numba"
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    assert next(cache._places()) == beside
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    first, second, *_ = cache._places()
    assert first.parent == tmp_path
    assert first.name.startswith("snn_synth-")
    assert second == beside


def test_whoever_waits_is_told_whether_kernels_are_kept(tmp_path, monkeypatch):
    heard = []
    monkeypatch.setattr(cache, "_listen", cache._listen.__wrapped__)  # else it is done once in a process
    monkeypatch.setattr(cache.event, "register", lambda name, listener: heard.append((name, listener)))
    for place, message in ((tmp_path, KEPT), (None, NOT_KEPT)):
        monkeypatch.setattr(cache, "folder", lambda place=place: place)
        heard.clear()
        cache.compiled(lambda x: x)
        assert [name for name, _ in heard] == ["numba:compile"] * 2
        pause, notice = (listener for _, listener in heard)
        assert isinstance(pause, CollectionPause)
        assert notice.message == message


def test_without_a_folder_nothing_is_kept(monkeypatch):
    monkeypatch.setattr(cache, "folder", lambda: None)
    kernel = cache.compiled(lambda x: x + 1)
    assert not isinstance(kernel._cache, cache._Cache)
    assert kernel(np.float32(1)) == 2


def test_no_home_is_no_folder_called_tilde(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as without HOME, for a user without a name
    assert all(place.is_absolute() for place in cache._places())


def test_the_users_cache_is_the_last_resort(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    *_, last = cache._places()
    assert last.is_relative_to(tmp_path)


def test_a_damaged_file_is_compiled_again(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)

    def add(x):
        return x + 1

    kernels = []
    for damage in (False, True, False):
        for file in tmp_path.glob("*.nb[ic]") if damage else []:
            file.write_bytes(file.read_bytes()[:-20])
        kernels.append(cache.compiled(add))
        assert kernels[-1](np.float32(1)) == 2
    assert [sum(kernel.stats.cache_hits.values()) for kernel in kernels] == [0, 0, 1]


@pytest.mark.parametrize("broken", ["mkdir", "full"])
def test_a_disk_that_stops_writing_costs_nothing_but_time(tmp_path, monkeypatch, broken):
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setattr(cache, "folder", lambda: folder)
    kernel = cache.compiled(lambda x: x + 1)
    if broken == "mkdir":
        folder.rmdir()
        folder.write_text("")
    else:
        monkeypatch.setattr(cache, "FileLock", lambda path: (_ for _ in ()).throw(OSError(28, "No space left")))
    assert kernel(np.float32(1)) == 2


LOAD = """
import sys, torch
torch.set_num_threads(1)
from snn_synth.kernels.cpu import step
one = torch.ones(1, 1)
layer = step.State(one, torch.zeros(2, 1, 1))
layer.membranes.fill_(1)
print("result", step.hidden_error(step.errors(one), one, layer, 1.0, 1.0).values.item(), "scipy.linalg" in sys.modules)
"""
GO_ON = """
sums = torch.zeros(2, 1, 1)
step.integrate(one[None], 0.5, sums)
print("sums", sums.flatten().tolist())
"""


@pytest.mark.slow
def test_a_kept_kernel_loads_without_what_only_a_compilation_needs(package):
    """Half a second of imports; a process that then compiles another kernel makes up for it."""
    first, again, more = (start(package, code).communicate(timeout=120)[0] for code in (LOAD, LOAD, LOAD + GO_ON))
    assert "result 0.25 True" in first
    assert "result 0.25 False" in again
    assert "result 0.25 False" in more
    assert "sums [0.0, 1.0]" in more
