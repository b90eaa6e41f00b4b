import contextlib
import importlib
import os
import random
import subprocess
import time

import pytest

from snn_synth.errors import InputError
from tests.fuzz.harness import MEMORY, bounded, damage, fuzz


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    """Where failing files are kept: what is meant to fail here is none to keep."""
    monkeypatch.setattr("tests.fuzz.harness.KEPT", tmp_path / "kept")
    return tmp_path / "kept"


def test_damage_is_the_same_by_its_seed_and_seldom_none():
    whole = bytes(range(256))
    first = [damage(whole, random.Random(seed)) for seed in range(200)]
    assert first == [damage(whole, random.Random(seed)) for seed in range(200)]
    assert sum(content == whole for content in first) < 10
    assert len(set(first)) > 190


def test_values_and_inputerrors_are_counted(tmp_path):
    def read(path):
        if not path.read_bytes().startswith(b"whole"):
            raise InputError("Expected a whole file, got another")

    counts = fuzz(read, [b"whole file"], tmp_path / "x", files=100)
    assert sum(counts.values()) == 100
    assert min(counts.values()) > 5


def two_lines(path):
    raise InputError("two\nlines")


@pytest.mark.parametrize(
    ("read", "named"),
    [
        (lambda path: 1 / 0, "ZeroDivisionError"),
        (lambda path: bytearray(2 * MEMORY), "MemoryError"),
        (two_lines, "more than one line"),
    ],
)
def test_what_must_not_happen_is_said(read, named, tmp_path):
    with pytest.raises(AssertionError, match=named):
        fuzz(read, [b"abc"], tmp_path / "x", files=1)


def swallowed(path):
    with contextlib.suppress(Exception):
        subprocess.run(["true"])


@pytest.mark.parametrize("read", [lambda path: os.system("true"), swallowed])
def test_a_program_that_is_started_is_told_from_a_value(read, tmp_path):
    with pytest.raises(AssertionError, match=r"EscapeError: (os.system|subprocess.Popen)"):
        fuzz(read, [b"abc"], tmp_path / "x", files=1)
    assert os.system("true") == 0, "outside of it they run"


@pytest.mark.parametrize("kind", ["a/b: c"])
def test_the_file_that_failed_is_kept_by_test_seed_and_index(kind, tmp_path, kept):
    def read(path):
        if path.read_bytes() != b"abc":
            path.write_bytes(b"read and gone")
            raise RuntimeError("no")

    with pytest.raises(AssertionError, match=r"file (\d+) of seed 7") as failure:
        fuzz(read, [b"abc"], tmp_path / "x.wav", files=100, seed=7)
    [file] = kept.iterdir()
    test = "test_harness.py-test_the_file_that_failed_is_kept_by_test_seed_and_index-a-b-c-"
    assert file.name.startswith(f"{test}-seed7-file")
    assert file.suffix == ".wav"
    assert str(file) in str(failure.value)
    with pytest.raises(RuntimeError, match="no"):
        read(file)


def test_what_takes_too_long_is_stopped(monkeypatch):
    monkeypatch.setattr("tests.fuzz.harness.SECONDS", 1)
    with pytest.raises(TimeoutError), bounded():
        time.sleep(5)


PARSER = """
def read(path):
    content = path.read_bytes()
    if content[0] >> 5 != 5:
        return 0
    if content[1] >> 5 != 5:
        return 1
    if content[2] >> 5 != 5:
        return 2
    if content[3] >> 5 != 5:
        return 3
    if content[4] >> 5 != 5:
        return 4
    if content[5] >> 5 != 5:
        return 5
    raise RuntimeError("the end")
"""


def test_files_that_go_a_new_way_are_damaged_further(tmp_path, monkeypatch):
    """Six bytes have to be right, each of which is one time in eight: all at once they are one time in 260,000."""
    (tmp_path / "a_parser.py").write_text(PARSER)
    monkeypatch.syspath_prepend(str(tmp_path))
    a_parser = importlib.import_module("a_parser")

    def read(path):
        if len(path.read_bytes()) > 5:
            a_parser.read(path)

    assert fuzz(read, [bytes(6)], tmp_path / "x", files=6_000) == {"values": 6_000, "errors": 0}
    monkeypatch.setattr("tests.fuzz.harness.PACKAGE", str(tmp_path))
    monkeypatch.setattr("tests.fuzz.harness.WATCHED", 1)
    with pytest.raises(AssertionError, match="RuntimeError: the end"):
        fuzz(read, [bytes(6)], tmp_path / "x", files=6_000)
