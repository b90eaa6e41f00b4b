import os
import unicodedata

import pytest

from snn_synth.data import class_folders
from snn_synth.data.class_folders import class_files
from snn_synth.errors import InputError

SUFFIXES = {".wav", ".mp3"}


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def found(root):
    return [(file.path.relative_to(root).as_posix(), *file[1:]) for file in class_files(root, SUFFIXES, "sounds")]


def test_folders_are_classes_and_folders_in_them_are_kept(tmp_path):
    touch(tmp_path, "dog/b.WAV", "dog/ann/a.wav", "cat/x.mp3", ".hidden/a.wav", "__MACOSX/a.wav", "cat/.a.wav", "a.txt")
    assert found(tmp_path) == [
        ("cat/x.mp3", "cat", "", ()),
        ("dog/b.WAV", "dog", "", ()),
        ("dog/ann/a.wav", "dog", "", ("ann",)),
    ]


def test_train_and_test_are_parts(tmp_path):
    touch(tmp_path, "train/cat/1.wav", "train/dog/1.wav", "test/cat/1.wav")
    assert [file[1:3] for file in found(tmp_path)] == [("cat", "train"), ("dog", "train"), ("cat", "test")]
    touch(tmp_path, "cat/1.wav")
    with pytest.raises(InputError, match=r"no folder beside train and test in .*, got 'cat'"):
        found(tmp_path)


def test_train_and_test_may_be_words(tmp_path):
    touch(tmp_path, "train/1.wav", "test/1.wav")
    assert [file[1:3] for file in found(tmp_path)] == [("test", ""), ("train", "")]


def test_names_have_one_form(tmp_path):
    touch(tmp_path, unicodedata.normalize("NFD", "café/1.wav"), "東京/1.wav")
    assert [name for _, name, _, _ in found(tmp_path)] == [unicodedata.normalize("NFC", "café"), "東京"]


def test_other_files_are_left_out_with_a_warning(tmp_path):
    touch(tmp_path, "cat/1.wav", "cat/notes.txt", "dog/1.wav", "dog/cover.jpg")
    with pytest.warns(UserWarning, match=r"Left out 2 files in .* without the suffix of sounds, such as .*notes.txt"):
        assert len(found(tmp_path)) == 2


def test_the_warning_names_the_line_that_asked_for_the_files(tmp_path):
    touch(tmp_path, "cat/1.wav", "cat/notes.txt", "dog/1.wav")
    with pytest.warns(UserWarning, match="Left out 1 file") as caught:
        class_files(tmp_path, SUFFIXES, "sounds")
    assert [warning.filename for warning in caught] == [__file__]


def test_a_million_files_are_the_most(tmp_path, monkeypatch):
    assert class_folders.MAX_FILES == 2**20
    monkeypatch.setattr(class_folders, "MAX_FILES", 4)
    touch(tmp_path, "cat/1.wav", "cat/2.wav", "cat/notes.txt", "dog/1.wav")
    with pytest.warns(UserWarning, match="Left out 1 file"):
        assert len(found(tmp_path)) == 3
    touch(tmp_path, "dog/notes.txt")
    with pytest.raises(InputError, match="at most 4 files, got more in"):
        found(tmp_path)


def test_a_folder_with_the_name_of_a_sound_is_a_class(tmp_path):
    touch(tmp_path, "one.wav/1.wav", "two.wav/1.wav")
    assert [file[1] for file in found(tmp_path)] == ["one.wav", "two.wav"]


def test_what_systems_leave_in_a_folder_is_not_even_told(tmp_path, recwarn):
    touch(tmp_path, "cat/1.wav", "cat/Thumbs.db", "cat/desktop.ini", "cat/__MACOSX/1.wav", "cat/.DS_Store", "dog/1.wav")
    assert len(found(tmp_path)) == 2
    assert not recwarn.list


def test_train_and_test_are_words_where_no_word_lies_in_train(tmp_path):
    touch(tmp_path, "train/1.wav", "test/ann/1.wav")
    assert [file[1:] for file in found(tmp_path)] == [("test", "", ("ann",)), ("train", "", ())]
    other = tmp_path / "train"
    touch(other, "train/ann/1.wav", "dog/1.wav")
    (other / "1.wav").unlink()
    assert [file[1:] for file in found(other)] == [("dog", "", ()), ("train", "", ("ann",))]


@pytest.mark.parametrize("number", [1, 2])
def test_a_folder_that_cannot_be_read_is_told(tmp_path, monkeypatch, number):
    """Of the listing of the classes, and of the walk through one of them."""

    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    touch(tmp_path, "cat/1.wav", "dog/1.wav")
    monkeypatch.setattr(os, "listdir" if number == 1 else "scandir", refused)
    with pytest.raises(InputError, match=rf"a folder that can be read, got {tmp_path}.* \(Permission denied\)"):
        found(tmp_path)


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (["1.wav", "2.mp3"], {("mine", "")}),
        (["train/1.wav", "test/1.wav"], {("mine", "train"), ("mine", "test")}),
        (["train/1.wav", "test/1.wav", "more/1.wav"], {("train", ""), ("test", ""), ("more", "")}),
        (["train/1.wav", "test/ann/1.wav"], {("train", ""), ("test", "")}),
        (["cat/1.wav", "dog/1.wav"], {("cat", ""), ("dog", "")}),
    ],
)
def test_files_without_folders_are_one_class_where_that_is_asked_for(tmp_path, names, classes):
    touch(tmp_path / "mine", *names)
    files = class_files(tmp_path / "mine", SUFFIXES, "sounds", one_class=True)
    assert {file[1:3] for file in files} == classes
    assert len(files) == len(names)


def test_files_beside_folders_are_no_class(tmp_path):
    touch(tmp_path, "1.wav", "cat/1.wav")
    with pytest.raises(InputError, match=r"got 1 in .* itself, such as 1.wav"):
        class_files(tmp_path, SUFFIXES, "sounds", one_class=True)


def test_a_circle_of_links_ends(tmp_path):
    touch(tmp_path, "cat/1.wav", "dog/1.wav")
    (tmp_path / "cat" / "again").symlink_to(tmp_path)
    assert len(found(tmp_path)) == 2


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "a folder of sounds for each class in .*, got no folder there"),
        (["1.wav", "2.mp3"], "folders that have the names of their classes, got 2 in .* itself, such as 1.wav"),
        (["cat/1.wav", "dog/.keep"], r"sounds \(.mp3, .wav\) in the folder of each class, got none in .*dog"),
    ],
)
def test_folders_that_are_none(tmp_path, names, sentence):
    touch(tmp_path, *names)
    with pytest.raises(InputError, match=sentence):
        found(tmp_path)
    with pytest.raises(InputError, match=r"one folder in it for each class, got none at .*nowhere"):
        found(tmp_path / "nowhere")
