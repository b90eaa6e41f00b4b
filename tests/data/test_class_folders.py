import unicodedata

import pytest

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
