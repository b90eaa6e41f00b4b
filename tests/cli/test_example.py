"""`snn-synth example`: what it writes is what the data sets of folders read, and it writes into no folder of others."""

import importlib.metadata
import math
from collections import Counter

import numpy as np
import pytest
import torch

from snn_synth.cli import main
from snn_synth.data import AudioFolder, ImageFolder, read_audio

from .conftest import snapshot

# Area over that of the circle around it: of a regular polygon, n / (2 pi) sin(2 pi / n), and with every other corner at
# 0.45 of the way, 0.45 n / (2 pi) sin(2 pi / n).
AREAS = {
    "circles": 20 / math.pi * math.sin(math.tau / 40),
    "squares": 2 / math.pi,
    "triangles": 1.5 / math.pi * math.sin(math.tau / 3),
    "stars": 0.45 * 5 / math.pi * math.sin(math.tau / 10),
}


def test_images_are_shapes_of_four_classes(tmp_path, capsys):
    assert main(["example", "images", str(tmp_path / "my images")]) == 0
    assert capsys.readouterr().out == f"Wrote 200 files into {tmp_path / 'my images'}\n"
    folder = ImageFolder(tmp_path / "my images", size=64, color=True)
    assert folder.names == tuple(sorted(AREAS))
    assert torch.bincount(folder.labels).tolist() == [50] * 4
    assert folder.images.shape == (200, 3, 64, 64)
    assert len(folder.images.unique(dim=0)) == 200
    for image, label in zip(folder.images.numpy().astype(float), folder.labels.tolist(), strict=True):
        brightness = image.sum(0)
        bright = brightness > (brightness[0, 0] + brightness.max()) / 2
        y, x = np.nonzero(bright)
        radius = np.hypot(y - y.mean(), x - x.mean()).max() + 0.5  # to the far edge of a pixel
        assert bright.sum() / (math.pi * radius**2) == pytest.approx(AREAS[folder.names[label]], rel=0.2)


def test_words_are_recordings_with_images_of_them_and_a_new_voice(tmp_path, capsys):
    pytest.importorskip("espeakng_loader")
    assert main(["example", "words", str(tmp_path / "example")]) == 0
    assert capsys.readouterr().out == f"Wrote 264 files into {tmp_path / 'example'}\n"
    words = ("cat", "dog", "sun", "tree")
    sounds, images = AudioFolder(tmp_path / "example" / "sounds"), ImageFolder(tmp_path / "example" / "images")
    assert sounds.names == images.names == words
    assert Counter(zip(sounds.labels.tolist(), sounds.speakers, strict=True)) == {
        (word, voice): 3 for word in range(4) for voice in ("en-us+m1", "en+f2", "en-us+f3", "en+m4", "en-us+m5")
    }
    waveforms = [waveform for waveform, _ in sounds]
    assert all(0.1 < len(waveform) / sounds.sample_rate < 2 for waveform in waveforms)  # seconds
    assert len({waveform.numpy().tobytes() for waveform in waveforms}) == 60
    assert torch.bincount(images.labels).tolist() == [50] * 4
    assert len(images.images.unique(dim=0)) == 200
    new = {path.stem: read_audio(path) for path in (tmp_path / "example" / "new").iterdir()}
    assert new.keys() == set(words)
    heard = {path.read_bytes() for path in (tmp_path / "example" / "sounds").rglob("*.wav")}
    assert not heard & {path.read_bytes() for path in (tmp_path / "example" / "new").iterdir()}


def test_the_files_are_the_same_each_time(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()  # an empty folder is taken
        assert main(["example", "images", str(tmp_path / name)]) == 0
    files = snapshot(tmp_path / "one")
    assert snapshot(tmp_path / "two") == files
    (tmp_path / "one" / "stars" / "00.png").unlink()  # as after Ctrl-C: the same command goes on
    assert main(["example", "images", str(tmp_path / "one")]) == 0
    assert snapshot(tmp_path / "one") == files


@pytest.mark.parametrize("mine", ["tom.png", "cats/tom.png", "circles/00.png", ".hidden"])
def test_a_folder_that_has_other_files_is_refused(mine, refused, tmp_path):
    path = tmp_path / "mine" / mine
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    said = refused("example", "images", tmp_path / "mine")
    assert said == f"Expected a new folder, got {tmp_path / 'mine'}, which has {mine}: give another one"
    assert refused("example", "images", path) == f"Expected a folder for the example, got the file {path}"


def test_another_example_or_none_is_refused(refused, tmp_path):
    assert "invalid choice: 'sounds'" in refused("example", "sounds", tmp_path / "new")
    assert "FOLDER" in refused("example", "images")


def test_words_without_a_voice_write_nothing(refused, tmp_path, monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert "pip install 'snn_synth[demo]'" in refused("example", "words", tmp_path / "new")
