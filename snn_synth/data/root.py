"""Where data sets and caches live on disk."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from snn_synth.errors import InputError


def cache_dir() -> Path:
    """Folder for everything that can be made again: `$SNN_SYNTH_CACHE`, else `~/.cache/snn_synth`.

    Without a home directory, as in some containers, it is a folder in the system's place for temporary files.

    Example:
        >>> import unittest.mock
        >>> with unittest.mock.patch.dict(os.environ, SNN_SYNTH_CACHE="/my/cache"):
        ...     cache_dir().as_posix()
        '/my/cache'
    """
    if chosen := os.environ.get("SNN_SYNTH_CACHE"):
        return _expanded(chosen)
    try:
        return Path.home() / ".cache" / "snn_synth"
    except RuntimeError:
        return Path(tempfile.gettempdir(), "snn_synth")


def data_root(root: str | Path | None = None) -> Path:
    """Folder that holds the data sets: the argument, else `$SNN_SYNTH_DATA`, else `<cache>/data`.

    Args:
        root: a folder, or None for the default.

    Raises:
        InputError: the folder begins with the name of a user (`~name`) who is not known here.

    Example:
        >>> data_root("/my/data").as_posix()
        '/my/data'
    """
    chosen = root or os.environ.get("SNN_SYNTH_DATA")
    return _expanded(chosen) if chosen else cache_dir() / "data"


def _expanded(folder: str | Path) -> Path:
    try:
        return Path(folder).expanduser()
    except RuntimeError as error:
        raise InputError(f"Expected a folder whose `~` has a meaning on this machine, got {folder}") from error


def not_a_folder(path: Path) -> Path:
    """`path` or, where a folder has its name, the first free name with `_` after it: the folder stays.

    Example:
        >>> not_a_folder(Path("/tmp")).as_posix()
        '/tmp_'
    """
    while path.is_dir():
        path = path.with_stem(path.stem + "_")
    return path


def make_folder(folder: Path) -> Path:
    """Create `folder` with its parents.

    Raises:
        InputError: the folder cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Expected a folder that can be written to, got {folder} ({error.strerror})") from error
    if not os.access(folder, os.W_OK):
        raise InputError(f"Expected a folder that can be written to, got {folder} (no write permission)")
    return folder
