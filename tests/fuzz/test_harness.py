import importlib
import random
import time

import pytest

from snn_synth.errors import InputError
from tests.fuzz.harness import MEMORY, bounded, damage, fuzz


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
