import hashlib
import json
import os
from pathlib import Path

import PIL
import pytest
import torch
from PIL import Image

from snn_synth.data import ImageFolder, decoded, image_folder


@pytest.fixture
def shapes(tmp_path):
    root = tmp_path / "shapes"
    for number, name in enumerate(["circle/1.png", "circle/2.png", "square/1.png"]):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (6, 4), 10 * number).save(root / name)
    return root


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SNN_SYNTH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(image_folder, "WORTH_KEEPING", 0.0)
    return tmp_path / "cache" / "images"


@pytest.fixture
def reads(monkeypatch):
    """The files that were decoded."""
    found = []
    read = image_folder.read_image

    def counted(path, *settings):
        found.append(path)
        return read(path, *settings)

    monkeypatch.setattr(image_folder, "read_image", counted)
    return found


def test_images_are_decoded_once(shapes, reads):
    first = ImageFolder(shapes)
    assert len(reads) == 3
    again = ImageFolder(shapes)
    assert len(reads) == 3
    assert torch.equal(first.images, again.images)
    assert (again.labels.tolist(), again.names, again.files) == (first.labels.tolist(), first.names, first.files)


def test_they_are_mapped_and_writing_does_not_reach_the_file(shapes, cache):
    ImageFolder(shapes)
    images = ImageFolder(shapes).images
    (kept,) = cache.iterdir()
    assert str(kept) in Path("/proc/self/maps").read_text()
    images.zero_()
    assert ImageFolder(shapes).images.any()


def test_other_settings_are_other_images(shapes, cache):
    for settings in ({}, {"size": 3}, {"size": 3, "color": True}, {"size": 3, "pad": True}):
        assert torch.equal(ImageFolder(shapes, **settings).images, ImageFolder(shapes, **settings).images)
    assert ImageFolder(shapes, size=3, color=True).image_shape == (3, 3, 3)
    assert len(list(cache.iterdir())) == 4


@pytest.mark.parametrize("change", ["content", "one more", "one less", "another name"])
def test_a_change_is_seen_and_replaces_what_was_kept(change, shapes, cache):
    ImageFolder(shapes)
    file, kept_time = shapes / "circle/1.png", (shapes / "circle/1.png").stat().st_mtime_ns
    if change == "content":  # of as many bytes, and the time set back
        Image.new("L", (6, 4), 11).save(file)
        os.utime(file, ns=(kept_time, kept_time))
    elif change == "one more":
        Image.new("L", (6, 4), 11).save(shapes / "circle/0.png")
    elif change == "one less":
        file.unlink()
    else:
        file.rename(shapes / "circle/3.png")
    changed = ImageFolder(shapes).images[:, 0, 0].tolist()
    assert (
        changed
        == {
            "content": [11, 10, 20],
            "one more": [11, 0, 10, 20],
            "one less": [10, 20],
            "another name": [10, 0, 20],
        }[change]
    )
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize("damage", [lambda b: b[:-3], lambda b: b"", lambda b: b"\xff" * len(b)])
def test_a_damaged_file_is_made_again(damage, shapes, cache, reads):
    expected = ImageFolder(shapes).images.clone()
    (kept,) = cache.iterdir()
    kept.write_bytes(damage(kept.read_bytes()))
    assert torch.equal(ImageFolder(shapes).images, expected)
    assert len(reads) == 6
    assert torch.equal(ImageFolder(shapes).images, expected)
    assert len(reads) == 6


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(shapes, cache, reads):
    cache.parent.write_text("a file")
    assert torch.equal(ImageFolder(shapes).images, ImageFolder(shapes).images)
    assert len(reads) == 6


def test_what_is_decoded_in_a_moment_is_not_kept(shapes, cache, reads, monkeypatch):
    monkeypatch.setattr(image_folder, "WORTH_KEEPING", 100.0)
    for _ in range(2):
        ImageFolder(shapes)
    assert len(reads) == 6
    assert not cache.exists()


def test_files_that_cannot_be_read_are_tried_at_each_start(shapes, cache, reads):
    (shapes / "circle/3.png").write_text("no image")
    for _ in range(2):
        with pytest.warns(UserWarning, match="Left out 1 file,"):
            assert len(ImageFolder(shapes, skip_unreadable=True)) == 3
    assert not cache.exists()


def test_a_file_that_is_gone_has_no_state(tmp_path):
    assert decoded.state([tmp_path / "gone.png"]) is None
    assert decoded.stored(tmp_path / "x.safetensors", None, 1) is None


def test_the_state_is_a_hash_of_paths_sizes_and_times(tmp_path):
    """Written out, as what an earlier version kept must be found."""
    files = [tmp_path / "a", tmp_path / "b"]
    for number, file in enumerate(files):
        file.write_bytes(bytes(number))
    facts = [[str(file), s.st_size, s.st_mtime_ns, s.st_ctime_ns] for file in files for s in [file.stat()]]
    expected = hashlib.sha256(json.dumps([1, PIL.__version__, *facts]).encode()).hexdigest()
    assert decoded.state(files) == expected


def test_images_are_taken_only_of_the_state_number_and_kind_that_is_meant(tmp_path):
    path, images = tmp_path / "kept.safetensors", torch.arange(12, dtype=torch.uint8).view(3, 2, 2)
    decoded.store(path, None, images)
    assert not path.exists()
    decoded.store(path, "state", images)
    assert torch.equal(decoded.stored(path, "state", 3), images)
    assert [decoded.stored(path, *other) for other in (("another", 3), (None, 3), ("state", 2), ("state", 4))] == [
        None
    ] * 4
    decoded.store(path, "state", images.float())
    assert decoded.stored(path, "state", 3) is None
