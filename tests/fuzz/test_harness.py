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
