import struct
import subprocess
import sys

import numpy as np
import pytest
import torch

from snn_synth.data import MNISTDVS, event_spikes, mnist_dvs, read_events
from snn_synth.errors import InputError
from tests.recordings import write_aedat

EVENTS = [(50, 60, 1, 7_000), (48, 73, 0, 7_100), (127, 0, 1, 30_000), (60, 60, 0, 57_000)]


def write_recordings(folder, digits=range(10), each=10, events=EVENTS):
    for digit in digits:
        for number in range(1, each + 1):
            name = f"mnist_{digit}_scale04_{number:04d}.aedat"
            write_aedat(folder / "mnist_dvs" / f"grabbed_data{digit}" / "scale4" / name, events)


def test_events_are_read_as_they_were_recorded(tmp_path):
    write_aedat(tmp_path / "one.aedat", EVENTS)
    row, column, polarity, time = read_events(tmp_path / "one.aedat")
    first = EVENTS[0][3]
    assert list(zip(row.tolist(), column.tolist(), polarity.tolist(), (time + first).tolist(), strict=True)) == EVENTS


@pytest.mark.parametrize("header", [b"", b"# made by hand\r\n"])
def test_an_event_with_the_byte_of_a_line_end_is_no_line_of_the_header(header, tmp_path):
    """Ten microseconds are b"\\n", as is the column five of an event that is OFF."""
    events = b"".join(struct.pack(">II", row << 8 | 5 << 1, time) for row, time in ((10, 10), (35, 0x0A23)))
    (tmp_path / "one.aedat").write_bytes(b"#!AER-DAT2.0\r\n" + header + events)
    found = [part.tolist() for part in read_events(tmp_path / "one.aedat")]
    assert found == [[10, 35], [5, 5], [0, 0], [0, 0x0A23 - 10]]


def test_events_are_those_that_tonic_reads(tmp_path):
    tonic = pytest.importorskip("tonic.io")
    path = str(tmp_path / "one.aedat")
    write_aedat(tmp_path / "one.aedat", EVENTS)
    version, start, *_ = tonic.read_aedat_header_from_file(path)
    events = tonic.get_aer_events_from_file(path, version, start)
    row, column, polarity, time = read_events(path)
    assert (row << 8 | column << 1 | polarity).tolist() == events["address"].tolist()
    assert time.tolist() == (events["timeStamp"] - events["timeStamp"][0]).tolist()


def test_spikes_are_the_events_around_the_digit_in_time_steps():
    generator = np.random.default_rng(0)
    events = np.stack([generator.integers(0, high, 3_000) for high in (128, 128, 2, 120_000)])
    expected = torch.zeros(4, 2, 26, 26)
    for row, column, polarity, time in events.T:
        if 48 <= row <= 73 and 48 <= column <= 73 and time < 100_000:
            expected[time // 25_000, polarity, row - 48, column - 48] = 1
    found = event_spikes(*torch.from_numpy(events), num_steps=4, step=25_000)
    assert torch.equal(found, expected)
    assert 50 < found.sum() < 200


def test_an_event_before_the_first_is_left_out():
    assert event_spikes(*torch.tensor([[50], [50], [1], [-7]]), num_steps=3, step=5).sum() == 0


def test_recordings_are_found_and_split_by_digit(tmp_path):
    write_recordings(tmp_path, digits=(3, 1), each=10)
    write_aedat(tmp_path / "mnist_dvs" / "grabbed_data1" / "scale8" / "mnist_1_scale08_0001.aedat", EVENTS)
    train, test = MNISTDVS(tmp_path, train=True, num_steps=3), MNISTDVS(tmp_path, train=False, num_steps=3)
    assert train.labels.tolist() == [1] * 9 + [3] * 9
    assert [path.name for path in test.files] == ["mnist_1_scale04_0010.aedat", "mnist_3_scale04_0010.aedat"]
    spikes, label = test[1]
    assert label == 3
    assert spikes.nonzero().tolist() == [[0, 0, 0, 25], [0, 1, 2, 12], [2, 0, 12, 12]]


@pytest.mark.parametrize(("bound", "reads"), [(1 << 20, 3), (2 * 3 * 2 * 26 * 26 // 8, 4)])
def test_recordings_are_read_once_as_far_as_memory_is_given(bound, reads, tmp_path, monkeypatch):
    write_recordings(tmp_path, digits=(3,), each=4)
    recordings, read = MNISTDVS(tmp_path, num_steps=3), []
    monkeypatch.setattr("snn_synth.data.mnist_dvs.MAX_KEPT", bound)
    monkeypatch.setattr("snn_synth.data.mnist_dvs.read_events", lambda path: (read.append(path), read_events(path))[1])
    first, again = ([recordings[index][0] for index in range(3)] for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert first[0].sum() == 3
    assert len(read) == reads


def test_bad_input(tmp_path):
    with pytest.raises(InputError, match=r"found none: unpack grabbed_data0.zip to grabbed_data9.zip"):
        MNISTDVS(tmp_path)
    write_recordings(tmp_path, digits=(0,), each=1)
    with pytest.raises(InputError, match=r"of at least 1 .* got 0 and 25000"):
        MNISTDVS(tmp_path, num_steps=0)
    damaged = tmp_path / "damaged.aedat"
    damaged.write_bytes(b"\x00\x01\x02")
    with pytest.raises(InputError, match=r"Expected a recording of a DVS128 in AEDAT 2.0, got .*damaged.aedat"):
        read_events(damaged)


def test_headers_and_sizes_that_lie_cost_nothing(tmp_path, monkeypatch):
    path = tmp_path / "one.aedat"
    write_aedat(path, EVENTS)
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])  # the camera was unplugged
    assert len(read_events(path)[0]) == len(EVENTS) - 1
    packet = struct.pack("<2HIIIIII", 1, 0, 8, 4, 0, 2**32 - 1, 0, 0)
    path.write_bytes(b"#!AER-DAT3.1\r\n" + packet)  # another format: so many events, of 8 bytes each, to come
    with pytest.raises(InputError, match=r"AEDAT 2\.0, got .*one\.aedat"):
        read_events(path)
    path.write_bytes(whole)
    monkeypatch.setattr("snn_synth.data.mnist_dvs.MAX_BYTES", 100)
    with pytest.raises(InputError, match="got more than 100 bytes"):
        read_events(path)


def test_a_header_of_many_lines_costs_no_more_than_its_file(tmp_path):
    path = tmp_path / "lines.aedat"
    path.write_bytes(b"#!AER-DAT2.0\r\n" + 2_000_000 * b"#\n" + struct.pack(">II", 50 << 8 | 1, 7))
    code = (
        "import resource, sys; from snn_synth.data import read_events\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "row, *_ = read_events(sys.argv[1])\n"
        "print(row.tolist(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    rows, kilobytes = done.stdout.rsplit(maxsplit=1)
    assert rows == "[50]"
    assert int(kilobytes) < 30_000


def test_no_package_beside_ours_is_needed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tonic", None)
    write_recordings(tmp_path, digits=(0,), each=1)
    assert len(MNISTDVS(tmp_path)) == 1


@pytest.mark.parametrize(("each", "train", "test"), [(1, 1, 0), (2, 1, 1), (9, 8, 1), (20, 18, 2)])
def test_nine_tenths_of_the_recordings_and_one_at_least_train(each, train, test, tmp_path):
    write_recordings(tmp_path, digits=(4,), each=each)
    assert (len(MNISTDVS(tmp_path)), len(MNISTDVS(tmp_path, train=False))) == (train, test)


def test_80_steps_of_25_milliseconds_if_nothing_is_said(tmp_path):
    times = [0, 24_999, 25_000, 80 * 25_000 - 1, 80 * 25_000]
    events = [(50, 50 + place, 1, time) for place, time in enumerate(times)]
    write_recordings(tmp_path, digits=(4,), each=1, events=events)
    expected = [[0, 1, 2, 2], [0, 1, 2, 3], [1, 1, 2, 4], [79, 1, 2, 5]]
    spikes, _ = MNISTDVS(tmp_path)[0]
    assert (len(spikes), spikes.nonzero().tolist()) == (80, expected)
    again = event_spikes(*torch.tensor(events).T)
    assert torch.equal(again, spikes)


def test_a_recording_may_be_as_large_as_the_limit(tmp_path, monkeypatch):
    path = tmp_path / "one.aedat"
    write_aedat(path, EVENTS)
    monkeypatch.setattr(mnist_dvs, "MAX_BYTES", path.stat().st_size)
    assert len(read_events(path)[0]) == len(EVENTS)
    monkeypatch.undo()
    with path.open("r+b") as file:
        file.truncate(64 * 2**20 + 1)
    with pytest.raises(InputError, match="got more than 67108864 bytes"):
        read_events(path)
    assert mnist_dvs.MAX_KEPT == 2**30, "1 GB, as documented"
