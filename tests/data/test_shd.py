"""SHD and SSC, from files that are written here in their format."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from snn_synth.data import SHD, SSC, spike_file
from snn_synth.errors import InputError
from tests.recordings import ENGLISH, GERMAN, write_spike_file


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SNN_SYNTH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "shd" / "shd_train.h5"


def some_words(count, events=200, seed=0):
    draw = np.random.default_rng(seed)
    return [(np.sort(draw.uniform(0, 1.4, events)), draw.integers(0, 700, events)) for _ in range(count)]


def histogram(time, unit, num_steps, step):
    """Whether there are events in each step and of each unit, by NumPy's own histogram."""
    micros = np.floor(np.asarray(time, np.float16).astype(np.float64) * 1e6)
    edges = np.arange(num_steps + 1) * step - 0.5, np.arange(701) - 0.5
    return np.histogram2d(micros, np.asarray(unit), edges)[0] > 0


def test_a_word_is_the_histogram_of_its_events(tmp_path, path):
    words = some_words(300)  # more than are read at once
    write_spike_file(path, words, np.arange(300) % 20, np.arange(300) % 7)
    data = SHD(tmp_path, num_steps=40, step=30_000)
    for place in (0, 17, 255, 256, 299):
        spikes, digit = data[place]
        assert np.array_equal(spikes.numpy() > 0, histogram(*words[place], 40, 30_000))
        assert digit == place % 10
    assert data.spikes(torch.arange(5)).shape == (40, 5, 700)
    assert data.speakers[:9] == ["0", "1", "2", "3", "4", "5", "6", "0", "1"]


def test_spikes_are_those_of_tonics_reader(tmp_path, path):
    datasets = pytest.importorskip("tonic.datasets")
    words = some_words(3)
    write_spike_file(path.parent.parent / "SHD" / "shd_train.h5", words, [3, 13, 9], [0, 1, 2])
    (path.parent.parent / "SHD" / "shd_train.h5.zip").touch()  # or tonic fetches it
    theirs = datasets.SHD(str(tmp_path), train=True)
    ours = SHD(tmp_path, num_steps=50, step=25_000)
    for place in range(3):
        events, label = theirs[place]
        expected = torch.zeros(50, 700)
        for time, unit in zip(events["t"], events["x"], strict=True):
            if time < 50 * 25_000:
                expected[time // 25_000, unit] = 1
        assert torch.equal(ours[place][0], expected)
        assert ours[place][1] == label % 10


def test_float16_seconds_are_scaled_as_float64(tmp_path, path):
    time = np.float16([0.0703125, 1.2001953125])  # times a million, both are infinite in float16
    write_spike_file(path, [(time, [1, 2])], [0], [0])
    spikes, _ = SHD(tmp_path, num_steps=13_000, step=100)[0]
    assert spikes.nonzero().tolist() == [[703, 1], [12_001, 2]]


def test_empty_recordings_are_silent(tmp_path, path):
    write_spike_file(path, [([], []), ([0.5], [3])], [0, 1], [0, 0])
    data = SHD(tmp_path)
    assert data[0][0].sum() == 0
    assert data[0][0].shape == (50, 700)
    assert data[1][0].sum() == 1


@pytest.mark.parametrize("keys", [ENGLISH + GERMAN, GERMAN + ENGLISH, tuple(word.upper() for word in GERMAN) + ENGLISH])
def test_language_and_digit_are_those_of_the_words(tmp_path, path, keys):
    labels = np.arange(20)
    write_spike_file(path, [([0.0], [label]) for label in labels], labels, labels, keys)
    found = {language: SHD(tmp_path, language=language) for language in ("english", "german", "both")}
    for language, words in (("english", ENGLISH), ("german", GERMAN)):
        chosen = found[language]
        places = [next(i for i, key in enumerate(keys) if key.lower() == word.lower()) for word in words]
        order = sorted(range(10), key=places.__getitem__)
        assert chosen.labels.tolist() == order
        assert chosen.spikes(torch.arange(10))[0].argmax(1).tolist() == sorted(places), "each keeps its own spikes"
        assert chosen.speakers == [str(place) for place in sorted(places)]
        assert set(chosen.languages) == {language}
        assert chosen.names == tuple("0123456789")
    assert len(found["both"]) == 20


def test_unknown_words_are_taken_by_number_and_said(tmp_path, path):
    write_spike_file(path, [([0.0], [0])] * 2, [3, 14], [0, 0], [f"class {number}" for number in range(20)])
    with pytest.warns(UserWarning, match="labels 0 to 9 are taken as English") as warned:
        data = SHD(tmp_path)
    assert warned[0].filename == __file__
    assert (data.labels.tolist(), data.languages) == ([3, 4], ["english", "german"])


def test_ssc_has_the_words_of_its_file(tmp_path):
    words, keys = some_words(3), ("yes", "no", "up")
    for part in ("train", "valid", "test"):
        write_spike_file(tmp_path / "ssc" / f"ssc_{part}.h5", words, [2, 0, 1], [7, 8, 9], keys)
        data = SSC(tmp_path, part, num_steps=20, step=70_000)
        assert (data.names, data.labels.tolist(), data.speakers) == (keys, [2, 0, 1], ["7", "8", "9"])
        assert np.array_equal(data[1][0].numpy() > 0, histogram(*words[1], 20, 70_000))
    with pytest.raises(InputError, match=r"Expected `part` of \['train', 'valid', 'test'\], got 'validation'"):
        SSC(tmp_path, "validation")


def _remove(name):
    def change(file):
        del file[name]

    return change


def _put(name, value):
    def change(file):
        del file[name]
        file[name] = value

    return change


def _lists(name, kind, *rows):
    def change(file):
        del file[name]
        lists = file.create_dataset(name, len(rows), h5py.vlen_dtype(kind))
        for row, values in enumerate(rows):
            lists[row] = np.asarray(values, kind)

    return change


FAULTS = {
    "no times": (_remove("spikes/times"), "Expected a list `spikes/times`, as SHD and SSC have it, got none"),
    "no spikes": (_remove("spikes"), "Expected a list `spikes/times`, as SHD and SSC have it, got none"),
    "no labels": (_remove("labels"), "Expected a list `labels`, as SHD and SSC have it, got none"),
    "no keys": (_remove("extra/keys"), "Expected a list `extra/keys`, as SHD and SSC have it, got none"),
    "no speakers": (_remove("extra/speaker"), "Expected a list `extra/speaker`, as SHD and SSC have it, got none"),
    "a table": (_put("labels", np.zeros((2, 2), int)), "Expected a list `labels`, .* got something else"),
    "times in one array": (
        _put("spikes/times", [0.1, 0.2]),
        "a list of floating numbers for each word in spikes/times",
    ),
    "units that are no integers": (_lists("spikes/units", float, [0], [1]), "a list of integers for each word in"),
    "labels that are no integers": (_put("labels", [0.5, 1.0]), "Expected integers in labels, got float64"),
    "a label beyond": (_put("labels", [0, 20]), "Expected labels from 0 to 19, .* got 20 of word 1"),
    "a label below": (_put("labels", [0, -1]), "Expected labels from 0 to 19, .* got -1 of word 1"),
    "fewer labels": (_put("labels", [0]), "Expected as many words in spikes/times as labels, 1, got 2"),
    "fewer speakers": (_put("extra/speaker", [0]), "Expected as many words in extra/speaker as labels, 2, got 1"),
    "a unit beyond": (_lists("spikes/units", np.int32, [5], [700]), "Expected units from 0 to 699, got 700 of word 1"),
    "a unit below": (_lists("spikes/units", np.int32, [-1], [5]), "Expected units from 0 to 699, got -1 of word 0"),
    "fewer units": (_lists("spikes/units", np.int32, [5], []), "a unit for each of the 1 times, got 0 units of word 1"),
    "no number": (_lists("spikes/times", np.float16, [np.nan], [0.1]), "times that are finite .* of word 0"),
    "no end": (_lists("spikes/times", np.float16, [0.1], [np.inf]), "times that are finite .* of word 1"),
    "other words": (_put("extra/keys", [b"yes", b"no"]), "Expected the digits in English and German as extra/keys"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_with_a_file_is_one_sentence(tmp_path, path, fault):
    write_spike_file(path, [([0.1], [5]), ([0.2], [6])], [0, 1], [0, 1])
    change, sentence = FAULTS[fault]
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(InputError, match=sentence) as error:
        SHD(tmp_path)
    assert str(path) in str(error.value)


def test_a_file_that_is_no_hdf5_or_ends_early(tmp_path, path):
    write_spike_file(path, some_words(20), range(20), [0] * 20)
    whole = path.read_bytes()
    for content in (b"", b"these are no spikes", whole[: len(whole) // 2], whole[:-100]):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"Expected an HDF5 file of SHD or SSC, got .*shd_train\.h5: "):
            SHD(tmp_path)


def test_times_beyond_all_numbers_are_past_the_end(tmp_path, path):
    write_spike_file(path, [([0.1], [5])], [0], [0])
    with h5py.File(path, "r+") as file:
        _lists("spikes/times", np.float64, [1e308])(file)
    assert SHD(tmp_path)[0][0].sum() == 0


def test_settings_that_cannot_be(tmp_path, path):
    with pytest.raises(
        InputError, match=r"Expected shd_train.h5 in .*shd, where it is not: unpack https://.*\.gz there"
    ):
        SHD(tmp_path)
    write_spike_file(path, [([0.1], [5])], [0], [0])
    with pytest.raises(InputError, match="Expected `channels` to be 700 or a divisor of it, got 64"):
        SHD(tmp_path, channels=64)
    with pytest.raises(InputError, match=r"Expected `language` of \['english', 'german', 'both'\], got 'french'"):
        SHD(tmp_path, language="french")
    with pytest.raises(InputError, match="Expected words in german, got none"):
        SHD(tmp_path, language="german")


def test_the_files_themselves():
    root = Path(os.environ.get("SNN_SYNTH_DATA", "nowhere"))
    if not any((root / name / "shd_train.h5").is_file() for name in ("shd", "SHD")):
        pytest.skip("SNN_SYNTH_DATA has no shd/shd_train.h5")
    train, test = SHD(root), SHD(root, train=False)
    assert (len(train), len(test)) == (8156, 2264)
    assert len(set(test.speakers) - set(train.speakers)) == 2
    assert set(train.languages) == {"english", "german"}


def test_50_steps_of_25_milliseconds_if_nothing_is_said(tmp_path):
    for name in ("shd/shd_train.h5", "ssc/ssc_train.h5"):
        write_spike_file(tmp_path / name, [([0.5], [5])], [3], [0])
        with h5py.File(tmp_path / name, "r+") as file:
            _lists("spikes/times", np.float64, [0, 0.0249995, 0.025, 1.2499995, 1.25])(file)
            _lists("spikes/units", np.int32, [0, 1, 2, 3, 4])(file)
    for data in (SHD(tmp_path), SSC(tmp_path)):
        assert data[0][0].shape == (50, 700)
        assert data[0][0].nonzero().tolist() == [[0, 0], [0, 1], [1, 2], [49, 3]]


def test_times_are_in_microseconds_and_none_before_the_start_counts(tmp_path, path):
    write_spike_file(path, [([0.5], [5])], [3], [0])
    with h5py.File(path, "r+") as file:
        _lists("spikes/times", np.float64, [-1e300, -0.5, -1e-7, 0, 1e-6, 1, 4000])(file)
        _lists("spikes/units", np.int32, range(7))(file)
    ((times, units),) = spike_file.SpikeFile(path).words()
    assert (times < 0).tolist() == [True] * 3 + [False] * 4
    assert times[3:].tolist() == [0, 1, 1_000_000, 4_000_000_000]
    assert units.tolist() == list(range(7))
    assert SHD(tmp_path, num_steps=2, step=1)[0][0].nonzero().tolist() == [[0, 3], [1, 4]]


@pytest.mark.parametrize("channels", [0, -7, 701])
def test_channels_that_cannot_be(tmp_path, path, channels):
    write_spike_file(path, [([0.5], [5])], [3], [0])
    with pytest.raises(InputError, match=f"a divisor of it, got {channels}"):
        SHD(tmp_path, channels=channels)


def test_all_units_may_share_a_channel(tmp_path, path):
    write_spike_file(path, [([0.0, 0.5], [5, 699])], [3], [0])
    assert SHD(tmp_path, channels=1)[0][0].nonzero().tolist() == [[0, 0], [20, 0]]


def test_the_digits_of_ssc(tmp_path):
    words = [([0.0], [unit]) for unit in range(4)]
    place = tmp_path / "ssc" / "ssc_train.h5"
    write_spike_file(place, words, [2, 0, 1, 2], [7, 8, 9, 6], ("yes", "nine", "zero"))
    data = SSC(tmp_path, digits=True)
    assert (data.labels.tolist(), data.speakers, data.names) == ([0, 9, 0], ["7", "9", "6"], tuple("0123456789"))
    assert [data[place][0].nonzero().tolist() for place in range(3)] == [[[0, 0]], [[0, 2]], [[0, 3]]]
    write_spike_file(place, words, [0, 0, 1, 1], [7, 8, 9, 6], ("yes", "no"))
    with pytest.raises(InputError, match="some of the words zero to nine in extra/keys"):
        SSC(tmp_path, digits=True)


def test_our_folder_comes_before_tonics(tmp_path, path):
    write_spike_file(path, [([0.5], [5])], [3], [0])
    write_spike_file(tmp_path / "SHD" / "shd_train.h5", [([0.5], [5])], [4], [0])
    assert SHD(tmp_path).labels.tolist() == [3]


@pytest.mark.parametrize("words", [1_000_000, 1_000_001])
def test_more_words_than_any_set_has_are_refused_by_their_number(tmp_path, path, words):
    write_spike_file(path, [([0.5], [5])], [3], [0])
    with h5py.File(path, "r+") as file:
        del file["spikes/times"]
        file.create_dataset("spikes/times", words, h5py.vlen_dtype(np.float16))  # nothing is written
    most, other = "at most 1000000 words, got 1000001 in spikes/times", "as many words in spikes/times as labels"
    with pytest.raises(InputError, match=most if words > 1_000_000 else other):
        SHD(tmp_path)


def test_the_first_wrong_unit_is_named(tmp_path, path):
    write_spike_file(path, [([0.1, 0.2, 0.3], [0, 700, 701])], [3], [0])
    with pytest.raises(InputError, match="Expected units from 0 to 699, got 700 of word 0"):
        SHD(tmp_path)
