import json
import multiprocessing
import threading
import time

import numpy as np
import pytest

from snn_synth.kernels.cpu import choice


@pytest.fixture(autouse=True)
def file(monkeypatch, tmp_path):
    monkeypatch.setattr(choice, "_chosen", {})
    monkeypatch.setattr(choice, "_file", lambda: tmp_path / "fastest.json")
    return tmp_path / "fastest.json"


WAYS = ["slow", "quick"]


def ways(*_):
    return {"slow": lambda: time.sleep(2e-3), "quick": lambda: None}


def test_the_fastest_is_found_kept_and_not_measured_again(file, monkeypatch):
    assert choice.fastest("x", (100, 70), 0.15, WAYS, ways) == "quick"
    (key,) = json.loads(file.read_text())
    assert key.startswith("x, 96x64, up to 0.2")
    assert choice.fastest("x", (111, 79), 0.11, WAYS, None) == "quick"  # alike
    monkeypatch.setattr(choice, "_chosen", {})  # as in another process
    assert choice.fastest("x", (100, 70), 0.15, WAYS, None) == "quick"


def test_the_file_decides_and_a_damaged_one_is_made_anew(file, monkeypatch):
    choice.fastest("x", (8,), 1.0, WAYS, ways)
    (key,) = json.loads(file.read_text())
    file.write_text(json.dumps({key: "slow"}))
    monkeypatch.setattr(choice, "_chosen", {})
    assert choice.fastest("x", (8,), 1.0, WAYS, ways) == "slow"
    file.write_text("[1, 2")
    monkeypatch.setattr(choice, "_chosen", {})
    assert choice.fastest("x", (8,), 1.0, WAYS, ways) == "quick"
    assert json.loads(file.read_text()) == {key: "quick"}


def test_what_is_not_among_the_ways_is_not_taken(file):
    """A file of another machine, or a checkpoint's choice where the sizes allow it no more."""
    choice.fastest("x", (8,), 1.0, WAYS, ways)
    (key,) = json.loads(file.read_text())
    choice._chosen.clear()
    file.write_text(json.dumps({key: "of another machine"}))
    assert choice.fastest("x", (8,), 1.0, WAYS, ways) == "quick"
    assert json.loads(file.read_text()) == {key: "quick"}
    choice.adopt({key: "slow"}, WAYS)
    assert choice.fastest("x", (8,), 1.0, ["quick"], None) == "quick"


@pytest.mark.parametrize("content", [{1: "quick"}, {"x": ["quick"]}, {"x": np.zeros(2)}, {("x",): None}])
def test_choices_of_any_type_are_let_be(content):
    choice.adopt(content, WAYS)
    assert choice.chosen() == {}


def test_a_place_that_takes_no_more(file, monkeypatch):
    file.with_suffix(".lock").mkdir()  # no lock
    assert choice.fastest("x", (8,), 1.0, WAYS, ways) == "quick"
    monkeypatch.setattr(choice, "_file", lambda: file / "below")
    file.unlink()
    file.write_text("no folder")
    assert choice.fastest("y", (8,), 1.0, WAYS, ways) == "quick"


def test_threads_make_one_choice(monkeypatch):
    """Also without a file, which would tell the second of the first."""
    monkeypatch.setattr(choice, "_file", lambda: None)
    measured = []
    both = threading.Barrier(2)

    def run():
        both.wait()
        choice.fastest("x", (8,), 1.0, WAYS, lambda *_: measured.append(1) or ways())

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(measured) == 1


def test_without_a_place_on_disk(monkeypatch):
    monkeypatch.setattr(choice, "_file", lambda: None)
    assert choice.fastest("x", (8,), 1.0, WAYS, ways) == "quick"


def test_large_sizes_and_shares_are_measured_by_smaller_ones():
    seen = []
    choice.fastest("x", (58500, 1), 0.9, WAYS, lambda *what: seen.append(what) or ways())
    choice.fastest("y", (3,), 0.0, WAYS, lambda *what: seen.append(what) or ways())
    assert seen == [((choice.LARGEST, 1), 0.7), ((3,), 0.0125)]


def _write(number, file):
    choice._file = lambda: file
    choice.fastest(f"of {number}", (8,), 1.0, WAYS, ways)


def test_processes_add_to_one_file(file):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_write, args=(number, file)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert len(json.loads(file.read_text())) == 4
