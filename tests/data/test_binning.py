import hashlib
import os

import numpy as np
import pytest
import torch

from snn_synth.codec import unpack
from snn_synth.data import NMNIST, SHD, bin_events, binning, decoded
from snn_synth.errors import InputError
from tests.recordings import write_nmnist, write_spike_file


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SNN_SYNTH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "events"


@pytest.fixture
def word(tmp_path):
    """Writes a file of one word, with an event of each unit given."""

    def write(*units):
        path = tmp_path / "shd" / "shd_train.h5"
        write_spike_file(path, [([0.01] * len(units), units)], [3], [0])
        return path

    return write


def test_binning_is_a_histogram_cut_at_one():
    draw = np.random.default_rng(0)
    time, channel = draw.integers(-30_000, 300_000, 5_000), draw.integers(0, 12, 5_000)
    edges = np.arange(9) * 25_000 - 0.5, np.arange(13) - 0.5  # microseconds are whole: an edge belongs to what follows
    counts, _, _ = np.histogram2d(time, channel, edges)
    spikes = bin_events(time, channel, channels=12, num_steps=8, step=25_000)
    assert counts.max() > 1, "several events are one spike"
    assert np.array_equal(spikes, counts > 0)


def test_an_event_on_a_border_belongs_to_the_step_that_begins():
    time = np.array([-1, 0, 9, 10, 19, 20])
    spikes = [bin_events(time[[place]], np.zeros(1, int), 1, num_steps=2, step=10)[:, 0].tolist() for place in range(6)]
    nothing, first, second = [False, False], [True, False], [False, True]
    assert spikes == [nothing, first, first, second, second, nothing]


def test_pooled_units_are_the_or_of_neighbours(tmp_path, word):
    draw = np.random.default_rng(1)
    events = draw.uniform(0, 1, 400), draw.integers(0, 700, 400)
    write_spike_file(tmp_path / "shd" / "shd_train.h5", [events], [3], [0])
    (alone, _), (pooled, _) = (SHD(tmp_path, num_steps=10, step=100_000, channels=n)[0] for n in (700, 70))
    assert torch.equal(pooled, alone.view(10, 70, 10).amax(2))
    assert 0 < pooled.sum() < alone.sum()


def test_batches_are_time_first_and_recordings_are_theirs(tmp_path):
    for number in range(3):
        write_nmnist(tmp_path / "nmnist" / "Train" / "4" / f"0000{number}.bin", [(number, 2, 1, 1_000)])
    recordings = NMNIST(tmp_path, num_steps=2)
    spikes = recordings.spikes(torch.tensor([2, 0]))
    assert spikes.shape == (2, 2, 2 * 34 * 34)
    assert spikes.nonzero().tolist() == [[0, 0, 34 * 34 + 2 * 34 + 2], [0, 1, 34 * 34 + 2 * 34]]
    assert all(torch.equal(spikes[:, column], recordings[place][0]) for column, place in enumerate((2, 0)))
    assert torch.equal(recordings[-1][0], recordings[2][0])
    with pytest.raises(IndexError):
        recordings[3]


def test_events_are_binned_once_for_each_setting(tmp_path, word, cache, monkeypatch):
    path, binned = word(5), []
    monkeypatch.setattr("snn_synth.data.shd.bin_events", lambda *a: (binned.append(a), bin_events(*a))[1])
    first, again = SHD(tmp_path)[0][0], SHD(tmp_path, language="english")[0][0]
    assert len(binned) == 1
    assert torch.equal(first, again)
    SHD(tmp_path, num_steps=9), SHD(tmp_path, step=10), SHD(tmp_path, channels=70)
    assert len(binned) == 4
    assert len(list(cache.iterdir())) == 4
    before = path.stat()
    write_spike_file(path, [([0.01], [7])], [3], [0])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert SHD(tmp_path)[0][0].nonzero().tolist() == [[0, 7]], "another file under the name is read again"
    assert len(list(cache.iterdir())) == 4, "and takes the place of what came from the former"


def test_kept_spikes_that_are_damaged_are_made_again(tmp_path, word, cache):
    word(5)
    first = SHD(tmp_path)[0][0]
    [file] = cache.iterdir()
    whole = file.read_bytes()
    for damaged in (b"", whole[:-1], b"\xff" * 100):
        file.write_bytes(damaged)
        assert torch.equal(SHD(tmp_path)[0][0], first)
        assert file.read_bytes() == whole


def test_the_oldest_go_where_kept_spikes_take_too_much(tmp_path, word, cache, monkeypatch):
    word(5)
    SHD(tmp_path, num_steps=9)
    [oldest] = cache.iterdir()
    os.utime(oldest, (0, 0))
    SHD(tmp_path, num_steps=10)
    monkeypatch.setattr(binning, "MAX_CACHE", sum(file.stat().st_size for file in cache.iterdir()))
    SHD(tmp_path, num_steps=8)
    assert not oldest.exists()
    assert len(list(cache.iterdir())) == 2


def test_a_cache_that_cannot_be_written_is_no_obstacle(tmp_path, word, monkeypatch):
    word(5)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SNN_SYNTH_CACHE", str(tmp_path / "file"))
    assert SHD(tmp_path)[0][0].nonzero().tolist() == [[0, 5]]


@pytest.mark.parametrize("wrong", [{"num_steps": 0}, {"step": 0}, {"num_steps": 2**30, "step": 2**30}])
def test_steps_that_cannot_be(tmp_path, word, wrong):
    word(5)
    with pytest.raises(InputError, match="Expected time steps, and microseconds of each, of at least 1"):
        SHD(tmp_path, **wrong)


def test_time_may_be_as_long_as_a_float_holds_exactly():
    binning.check_steps(2**53, 1)
    binning.check_steps(2**26, 2**27)
    with pytest.raises(InputError, match=r"\(2\^53 in all\), got 9007199254740993 and 1"):
        binning.check_steps(2**53 + 1, 1)


def test_one_step_of_a_microsecond_is_the_least():
    binning.check_steps(1, 1)
    for steps, step in ((0, 1), (1, 0)):
        with pytest.raises(InputError, match=f"of at least 1 .* got {steps} and {step}"):
            binning.check_steps(steps, step)


def test_more_spikes_than_a_machine_holds_are_refused_before_they_are_made(tmp_path, word):
    word(5)
    with pytest.raises(InputError, match="got 1 recordings of 1000000000 steps of 700 channels"):
        SHD(tmp_path, num_steps=10**9, step=1)


def test_eight_gigabytes_of_spikes_are_the_most(tmp_path, monkeypatch):
    """The tensor that stands for what lies on disk has a shape and no memory."""
    monkeypatch.setattr(
        binning.decoded, "stored", lambda _, __, count: torch.empty(count, 8, dtype=torch.uint8, device="meta")
    )
    found = binning.binned([tmp_path / "file"], {}, iter(()), (1 << 30, 8, 8), "nothing")
    assert (found.data.shape, found.num_steps, found.neurons) == ((1 << 30, 8), 8, 8)
    with pytest.raises(InputError, match="at most 8 GB of spikes at a bit each, got 1073741825 recordings of 8 steps"):
        binning.binned([tmp_path / "file"], {}, iter(()), ((1 << 30) + 1, 8, 8), "nothing")


@pytest.fixture
def two_files(tmp_path):
    for name in "abc":
        (tmp_path / name).touch()
    return tmp_path


def spikes_of(seed, count=3, num_steps=5, channels=7):
    return np.random.default_rng(seed).random((count, num_steps, channels)) < 0.5


def test_the_first_file_names_what_is_kept_and_all_must_be_as_they_were(two_files, cache):
    def kept(files, spikes, **settings):
        packed = binning.binned([two_files / name for name in files], settings, iter(spikes), (3, 5, 7), "spikes")
        assert np.array_equal(unpack(packed).numpy(), spikes.transpose(1, 0, 2))
        return {path.name for path in cache.iterdir()}

    first = kept("ab", spikes_of(0), size=1, language="all")
    assert len(first) == 1
    assert kept("ab", spikes_of(0), language="all", size=1) == first
    assert kept("ac", spikes_of(1), size=1, language="all") == first
    assert len(kept("cb", spikes_of(2), size=1, language="all")) == 2


def test_what_an_earlier_version_kept_is_found(two_files, cache):
    """Its name is a hash of what the spikes depend on; another name, and all would be binned anew."""
    binning.binned([two_files / "a"], {"b": 2, "a": 1}, iter(spikes_of(0)), (3, 5, 7), "spikes")
    key = f'[1, "{two_files / "a"}", 5, 7, {{"a": 1, "b": 2}}]'
    assert [path.stem for path in cache.iterdir()] == [hashlib.sha256(key.encode()).hexdigest()]


def test_kept_spikes_of_another_shape_are_made_again(two_files, cache):
    binning.binned([two_files / "a"], {}, iter(spikes_of(0)), (3, 5, 7), "spikes")
    [file] = cache.iterdir()
    whole = file.read_bytes()
    decoded.store(file, decoded.state([two_files / "a"]), torch.zeros(3, 6, dtype=torch.uint8))
    found = binning.binned([two_files / "a"], {}, iter(spikes_of(0)), (3, 5, 7), "spikes")
    assert np.array_equal(unpack(found).numpy(), spikes_of(0).transpose(1, 0, 2))
    assert file.read_bytes() == whole


@pytest.mark.parametrize("count", [2, 4])
def test_as_many_recordings_as_were_told(two_files, count):
    with pytest.raises(ValueError, match="zip"):
        binning.binned([two_files / "a"], {}, iter(spikes_of(0, count)), (3, 5, 7), "spikes")


@pytest.mark.parametrize(("over", "stays"), [(0, True), (1, False)])
def test_sixteen_gigabytes_stay_and_no_more(two_files, cache, over, stays):
    """The old file is a hole of that size, which takes no space."""
    binning.binned([two_files / "a"], {}, iter(spikes_of(0)), (3, 5, 7), "spikes")
    [file] = cache.iterdir()
    old = cache / "old.safetensors"
    old.touch()
    os.truncate(old, (16 << 30) - 2 * file.stat().st_size + over)
    os.utime(old, (0, 0))
    binning.binned([two_files / "b"], {}, iter(spikes_of(1)), (3, 5, 7), "spikes")
    assert old.exists() == stays
    assert len(list(cache.iterdir())) == 2 + stays
