"""N-MNIST, from files that are written here in its format."""

import os
from pathlib import Path

import numpy as np
import pytest

from snn_synth.data import NMNIST, read_nmnist
from snn_synth.data import nmnist as module
from snn_synth.errors import InputError
from tests.recordings import write_nmnist


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SNN_SYNTH_CACHE", str(tmp_path / "cache"))


def some_events(count=500, seed=0, last=320_000):
    draw = np.random.default_rng(seed)
    columns = [draw.integers(0, 34, count), draw.integers(0, 34, count), draw.integers(0, 2, count)]
    return np.stack([*columns, np.sort(draw.integers(0, last, count))], 1).tolist()


def test_events_are_read_as_they_were_recorded(tmp_path):
    events = [*some_events(), (33, 33, 1, 2**23 - 1)]
    write_nmnist(tmp_path / "one.bin", events)
    assert [list(event) for event in zip(*read_nmnist(tmp_path / "one.bin"), strict=True)] == [list(e) for e in events]


def test_events_are_those_of_tonics_reader(tmp_path):
    tonic = pytest.importorskip("tonic.io")
    overflow = (0, 240, 0, 0)
    write_nmnist(
        tmp_path / "one.bin", [*some_events(20, 1, 8_000), overflow, *some_events(20, 2), overflow, (1, 2, 1, 9)]
    )
    kind = np.dtype([("x", int), ("y", int), ("t", int), ("p", int)])
    theirs = tonic.read_mnist_file(str(tmp_path / "one.bin"), dtype=kind)
    column, row, polarity, time = read_nmnist(tmp_path / "one.bin")
    for name, ours in (("x", column), ("y", row), ("p", polarity), ("t", time)):
        assert np.array_equal(theirs[name], ours)
    assert time[-1] == 9 + 2 * 8192


def test_a_recording_is_the_histogram_of_its_events(tmp_path):
    events = some_events(3_000)
    write_nmnist(tmp_path / "nmnist" / "Train" / "7" / "00001.bin", events)
    spikes, digit = NMNIST(tmp_path, num_steps=15, step=21_000)[0]
    x, y, p, t = np.array(events).T
    edges = [np.arange(16) * 21_000 - 0.5, np.arange(3) - 0.5, np.arange(35) - 0.5, np.arange(35) - 0.5]
    expected = np.histogramdd(np.stack([t, p, y, x], 1), edges)[0] > 0
    assert np.array_equal(spikes.view(15, 2, 34, 34).numpy() > 0, expected)
    assert (t >= 15 * 21_000).any(), "what comes later is left out"
    assert digit == 7


def test_recordings_are_found_in_the_datasets_own_folders(tmp_path):
    for folder in ("Train/3/00002", "Train/3/00001", "Train/0/00005", "Test/9/00001", "Train/3/._00001"):
        write_nmnist(tmp_path / "NMNIST" / f"{folder}.bin", [(1, 2, 1, 3)])  # as tonic names it
    (tmp_path / "NMNIST" / "Train" / "3" / "notes.txt").write_text("none of them")
    (tmp_path / "NMNIST" / "Train" / "3" / "._00001.bin").unlink()
    train, test = NMNIST(tmp_path), NMNIST(tmp_path, train=False)
    assert (train.labels.tolist(), test.labels.tolist()) == ([0, 3, 3], [9])
    assert [path.name for path in train.files] == ["00005.bin", "00001.bin", "00002.bin"]


def test_an_empty_recording_is_silent(tmp_path):
    write_nmnist(tmp_path / "nmnist" / "Train" / "0" / "00001.bin", [])
    assert NMNIST(tmp_path)[0][0].sum() == 0


def test_bad_input(tmp_path, monkeypatch):
    with pytest.raises(
        InputError, match=r"Expected recordings of N-MNIST such as 0/00002.bin in .*nmnist/Train, found"
    ):
        NMNIST(tmp_path)
    path = tmp_path / "nmnist" / "Train" / "0" / "00001.bin"
    write_nmnist(path, [(1, 2, 1, 3), (4, 5, 0, 6)])
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(InputError, match=r"five bytes for each event, got 8 bytes in .*00001.bin"):
        NMNIST(tmp_path)
    for column, row in ((34, 0), (0, 34), (255, 241)):
        write_nmnist(path, [(1, 2, 1, 3), (column, row, 0, 6)])
        with pytest.raises(InputError, match=r"Expected pixels of 34 x 34, got column .* in .*00001.bin"):
            NMNIST(tmp_path)
    monkeypatch.setattr(module, "MAX_BYTES", 4)
    with pytest.raises(InputError, match="got more than 4 bytes"):
        read_nmnist(path)
    with pytest.raises(InputError, match=r"Expected a recording of N-MNIST, got .*none.bin \(No such file"):
        read_nmnist(tmp_path / "none.bin")


def test_the_recordings_themselves():
    root = Path(os.environ.get("SNN_SYNTH_DATA", "nowhere"))
    if not any((root / name / "Train").is_dir() for name in ("nmnist", "NMNIST")):
        pytest.skip("SNN_SYNTH_DATA has no nmnist/Train")
    train, test = NMNIST(root), NMNIST(root, train=False)
    assert (len(train), len(test)) == (60_000, 10_000)


def test_15_steps_of_21_milliseconds_if_nothing_is_said(tmp_path):
    times = [0, 20_999, 21_000, 15 * 21_000 - 1, 15 * 21_000]
    events = [(3 + place, 2, 1, time) for place, time in enumerate(times)]
    write_nmnist(tmp_path / "nmnist" / "Train" / "7" / "00001.bin", events)
    spikes, _ = NMNIST(tmp_path)[0]
    expected = [[0, 1, 2, 3], [0, 1, 2, 4], [1, 1, 2, 5], [14, 1, 2, 6]]
    assert spikes.view(15, 2, 34, 34).nonzero().tolist() == expected


def test_after_an_overflow_times_are_8192_microseconds_later(tmp_path):
    write_nmnist(tmp_path / "one.bin", [(1, 2, 1, 3), (0, 240, 0, 0), (4, 5, 0, 6), (9, 240, 1, 7)])
    assert [values.tolist() for values in read_nmnist(tmp_path / "one.bin")] == [[1, 4], [2, 5], [1, 0], [3, 8198]]


def test_a_recording_may_be_as_large_as_the_limit(tmp_path, monkeypatch):
    path = tmp_path / "one.bin"
    write_nmnist(path, [(1, 2, 1, 3), (4, 5, 0, 6)])
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    assert len(read_nmnist(path)[0]) == 2
    monkeypatch.undo()
    with path.open("r+b") as file:
        file.truncate(16 * 2**20 + 1)
    with pytest.raises(InputError, match="got more than 16777216 bytes"):
        read_nmnist(path)
