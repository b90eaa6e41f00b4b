import json
import multiprocessing
import threading
import time
import types

import numpy as np
import pytest
import torch

from snn_synth.kernels.cpu import choice

FILE = choice._file


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


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when it is told to."""
    now = types.SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(choice, "time", types.SimpleNamespace(perf_counter=lambda: now.seconds))
    return now


def test_what_a_way_takes_the_first_time_does_not_count(clock):
    """It is compiled then. Afterwards all are called in turns for 0.15 seconds."""
    called = {"one": 0, "two": 0}

    def way(name, seconds):
        def run():
            clock.seconds += seconds if called[name] else 9
            called[name] += 1

        return run

    both = {"one": way("one", 0.03), "two": way("two", 0.01)}
    assert choice.fastest("x", (8,), 1.0, list(both), lambda *_: both) == "two"
    assert called == {"one": 1 + 4, "two": 1 + 4}


def test_a_single_way_is_not_measured():
    def never():
        raise AssertionError

    assert choice.fastest("x", (8,), 1.0, ["one"], lambda *_: {"one": never}) == "one"


def test_between_two_products_the_cache_is_filled_with_other_numbers(clock, monkeypatch):
    seen = []

    class Numbers:
        def __init__(self, size, dtype, device):
            self.size = size

        def __iadd__(self, more):
            seen.append(self.size)
            return self

    def way(name):
        def run():
            clock.seconds += 0.04
            seen.append(name)

        return run

    monkeypatch.setattr(choice, "torch", types.SimpleNamespace(**vars(torch) | {"zeros": Numbers}))
    choice.fastest("x", (8,), 1.0, WAYS, lambda *_: {name: way(name) for name in WAYS})
    assert seen[:2] == WAYS  # compiled
    assert seen[2::2] == [2**20] * 4
    assert seen[3::2] == 2 * WAYS


@pytest.mark.parametrize(
    ("size", "rounded"), [(1, 1), (7, 7), (8, 8), (9, 8), (15, 14), (16, 16), (80, 80), (95, 80), (96, 96), (1000, 896)]
)
def test_sizes_with_the_same_first_three_bits_are_alike(size, rounded):
    assert choice._rounded(size) == rounded


@pytest.mark.parametrize(
    ("share", "bound"),
    [
        (0, 0.025),
        (0.025, 0.025),
        (0.03, 0.05),
        (0.05, 0.05),
        (0.06, 0.1),
        (0.1, 0.1),
        (0.2, 0.2),
        (0.4, 0.4),
        (0.41, 1),
    ],
)
def test_shares_up_to_the_same_bound_are_alike(share, bound):
    choice.fastest("x", (8,), share, ["one"], lambda *_: {"one": None})
    (key,) = choice.chosen()
    assert key.startswith(f"x, 8, up to {bound}, ")


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


def test_of_a_checkpoint_s_choices_those_for_known_ways_are_taken():
    choice.adopt({"x": "slow", "y": "of another machine", "z": "quick"}, WAYS)
    assert choice.chosen() == {"x": "slow", "z": "quick"}


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


def test_each_processor_has_a_file_of_its_own_if_there_is_a_place(tmp_path, monkeypatch):
    monkeypatch.setattr(choice, "folder", lambda: tmp_path)
    monkeypatch.setattr(choice, "compiled_for", lambda: ("icelake", "+avx512f"))
    one = FILE()
    assert one.parent == tmp_path
    assert one.name.startswith("fastest-icelake-")
    assert one.name.endswith(f"-torch-{torch.__version__}.json")
    monkeypatch.setattr(choice, "compiled_for", lambda: ("icelake", "-avx512f"))
    assert FILE() != one
    monkeypatch.setattr(choice, "folder", lambda: None)
    assert FILE() is None


def test_large_sizes_and_shares_are_measured_by_smaller_ones():
    seen = []
    choice.fastest("x", (58500, 1), 0.9, WAYS, lambda *what: seen.append(what) or ways())
    choice.fastest("y", (3,), 0.0, WAYS, lambda *what: seen.append(what) or ways())
    assert seen == [((1024, 1), 0.7), ((3,), 0.0125)]


def _write(number, file):
    torch.set_num_threads(1)  # GNU OpenMP does not survive a fork
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


@pytest.mark.parametrize("error", [RuntimeError("Deadlock"), TimeoutError("of another")])
def test_a_lock_that_ctrl_c_left_behind_is_no_reason_to_fail(error, monkeypatch, tmp_path):
    monkeypatch.setattr(choice, "_file", lambda: tmp_path / "fastest.json")
    monkeypatch.setattr(choice, "_chosen", {})
    monkeypatch.setattr(choice, "SECONDS", 0.01)

    def lock(*_, timeout):
        assert 10 < timeout < 600
        raise error

    monkeypatch.setattr(choice, "FileLock", lock)
    assert choice.fastest("tested", (1,), 1.0, ["a"], lambda *_: {"a": lambda: None}) == "a"
