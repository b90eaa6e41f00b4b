from time import process_time

import numpy as np
import pytest
import soundfile
import torch

from snn_synth.data import AudioFolder, read_audio, resample
from snn_synth.errors import InputError


def write(path, rate=8000, seconds=0.2, frequency=400, channels=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(int(rate * seconds)) / rate
    soundfile.write(path, np.stack([0.5 * np.sin(2 * np.pi * frequency * time)] * channels, 1), rate)


@pytest.fixture
def root(tmp_path):
    write(tmp_path / "sun" / "1.wav", rate=44100, channels=2)
    write(tmp_path / "sun" / "2.flac", rate=16000, seconds=0.5)
    write(tmp_path / "cat" / "ann" / "1.ogg")
    write(tmp_path / "cat" / "bob" / "1.wav")
    write(tmp_path / "cat" / "bob" / "2.wav", frequency=500)
    return tmp_path


def test_a_folder_for_each_word(root):
    corpus = AudioFolder(root)
    assert corpus.names == ("cat", "sun")
    assert corpus.labels.tolist() == [0, 0, 0, 1, 1]
    assert corpus.speakers == ["ann", "bob", "bob", "", ""]
    assert corpus.takes == [0, 0, 1, 0, 1]
    assert corpus.official_split() is None
    for place in range(5):
        waveform, label = corpus[place]
        assert torch.equal(waveform, resample(*read_audio(corpus.files[place]), 16000))
        assert label == corpus.labels[place]
    assert [len(corpus[place][0]) for place in (1, 3, 4)] == [3200, 3200, 8000]
    assert len(AudioFolder(root, sample_rate=8000)[4][0]) == 4000


def test_the_folder_next_to_the_word_is_the_speaker_whatever_lies_in_it(tmp_path):
    for name in ("cat/ann/monday/1.wav", "cat/ann/tuesday/1.wav", "dog/1.wav"):
        write(tmp_path / name)
    corpus = AudioFolder(tmp_path)
    assert (corpus.speakers, corpus.takes) == (["ann", "ann", ""], [0, 1, 0])


def test_rates_that_are_taken(root):
    assert [AudioFolder(root, sample_rate=rate).sample_rate for rate in (1, 384_000)] == [1, 384_000]
    for rate in (0, 384_001):
        with pytest.raises(InputError, match=f"whole number from 1 to 384000, got {rate}"):
            AudioFolder(root, sample_rate=rate)


def test_no_name_is_the_folder_in_which_one_is(root, monkeypatch):
    monkeypatch.chdir(root)
    assert AudioFolder("").names == ("cat", "sun")


def test_a_manifest_names_words_speakers_and_split(root):
    lines = [
        "path;label;speaker;split",
        "sun/1.wav;Sonne;ann;train",
        f"{root / 'cat' / 'bob' / '1.wav'};Katze;ann;train",
        "sun/2.flac;Sonne;ann;test",
    ]
    (root / "words.csv").write_text("\n".join(lines))
    corpus = AudioFolder(root / "words.csv")
    assert corpus.names == ("Katze", "Sonne")
    assert corpus.labels.tolist() == [1, 0, 1]
    assert corpus.speakers == ["ann"] * 3
    assert corpus.takes == [0, 0, 1]
    train, test = corpus.official_split()
    assert (train.tolist(), test.tolist()) == ([0, 1], [2])
    assert len(corpus.fingerprint()) == 64
    assert (corpus.folder, AudioFolder(root).folder) == (root, root)


def test_a_split_by_folders(tmp_path):
    for name in ("train/cat/1.wav", "train/dog/1.wav", "test/dog/1.wav"):
        write(tmp_path / name)
    train, test = AudioFolder(tmp_path).official_split()
    assert (train.tolist(), test.tolist()) == ([0, 1], [2])


def test_the_fingerprint_follows_the_files(root):
    before = AudioFolder(root).fingerprint()
    assert AudioFolder(root).fingerprint() == before
    write(root / "sun" / "1.wav", frequency=450)
    assert AudioFolder(root).fingerprint() != before


def test_a_file_that_cannot_be_read_is_named_or_left_out(root):
    (root / "sun" / "0.wav").write_bytes(b"RIFF, more or less")
    soundfile.write(root / "cat" / "silent.wav", np.zeros(800), 8000)
    (root / "cat" / "phone.m4a").write_bytes(b"\0\0\0\x20ftypM4A ")
    corpus = AudioFolder(root)
    for name, sentence in (("0.wav", "0.wav"), ("silent.wav", "silence in .*silent.wav"), ("phone.m4a", "convert it")):
        place = [file.name for file in corpus.files].index(name)
        with pytest.raises(InputError, match=sentence):
            corpus[place]
    with pytest.warns(UserWarning, match=r"Left out 3 files, the first: .*phone.m4a"):
        kept = AudioFolder(root, skip_unreadable=True)
    assert len(kept) == 5
    for file in (root / "sun").iterdir():
        file.write_bytes(b"")
    with pytest.raises(InputError, match="Expected recordings of 'sun'"), pytest.warns(match="Left out"):
        AudioFolder(root, skip_unreadable=True)


def test_what_is_no_corpus(root, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(InputError, match=r"a folder of sounds, .* or a manifest, got no .*nowhere"):
        AudioFolder(root / "nowhere")
    write(empty / "cat" / "1.wav")
    with pytest.raises(InputError, match="at least two words, got only 'cat' in"):
        AudioFolder(empty)
    (empty / "dog").mkdir()
    with pytest.raises(InputError, match=r"sounds .* in the folder of each class, got none in .*dog"):
        AudioFolder(empty)
    with pytest.raises(InputError, match=r"a manifest in UTF-8, got .*1.wav|columns path and label"):
        AudioFolder(root / "cat" / "bob" / "1.wav")
    with pytest.raises(InputError, match="`sample_rate` to be a whole number"):
        AudioFolder(root, sample_rate=0)


def test_a_word_that_is_only_tested(tmp_path):
    for name in ("train/cat/1.wav", "train/dog/1.wav", "test/sun/1.wav"):
        write(tmp_path / name)
    with pytest.raises(InputError, match="Expected recordings of 'sun' to train with"):
        AudioFolder(tmp_path)


def test_a_word_for_each_recording_takes_no_longer(root):
    """A search through all words for each recording would take minutes where there are many."""
    ways = ["".join("cat/../" if (number >> bit) & 1 else "sun/../" for bit in range(14)) for number in range(1 << 14)]
    lines = [f"{way}cat/bob/1.wav,word {number}" for number, way in enumerate(ways)]
    (root / "many.csv").write_text("\n".join(["path,label", *lines]) + "\n")
    start = process_time()
    assert len(AudioFolder(root / "many.csv").names) == 1 << 14
    assert process_time() - start < 4
