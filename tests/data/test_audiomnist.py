import numpy as np
import pytest
import soundfile

from snn_synth.data import AudioMNIST, leave_one_speaker_out
from snn_synth.data.audiomnist import GROUPS
from snn_synth.errors import InputError


def write(folder, speakers, takes=2):
    """The published layout: two takes of the digits 0 and 9 by each speaker, and what else lies there."""
    for speaker in speakers:
        (folder / speaker).mkdir(parents=True)
        for digit in (0, 9):
            for take in range(takes):
                samples = np.full(4800, (digit + 1) / 16)
                soundfile.write(folder / speaker / f"{digit}_{speaker}_{take}.wav", samples, 48000)
    (folder / "audioMNIST_meta.txt").write_text("{}")
    (folder / speakers[0] / "notes.txt").touch()


@pytest.mark.parametrize("place", ["audiomnist/data", "audiomnist", "AudioMNIST/data"])
def test_names_become_labels_speakers_and_takes(tmp_path, place):
    write(tmp_path / place, ["01", "12", "26"])
    corpus = AudioMNIST(tmp_path)
    assert len(corpus) == 12
    for index, file in enumerate(corpus.files):
        assert file.name == f"{corpus.labels[index]}_{corpus.speakers[index]}_{corpus.takes[index]}.wav"
    waveform, label = corpus[2]
    assert (len(waveform), label, corpus.sample_rate, corpus.names[9]) == (4800, 9, 48000, "9")
    assert waveform[0].item() == pytest.approx(10 / 16, abs=1e-3)
    assert len(leave_one_speaker_out(corpus.speakers, ["12"])[1]) == 4


def test_the_folds_are_a_partition_of_the_speakers():
    assert sorted(speaker for group in GROUPS for speaker in group) == list(range(1, 61))
    assert {len(group) for group in GROUPS} == {12}


@pytest.mark.parametrize(("fold", "speaker"), [(0, "26"), (1, "01"), (4, "12")])
def test_a_fold_tests_on_its_speakers(tmp_path, fold, speaker):
    write(tmp_path / "audiomnist", ["01", "12", "26"])
    corpus = AudioMNIST(tmp_path, fold)
    train, test = corpus.official_split()
    assert {corpus.speakers[index] for index in test} == {speaker}
    assert {corpus.speakers[index] for index in train} == {"01", "12", "26"} - {speaker}


def test_the_first_fold_is_meant_where_none_is_named(tmp_path):
    write(tmp_path / "audiomnist", ["01", "12", "26"])
    corpus = AudioMNIST(tmp_path)
    assert {corpus.speakers[index] for index in corpus.official_split()[1]} == {"26"}
    for fold in (-1, 5):
        with pytest.raises(InputError, match=f"`fold` to be a whole number from 0 to 4, got {fold}"):
            AudioMNIST(tmp_path, fold)


def test_files_of_others_and_what_is_no_speaker_are_left_out(tmp_path):
    folder = tmp_path / "audiomnist"
    write(folder, ["01", "12"])
    for name in ("02", "notes/0_03_0.wav", "01/0_12_7.wav", "01/0_01_0.wav.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    assert AudioMNIST(tmp_path).speakers == ["01"] * 4 + ["12"] * 4


def test_what_is_not_there(tmp_path):
    with pytest.raises(InputError) as caught:
        AudioMNIST(tmp_path)
    for part in (str(tmp_path / "audiomnist" / "data"), "https://github.com/soerenab/AudioMNIST", "SNN_SYNTH_DATA"):
        assert part in str(caught.value)
    (tmp_path / "audiomnist" / "01").mkdir(parents=True)
    with pytest.raises(InputError, match=r"recordings such as 01/0_01_0.wav in .*, found none"):
        AudioMNIST(tmp_path)
    with pytest.raises(InputError, match="`fold` to be a whole number from 0 to 4, got 5"):
        AudioMNIST(tmp_path, fold=5)
