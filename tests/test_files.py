import os
from pathlib import Path

import pytest

from snn_synth.errors import InputError
from snn_synth.files import atomic_write


def test_the_old_file_stands_until_the_block_ends(tmp_path: Path):
    target = tmp_path / "new" / "file.txt"
    with atomic_write(target) as partial:
        partial.write_text("first")
        assert not target.exists()
    with atomic_write(target) as partial:
        partial.write_text("second")
        assert target.read_text() == "first"
    assert target.read_text() == "second"


def test_an_error_leaves_the_old_file_and_no_rubbish(tmp_path: Path):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(TypeError), atomic_write(target) as partial:
        partial.write_text("half")
        partial.write_text(None)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_file_gets_the_permissions_of_any_new_file(tmp_path: Path):
    (tmp_path / "ordinary").write_text("")
    with atomic_write(tmp_path / "file") as partial:
        partial.write_text("")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_a_file_where_a_folder_should_be_is_an_input_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match=r"Expected to write .*file/x\.txt"),
        atomic_write(tmp_path / "file" / "x.txt"),
    ):
        pass


def test_a_folder_where_the_file_should_be_is_an_input_error(tmp_path: Path):
    (tmp_path / "name").mkdir()
    with (
        pytest.raises(InputError, match=r"Expected to write .*name"),
        atomic_write(tmp_path / "name") as partial,
    ):
        partial.write_text("")
    assert [child.name for child in tmp_path.iterdir()] == ["name"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_write_permission_is_an_input_error(tmp_path: Path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="Permission denied"), atomic_write(tmp_path / "x.txt"):
        pass
