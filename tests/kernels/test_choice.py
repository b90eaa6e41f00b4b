import json
import multiprocessing
import time

import pytest

from snn_synth.kernels.cpu import choice


@pytest.fixture(autouse=True)
def file(monkeypatch, tmp_path):
    monkeypatch.setattr(choice, "_chosen", {})
    monkeypatch.setattr(choice, "_file", lambda: tmp_path / "fastest.json")
    return tmp_path / "fastest.json"


def ways(*_):
    return {"slow": lambda: time.sleep(2e-3), "quick": lambda: None}


def test_the_fastest_is_found_kept_and_not_measured_again(file, monkeypatch):
    assert choice.fastest("x", (100, 70), 0.15, ways) == "quick"
    (key,) = json.loads(file.read_text())
    assert key.startswith("x, 96x64, up to 0.2")
    assert choice.fastest("x", (111, 79), 0.11, None) == "quick"  # alike
    monkeypatch.setattr(choice, "_chosen", {})  # as in another process
    assert choice.fastest("x", (100, 70), 0.15, None) == "quick"


def test_the_file_decides_and_a_damaged_one_is_made_anew(file, monkeypatch):
    choice.fastest("x", (8,), 1.0, ways)
    (key,) = json.loads(file.read_text())
    file.write_text(json.dumps({key: "slow"}))
    monkeypatch.setattr(choice, "_chosen", {})
    assert choice.fastest("x", (8,), 1.0, ways) == "slow"
    file.write_text("[1, 2")
    monkeypatch.setattr(choice, "_chosen", {})
    assert choice.fastest("x", (8,), 1.0, ways) == "quick"
    assert json.loads(file.read_text()) == {key: "quick"}


def test_without_a_place_on_disk(monkeypatch):
    monkeypatch.setattr(choice, "_file", lambda: None)
    assert choice.fastest("x", (8,), 1.0, ways) == "quick"


def test_large_sizes_and_shares_are_measured_by_smaller_ones():
    seen = []
    choice.fastest("x", (58500, 1), 0.9, lambda *what: seen.append(what) or ways())
    choice.fastest("y", (3,), 0.0, lambda *what: seen.append(what) or ways())
    assert seen == [((choice.LARGEST, 1), 0.7), ((3,), 0.0125)]


def _write(number, file):
    choice._file = lambda: file
    choice.fastest(f"of {number}", (8,), 1.0, ways)


def test_processes_add_to_one_file(file):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_write, args=(number, file)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert len(json.loads(file.read_text())) == 4
