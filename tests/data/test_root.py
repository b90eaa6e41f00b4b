import tempfile
from pathlib import Path

import pytest

from snn_synth.data import cache_dir, data_root
from snn_synth.data.root import make_folder, not_a_folder
from snn_synth.errors import InputError


def test_the_argument_wins_then_the_environment_then_the_cache(monkeypatch):
    monkeypatch.setenv("SNN_SYNTH_DATA", "/from/environment")
    monkeypatch.setenv("SNN_SYNTH_CACHE", "/cache")
    assert data_root("/argument") == Path("/argument")
    assert data_root() == Path("/from/environment")
    monkeypatch.delenv("SNN_SYNTH_DATA")
    assert data_root() == Path("/cache/data")


def test_the_cache_is_in_the_home_folder_by_default(monkeypatch):
    monkeypatch.delenv("SNN_SYNTH_CACHE", raising=False)
    monkeypatch.setenv("HOME", "/home/ann")
    assert cache_dir() == Path("/home/ann/.cache/snn_synth")


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=str(tmp_path / "file" / "folder")):
        make_folder(tmp_path / "file" / "folder")


def test_a_folder_without_write_permission_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write anywhere, so chmod shows nothing
    with pytest.raises(InputError, match="no write permission"):
        make_folder(tmp_path)


def test_who_has_no_home_gets_a_place_for_temporary_files(monkeypatch):
    monkeypatch.delenv("SNN_SYNTH_CACHE", raising=False)
    monkeypatch.delenv("SNN_SYNTH_DATA", raising=False)

    def none(*_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", none)
    assert cache_dir() == Path(tempfile.gettempdir(), "snn_synth")
    assert data_root() == cache_dir() / "data"


def test_the_home_of_nobody_is_told():
    with pytest.raises(InputError, match="Expected a folder whose `~` has a meaning"):
        data_root("~no-such-user-here/data")


def test_folders_are_made_with_their_parents_and_may_be_there(tmp_path):
    for _ in range(2):
        assert make_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert (tmp_path / "a" / "b").is_dir()


def test_a_name_that_folders_have_gets_longer(tmp_path):
    for name in ("a.txt", "a_.txt"):
        (tmp_path / name).mkdir()
    assert not_a_folder(tmp_path / "a.txt") == tmp_path / "a__.txt"
    (tmp_path / "b.txt").touch()
    assert not_a_folder(tmp_path / "b.txt") == tmp_path / "b.txt"
