import hashlib
import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from snn_synth.data import FSDD, fsdd, split_by_speaker
from snn_synth.data.spoken_words import files_sha256
from snn_synth.errors import InputError
from snn_synth.training import SpokenDigitsData
from tests.fuzz.harness import bounded

REAL = os.environ.get("SNN_SYNTH_DATA")
needs_data = pytest.mark.skipif(not REAL, reason="SNN_SYNTH_DATA is not set")


def wav(digit, take, rate=8000):
    buffer = io.BytesIO()
    samples = np.full(rate // 10, (digit + 1) / 16 + take / 1024)
    soundfile.write(buffer, samples, rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def recordings(takes=7):
    return {
        f"{digit}_{speaker}_{take}.wav": wav(digit, take)
        for speaker in ("george", "theo")
        for digit in range(10)
        for take in range(takes)
    }


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "fsdd" / "recordings"
    folder.mkdir(parents=True)
    for name, content in recordings().items():
        (folder / name).write_bytes(content)
    return tmp_path


def test_names_become_labels_speakers_and_takes(root):
    (root / "fsdd" / "recordings" / "notes.txt").touch()
    data = FSDD(root, download=False)
    assert len(data) == 140
    for index in range(140):
        name = f"{data.labels[index]}_{data.speakers[index]}_{data.takes[index]}.wav"
        assert data.files[index].name == name
        waveform, label = data[index]
        assert label == data.labels[index]
        assert waveform.shape == (800,)
        assert waveform[0] == pytest.approx((label + 1) / 16 + data.takes[index] / 1024, abs=1 / 32768)


def test_the_official_split_tests_on_takes_0_to_4(root):
    data = FSDD(root, download=False)
    train, test = data.official_split()
    assert (len(train), len(test)) == (40, 100)
    assert {data.takes[i] for i in test} == {0, 1, 2, 3, 4}
    assert {data.takes[i] for i in train} == {5, 6}
    assert data.official_test_mask[test].all()


def test_other_rates_are_resampled(root):
    (root / "fsdd" / "recordings" / "3_george_0.wav").write_bytes(wav(3, 0, rate=16000))
    data = FSDD(root, download=False)
    index = [file.name for file in data.files].index("3_george_0.wav")
    assert data[index][0].shape == (800,)


def test_the_fingerprint_follows_the_files(root):
    before = FSDD(root, download=False).fingerprint()
    assert before == FSDD(root, download=False).fingerprint()
    file = root / "fsdd" / "recordings" / "3_george_0.wav"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert FSDD(root, download=False).fingerprint() != before


def test_a_missing_recording_is_named(root):
    (root / "fsdd" / "recordings" / "3_george_2.wav").unlink()
    with pytest.raises(InputError, match=r"3_george_2\.wav in .*recordings"):
        FSDD(root)


def test_the_message_about_it_keeps_the_users_files(root):
    (root / "fsdd" / "recordings" / "3_theo_2.wav").unlink()
    with pytest.raises(InputError, match=r"copy it from release v1\.0\.10 .* or name another folder") as caught:
        FSDD(root)
    assert "remove" not in str(caught.value)


@pytest.mark.parametrize("name", ["9_theo_49.wav", "0_theo_0.wav"])
def test_all_fifty_takes_of_all_ten_digits_are_looked_for(tmp_path, name):
    folder = tmp_path / "fsdd" / "recordings"
    folder.mkdir(parents=True)
    for digit in range(10):
        for take in range(50):
            (folder / f"{digit}_theo_{take}.wav").touch()
    assert len(FSDD(tmp_path, download=False)) == 500
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"Expected {name} in"):
        FSDD(tmp_path, download=False)


def test_a_folder_that_cannot_be_read_is_told(root, monkeypatch):
    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refused)
    with pytest.raises(InputError, match=r"a folder that can be read, got .*recordings \(Permission denied\)"):
        FSDD(root, download=False)


def test_own_recordings_lie_beside_the_corpus(root):
    folder = root / "fsdd" / "recordings"
    stereo = io.BytesIO()
    soundfile.write(stereo, np.full((4410, 2), 0.25), 44100, format="WAV")
    own = ["3_Anna-Marie2_07.wav", "7_Jörg K._0.WAV", "0_my_phone_999999999999.wav", "4_theo_50.wav"]
    for name in own:
        (folder / name).write_bytes(stereo.getvalue())
    (folder / "5_folder_0.wav").mkdir()
    (folder / "._3_theo_0.wav").write_bytes(b"of another system")
    data = FSDD(root, download=False)
    assert len(data) == 144
    names = [file.name for file in data.files]
    keys = [(data.labels[i].item(), data.speakers[i], data.takes[i]) for i in map(names.index, own)]
    assert keys == [(3, "Anna-Marie2", 7), (7, "Jörg K.", 0), (0, "my_phone", 999999999999), (4, "theo", 50)]
    waveform, label = data[names.index(own[0])]
    assert (len(waveform), label) == (800, 3)
    assert waveform[400].item() == pytest.approx(0.25, abs=0.01)
    rest, mine = split_by_speaker(data.speakers, ["Anna-Marie2"])
    assert (len(rest), len(mine)) == (143, 1)


def test_own_recordings_alone_are_a_corpus(tmp_path):
    folder = tmp_path / "fsdd" / "recordings"
    folder.mkdir(parents=True)
    for digit in range(3):
        (folder / f"{digit}_Anna_{5 * digit}.wav").write_bytes(wav(digit, 0))
    assert FSDD(tmp_path, download=False).labels.tolist() == [0, 1, 2]


def test_a_corpus_of_test_recordings_alone_is_told(tmp_path, no_data):
    folder = tmp_path / "fsdd" / "recordings"
    folder.mkdir(parents=True)
    for digit in range(10):
        (folder / f"{digit}_Anna_0.wav").write_bytes(wav(digit, 0))
    data = SpokenDigitsData("fsdd", "mnist_subset", root=str(tmp_path), validation_fraction=0.0)
    with pytest.raises(InputError, match=r"Expected recordings to train on, got none beside .* set `split: random`"):
        data.setup("fit")


def test_an_empty_folder_is_told(root):
    for file in (root / "fsdd" / "recordings").iterdir():
        file.unlink()
    with pytest.raises(InputError, match=str(root)):
        FSDD(root)


def test_a_damaged_recording_is_named(root):
    (root / "fsdd" / "recordings" / "0_george_0.wav").write_bytes(b"no sound")
    with pytest.raises(InputError, match=r"0_george_0\.wav"):
        FSDD(root)[0]


def test_a_missing_folder_is_told_with_what_to_do(tmp_path):
    with pytest.raises(InputError) as caught:
        FSDD(tmp_path, download=False)
    for part in (str(tmp_path / "fsdd" / "recordings"), "0_george_0.wav", "SNN_SYNTH_DATA", "download=True"):
        assert part in str(caught.value)


def archive(files, links=()):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for name, target in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return buffer.getvalue()


@pytest.fixture
def release(server, monkeypatch, tmp_path):
    """A release with the expected recordings, and with members that try to get out of the folder."""
    files = {f"free-spoken-digit-dataset-1.0.10/recordings/{name}": c for name, c in recordings().items()}
    files["free-spoken-digit-dataset-1.0.10/README.md"] = b"read me"
    files["free-spoken-digit-dataset-1.0.10/recordings/../../../../escaped.wav"] = b"escaped"
    content = archive(files, links=[("x/recordings/9_eve_0.wav", "/etc/passwd")])
    (tmp_path / "check").write_bytes(content)
    monkeypatch.setattr(fsdd, "URL", server.url("/v1.0.10.tar.gz"))
    monkeypatch.setattr(fsdd, "SHA256", fsdd.archive_sha256(tmp_path / "check"))
    server.files["/v1.0.10.tar.gz"] = content
    return server


def test_a_download_unpacks_the_recordings_and_nothing_else(release, tmp_path):
    data = FSDD(tmp_path / "data")
    assert len(data) == 140
    folder = tmp_path / "data" / "fsdd"
    assert sorted(path.name for path in (folder / "recordings").iterdir()) == sorted(recordings())
    assert [path.name for path in folder.iterdir()] == ["recordings"]
    assert not list(tmp_path.rglob("escaped*"))


@pytest.mark.parametrize("change", ["other bytes", "missing", "no archive"])
def test_a_wrong_archive_leaves_nothing(release, tmp_path, change):
    files = recordings()
    if change == "other bytes":
        files["3_george_0.wav"] = b"x"
    if change == "missing":
        del files["3_george_0.wav"]
    content = archive({f"x/recordings/{name}": content for name, content in files.items()})
    release.files["/v1.0.10.tar.gz"] = b"<html>" if change == "no archive" else content
    with pytest.raises(InputError, match="SHA-256"):
        FSDD(tmp_path / "data")
    assert list((tmp_path / "data" / "fsdd").iterdir()) == []


def test_the_hash_is_over_names_and_bytes_in_the_order_of_the_names(tmp_path):
    files = {"b/recordings/1_theo_0.wav": b"one", "a/recordings/0_theo_0.wav": b"zero", "a/recordings/readme": b"no"}
    (tmp_path / "archive").write_bytes(archive(files))
    expected = hashlib.sha256(b"0_theo_0.wav" + b"zero" + b"1_theo_0.wav" + b"one").hexdigest()
    assert fsdd.archive_sha256(tmp_path / "archive") == expected


def test_an_archive_may_unpack_to_a_quarter_of_a_gigabyte():
    stream = fsdd._Bounded(io.BytesIO())
    assert stream.read(2**28 - 1) == stream.read(1) == b""
    with pytest.raises(tarfile.ReadError, match="unpacks to more than 268435456 bytes"):
        stream.read(1)


def test_an_archive_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(fsdd, "MAX_BYTES", 1 << 20)
    monkeypatch.setattr("tests.fuzz.harness.MEMORY", 100 << 20)
    bombs = {"recording": "x/recordings/0_theo_0.wav", "other": "x/README.md"}
    for name in bombs.values():
        (tmp_path / "bomb.tar.gz").write_bytes(archive({name: bytes(20 << 20)}))
        with pytest.raises(InputError, match="unpacks to more than 1048576 bytes"), bounded():
            fsdd.archive_sha256(tmp_path / "bomb.tar.gz")


@needs_data
def test_the_real_recordings_have_the_hash_that_a_download_is_checked_by():
    data = FSDD(download=False)
    files = sorted((file.name, file) for file in data.files)
    assert files_sha256(files) == fsdd.SHA256


@needs_data
def test_the_real_corpus_has_its_published_shape():
    data = FSDD(download=False)
    assert data.labels.bincount().tolist() == [300] * 10
    assert {speaker: data.speakers.count(speaker) for speaker in data.speakers} == dict.fromkeys(
        ("george", "jackson", "lucas", "nicolas", "theo", "yweweler"), 500
    )
    train, test = data.official_split()
    assert (len(train), len(test)) == (2700, 300)
    rest, held_out = split_by_speaker(data.speakers, ["theo"])
    assert (len(rest), len(held_out)) == (2500, 500)
    assert torch.isfinite(data[1234][0]).all()
