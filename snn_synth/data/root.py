"""Where data sets and caches live on disk."""

from __future__ import annotations

import os
from pathlib import Path

from snn_synth.errors import InputError


def cache_dir() -> Path:
    """Folder for everything that can be made again: `$SNN_SYNTH_CACHE`, else `~/.cache/snn_synth`."""
    return Path(os.environ.get("SNN_SYNTH_CACHE") or Path.home() / ".cache" / "snn_synth").expanduser()


def data_root(root: str | Path | None = None) -> Path:
    """Folder that holds the data sets: the argument, else `$SNN_SYNTH_DATA`, else `<cache>/data`.

    Args:
        root: a folder, or None for the default.

    Example:
        >>> data_root("/my/data").as_posix()
        '/my/data'
    """
    chosen = root or os.environ.get("SNN_SYNTH_DATA")
    return Path(chosen).expanduser() if chosen else cache_dir() / "data"


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
