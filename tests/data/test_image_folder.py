import os
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from snn_synth.data import ImageFolder, class_folders, image_files, image_folder
from snn_synth.errors import InputError


def write(path, value=100, size=(6, 4)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).save(path)
    return path


@pytest.fixture
def pets(tmp_path):
    """Three cats and two dogs of 4 x 6 pixels, each of a value of its own."""
    root = tmp_path / "pets"
    for number, name in enumerate(["cat/b.png", "cat/a.PNG", "cat/old/c.bmp", "dog/1.tif", "dog/2.gif"]):
        write(root / name, 10 * number)
    return root


def test_classes_are_folders_and_order_is_that_of_names(pets):
    found = ImageFolder(pets)
    assert found.names == ("cat", "dog")
    assert found.labels.tolist() == [0, 0, 0, 1, 1]
    assert [path.relative_to(pets).as_posix() for path in found.files] == [
        "cat/a.PNG",
        "cat/b.png",
        "cat/old/c.bmp",
        "dog/1.tif",
        "dog/2.gif",
    ]
    assert found.images[:, 0, 0].tolist() == [10, 0, 20, 30, 40]
    assert found.image_shape == (1, 4, 6)
    assert found.official_split() is None


def test_colour_and_size(pets):
    assert ImageFolder(str(pets), size=[5, 7], color=True).image_shape == (3, 5, 7)
    assert ImageFolder(pets, size=12, pad=True).images[0, 0].eq(0).all(), "a black border above"


def test_names_of_any_language_composed_alike(tmp_path):
    for name in ("été", "e\u0301te\u0301", "ねこ", "two words"):
        write(tmp_path / name / "1.png")
    found = ImageFolder(tmp_path)
    assert found.names == ("two words", "été", "ねこ")
    assert found.labels.tolist().count(1) == 2


def test_train_and_test_folders_are_a_split(tmp_path):
    for name in ("train/cat/1.png", "train/cat/2.png", "train/dog/1.png", "test/dog/1.png"):
        write(tmp_path / name, 7 if "test" in name else 3)
    found = ImageFolder(tmp_path)
    train, test = found.official_split()
    assert found.names == ("cat", "dog")
    assert (train.tolist(), test.tolist()) == ([0, 1, 2], [3])
    assert found.images[test].unique().tolist() == [7]
    (tmp_path / "val").mkdir()
    with pytest.raises(InputError, match="no folder beside train and test"):
        ImageFolder(tmp_path)


def test_images_without_classes_are_one_of_the_folders_name(tmp_path, monkeypatch):
    for number, name in enumerate(["b.png", "a.jpg", "c.gif"]):
        write(tmp_path / "flat" / name, 50 * number)
    (tmp_path / "flat" / ".hidden").mkdir()
    found = ImageFolder(tmp_path / "flat")
    assert (found.names, found.labels.tolist()) == (("flat",), [0, 0, 0])
    assert [path.name for path in found.files] == ["a.jpg", "b.png", "c.gif"]
    assert found.official_split() is None
    (tmp_path / "flat" / "notes.txt").write_text("?")
    monkeypatch.chdir(tmp_path / "flat")
    with pytest.warns(UserWarning, match=r"Left out 1 file in \S+ without the suffix of images, such as .*notes.txt"):
        assert ImageFolder(".").names == ("flat",)
    with pytest.warns(UserWarning, match=r"Left out 1 file in \S+ without the suffix of images, such as .*notes.txt"):
        one = ImageFolder(tmp_path)
    assert (one.names, len(one)) == (("flat",), 3), "a single folder is a single class"


def test_images_without_classes_may_have_a_split(tmp_path):
    for name in ("train/1.png", "train/2.png", "test/3.png"):
        write(tmp_path / "pictures" / name)
    found = ImageFolder(tmp_path / "pictures")
    train, test = found.official_split()
    assert (found.names, train.tolist(), test.tolist()) == (("pictures",), [0, 1], [2])
    write(tmp_path / "pictures" / "train" / "cat" / "4.png")
    with pytest.raises(InputError, match=r"2 in .*train itself"):
        ImageFolder(tmp_path / "pictures")


@pytest.mark.parametrize("made", ["test/cat/1.png", "test/1.png", "test/"])
def test_a_test_part_that_does_not_fit_is_refused(tmp_path, made):
    for name in ("train/dog/1.png", "train/mouse/1.png", "test/dog/1.png"):
        if made == "test/cat/1.png" or name.startswith("train"):
            write(tmp_path / name)
    if made.endswith("png"):
        write(tmp_path / made)
    else:
        (tmp_path / made).mkdir()
    with pytest.raises(InputError, match=r"to train with|in folders that have|a folder of images for each"):
        ImageFolder(tmp_path)


def test_hidden_files_go_unseen_and_others_with_a_warning(pets):
    for name in (".DS_Store", "cat/.hidden.png", "cat/Thumbs.db", ".git/x.png", "__MACOSX/cat/a.png", "dog/._1.png"):
        (pets / name).parent.mkdir(parents=True, exist_ok=True)
        (pets / name).write_bytes(b"?")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(ImageFolder(pets)) == 5
    (pets / "dog" / "3.psd").write_bytes(b"?")
    (pets / "dog" / "notes.txt").write_bytes(b"?")
    with pytest.warns(UserWarning, match=r"2 files in .* such as .*3\.psd"):
        assert len(ImageFolder(pets)) == 5


def test_a_phones_photograph_is_not_left_out_in_silence(pets):
    (pets / "dog" / "3.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(InputError, match=r"3\.HEIC \(none of these: convert it\)"):
        ImageFolder(pets)


def test_links_that_lead_in_a_circle_are_not_followed(pets):
    (pets / "cat" / "again").symlink_to(pets)
    (pets / "dog" / "3.png").symlink_to(pets / "cat" / "b.png")
    assert ImageFolder(pets).labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_a_damaged_file_is_named_or_left_out_on_request(pets):
    (pets / "cat" / "broken.png").write_bytes(b"\x89PNG but no more")
    os.symlink(pets / "nowhere", pets / "dog" / "gone.png")
    with pytest.raises(InputError, match=r"cat/broken\.png"):
        ImageFolder(pets)
    with pytest.warns(UserWarning, match=r"Left out 2 files, the first: .*broken\.png") as caught:
        assert len(ImageFolder(pets, skip_unreadable=True)) == 5
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_a_class_of_damaged_files_alone_is_refused(pets):
    for path in (pets / "dog").iterdir():
        path.write_bytes(b"?")
    with pytest.warns(UserWarning, match="2 files"), pytest.raises(InputError, match="images of 'dog' to train"):
        ImageFolder(pets, skip_unreadable=True)


def test_sizes_that_differ_are_named_unless_there_is_a_size(pets):
    write(pets / "dog" / "wide.png", size=(60, 40))
    with pytest.raises(InputError) as caught:
        ImageFolder(pets)
    for part in ("4 x 6 pixels", "a.PNG", "40 x 60 pixels", "wide.png", "`size`"):
        assert part in str(caught.value)
    assert len(ImageFolder(pets, size=8)) == 6


def test_folders_without_what_is_needed_are_refused(tmp_path, pets):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="got none at"):
        ImageFolder(tmp_path / "nowhere")
    with pytest.raises(InputError, match="a folder of images for each class"):
        ImageFolder(empty)
    write(empty / "cat" / "1.png")
    (empty / "dog").mkdir()
    with pytest.raises(InputError, match=r"none in .*dog"):
        ImageFolder(empty)
    write(pets / "loose.png")
    with pytest.raises(InputError, match=r"1 in .*pets itself, such as loose\.png"):
        ImageFolder(pets)
    with pytest.raises(InputError, match="whose `~` has a meaning"):
        ImageFolder("~nobody-of-that-name/pets")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_named(pets):
    (pets / "dog").chmod(0)
    with pytest.raises(InputError, match="that can be read"):
        ImageFolder(pets)
    (pets / "dog").chmod(0o755)


def test_memory_and_number_of_files_are_bounded(pets, monkeypatch):
    monkeypatch.setattr(image_files, "MAX_BYTES", 5 * 24 - 1)
    with pytest.raises(InputError, match="at most 119 bytes, got 5 of 24: set `size`"):
        ImageFolder(pets)
    assert len(ImageFolder(pets, size=2)) == 5
    with pytest.raises(InputError, match="make `size` smaller"):
        ImageFolder(pets, size=5)
    monkeypatch.setattr(class_folders, "MAX_FILES", 4)
    with pytest.raises(InputError, match="at most 4 files"):
        ImageFolder(pets, size=2)


def test_the_pixels_are_those_of_the_files(tmp_path):
    made = np.random.default_rng(0).integers(0, 255, (4, 5, 7, 3), dtype=np.uint8)
    for number, pixels in enumerate(made):
        path = tmp_path / f"class {number % 2}" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
    found = ImageFolder(tmp_path, color=True)
    assert torch.equal(found.images, torch.from_numpy(made[[0, 2, 1, 3]]).permute(0, 3, 1, 2))


def test_without_borders_an_image_is_cut(pets):
    found = ImageFolder(pets, size=12)
    assert found.images.flatten(1).tolist() == [[value] * 144 for value in (10, 0, 20, 30, 40)]


def test_sizes_of_colour_images_that_differ_are_named(pets):
    write(pets / "dog" / "wide.png", size=(60, 40))
    with pytest.raises(InputError, match=r"got 4 x 6 pixels in .*a\.PNG and 40 x 60 pixels in .*wide\.png"):
        ImageFolder(pets, color=True)


def test_a_single_image_has_no_split(tmp_path):
    write(tmp_path / "1.png")
    assert ImageFolder(tmp_path).official_split() is None


@pytest.mark.parametrize(("seconds", "kept"), [(1.0, 0), (1.01, 1)])
def test_images_are_kept_where_decoding_took_over_a_second(pets, seconds, kept, monkeypatch):
    stored = []
    monkeypatch.setattr(image_folder, "perf_counter", iter([5.0, 5.0 + seconds]).__next__)
    monkeypatch.setattr(image_folder.decoded, "store", lambda *_: stored.append(1))
    ImageFolder(pets)
    assert len(stored) == kept


def test_images_are_not_kept_where_some_could_not_be_read(pets, monkeypatch):
    (pets / "cat" / "broken.png").write_bytes(b"\x89PNG but no more")
    monkeypatch.setattr(image_folder, "perf_counter", iter([5.0, 9.0]).__next__)
    monkeypatch.setattr(image_folder.decoded, "store", lambda *_: pytest.fail("kept"))
    with pytest.warns(UserWarning, match="Left out 1 file,"):
        assert len(ImageFolder(pets, skip_unreadable=True)) == 5
