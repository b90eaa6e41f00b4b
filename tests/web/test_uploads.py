"""Which uploads `snn-synth web` removes."""

import os
import time
from pathlib import Path

from snn_synth.web import uploads


def test_the_oldest_go_until_the_rest_is_small_enough(tmp_path):
    for name in ("first", "second", "third"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "word.wav").write_bytes(bytes(10))
        time.sleep(0.02)  # the clock of a file system may tick slowly
    uploads.remove_old(tmp_path, age=60, most=25)
    assert sorted(path.parent.name for path in tmp_path.rglob("*.wav")) == ["second", "third"]


def test_what_is_older_goes_with_its_folder(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/piece").write_bytes(bytes(10))
    os.utime(tmp_path / "folder/piece", (0, 0))  # says nothing: a copy keeps the times of the first
    uploads.remove_old(tmp_path, age=60, most=100)
    assert (tmp_path / "folder/piece").exists()
    time.sleep(0.1)
    uploads.remove_old(tmp_path, age=0.05, most=100)
    assert not (tmp_path / "folder/piece").exists()
    time.sleep(0.1)
    uploads.remove_old(tmp_path, age=0.05, most=100)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_gone_meanwhile_does_not_end_the_look(tmp_path, monkeypatch):
    for name in ("gone", "here"):
        (tmp_path / name).mkdir()
    (tmp_path / "here/word.wav").write_bytes(bytes(10))
    scandir = os.scandir

    def vanishing(path):
        if Path(path).name == "gone":
            raise FileNotFoundError(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", vanishing)
    uploads.remove_old(tmp_path, age=60, most=5)
    assert not (tmp_path / "here/word.wav").exists()


def test_within_the_block_somebody_looks_again_and_again(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "EVERY", 0.01)
    monkeypatch.setattr(uploads, "MOST_BYTES", 5)
    with uploads.tidied(tmp_path / "uploads"):  # Gradio makes the folder with the first upload
        time.sleep(0.05)
        for number in range(3):
            (tmp_path / "uploads").mkdir(exist_ok=True)
            file = tmp_path / "uploads" / str(number)
            file.write_bytes(bytes(10))
            until = time.monotonic() + 60
            while file.exists():
                assert time.monotonic() < until
                time.sleep(0.01)
