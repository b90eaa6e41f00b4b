import hashlib
import io
import tarfile

import numpy as np
import pytest
import soundfile

from snn_synth.data import DIGIT_WORDS, SpeechCommands, speech_commands
from snn_synth.errors import InputError

SPEAKERS = ("0a2b400e", "1bc45db9", "ffd2ba2f")


def wav(value):
    buffer = io.BytesIO()
    soundfile.write(buffer, np.full(1600, value), 16000, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def files():
    """The published layout: three speakers, of whom one tests and one validates."""
    spoken = {
        f"{word}/{speaker}_nohash_{take}.wav": wav((digit + 1) / 16)
        for digit, word in enumerate((*DIGIT_WORDS, "cat"))
        for speaker in SPEAKERS
        for take in range(2)
    }
    lists = {
        name: "\n".join(path for path in spoken if speaker in path).encode()
        for name, speaker in (("testing_list.txt", SPEAKERS[2]), ("validation_list.txt", SPEAKERS[1]))
    }
    return spoken | lists | {"_background_noise_/pink_noise.wav": wav(0.5), "LICENSE": b"CC BY 4.0"}


def unpacked(folder, content):
    for name, data in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


@pytest.mark.parametrize("place", speech_commands.PLACES)
def test_names_become_labels_speakers_and_takes(tmp_path, place):
    unpacked(tmp_path / place, files())
    corpus = SpeechCommands(tmp_path, download=False)
    assert len(corpus) == 60
    for index, file in enumerate(corpus.files):
        assert file.name == f"{corpus.speakers[index]}_nohash_{corpus.takes[index]}.wav"
        assert DIGIT_WORDS.index(file.parent.name) == corpus.labels[index]
    waveform, label = corpus[0]
    assert waveform[0].item() == pytest.approx((label + 1) / 16, abs=1e-3)
    assert (len(waveform), corpus.sample_rate, corpus.names[9]) == (1600, 16000, "9")


def test_the_split_is_the_published_one(tmp_path):
    unpacked(tmp_path / "speech_commands", files())
    corpus = SpeechCommands(tmp_path)
    train, test = corpus.official_split()
    assert {corpus.speakers[index] for index in test} == {SPEAKERS[2]}
    assert {corpus.speakers[index] for index in train} == set(SPEAKERS[:2])


def test_silent_recordings_are_left_out_on_request(tmp_path):
    unpacked(tmp_path / "speech_commands", files() | {f"two/{SPEAKERS[0]}_nohash_0.wav": wav(0.0)})
    corpus = SpeechCommands(tmp_path)
    place = [file.parent.name + file.name for file in corpus.files].index(f"two{SPEAKERS[0]}_nohash_0.wav")
    with pytest.raises(InputError, match="silence"):
        corpus[place]
    with pytest.warns(UserWarning, match="Left out 1 file,") as warned:
        assert len(SpeechCommands(tmp_path, skip_unreadable=True)) == 59
    assert warned[0].filename == __file__


def test_what_is_not_there(tmp_path):
    with pytest.raises(InputError) as caught:
        SpeechCommands(tmp_path, download=False)
    for part in (str(tmp_path / "speech_commands"), speech_commands.URLS[0], "SNN_SYNTH_DATA", "download=True"):
        assert part in str(caught.value)
    unpacked(tmp_path / "speech_commands", {name: data for name, data in files().items() if "seven" not in name})
    with pytest.raises(InputError, match=r"recordings such as seven/0a2b400e_nohash_0.wav in .*, found none"):
        SpeechCommands(tmp_path)


@pytest.fixture
def release(server, monkeypatch):
    """The archive, with members that try to get out of the folder, and a function that puts another in its place."""

    def publish(content, checked=True):
        monkeypatch.setattr(speech_commands, "URLS", [server.url("/commands.tar.gz")])
        server.files["/commands.tar.gz"] = content
        if checked:
            monkeypatch.setattr(speech_commands, "SHA256", hashlib.sha256(content).hexdigest())

    return publish


def archive(content):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def test_a_download_keeps_the_digits_and_the_lists(release, tmp_path):
    name = f"{SPEAKERS[0]}_nohash_9.wav"
    release(archive({f"./{path}": data for path, data in files().items()} | {f"../../zero/{name}": wav(0.5)}))
    assert len(SpeechCommands(tmp_path / "data")) == 60
    folder = tmp_path / "data" / "speech_commands"
    lists = {"LICENSE", "testing_list.txt", "validation_list.txt"}
    assert {path.name for path in folder.iterdir()} == {*DIGIT_WORDS, *lists}
    assert [path.name for path in folder.parent.iterdir()] == ["speech_commands"]
    assert not list(tmp_path.rglob(name))


def test_a_wrong_archive_leaves_nothing(release, tmp_path):
    release(archive(files()))
    release(archive({"zero/x": b""}), checked=False)
    with pytest.raises(InputError, match="expected SHA-256"):
        SpeechCommands(tmp_path / "data")
    release(b"no archive")
    with pytest.raises(InputError, match="Expected a tar archive"):
        SpeechCommands(tmp_path / "data")
    assert not (tmp_path / "data" / "speech_commands").exists()


def test_of_an_archive_only_recordings_of_digits_and_lists_are_unpacked(release, tmp_path):
    """Neither other files in their folders, nor deeper ones, nor what is too large to be a recording."""
    name = f"{SPEAKERS[0]}_nohash_"
    others = {"zero/notes.txt": b"", f"zero/one/{name}3.wav": wav(0.5), f"zero/{name}4.wav": bytes(2**20 + 1)}
    release(archive(files() | others | {f"zero/{name}5.wav": bytes(2**20)}))
    assert len(SpeechCommands(tmp_path)) == 61
    folder = tmp_path / "speech_commands" / "zero"
    spoken = {f"{speaker}_nohash_{take}.wav" for speaker in SPEAKERS for take in range(2)}
    assert {path.name for path in folder.iterdir()} == spoken | {f"{name}5.wav"}


def test_what_may_be_fetched_is_a_little_more_than_the_archive(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(speech_commands, "fetch", lambda *_, max_bytes: asked.append(max_bytes) or tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        SpeechCommands(tmp_path)
    assert 2_428_923_189 < asked[0] < 3e9
