"""Uploads are not kept for ever, nor what Gradio forgets: pieces of what broke off, empty files and folders."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

LIFETIME = 3600.0  # seconds that Gradio keeps an upload; what it forgets is removed after twice as long
MOST_BYTES = 2_000_000_000  # of all uploads together: two hundred of the largest, those that are still coming, too
EVERY = 30.0  # seconds between two looks


@contextlib.contextmanager
def tidied(folder: Path) -> Iterator[None]:
    """Within the block, :func:`remove_old` looks at a folder now and then."""
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(EVERY):
            remove_old(folder, 2 * LIFETIME, MOST_BYTES)

    thread = threading.Thread(target=look, name="uploads")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def remove_old(folder: Path, age: float, most: int) -> None:
    """Remove the files that are older, then the oldest until the rest takes at most so many bytes; and empty folders.

    Args:
        folder: of uploads, with all that is in it.
        age: in seconds.
        most: bytes.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for size in (3, 4):
        ...         _ = Path(folder, str(size)).write_bytes(bytes(size))
        ...     remove_old(Path(folder), age=60, most=5)
        ...     len(list(Path(folder).iterdir()))
        1
    """
    now, total = time.time(), 0
    found: list[tuple[float, int, Path]] = []
    walk = os.walk(folder)  # unlike `rglob`, it goes on where a folder is gone meanwhile
    for path in (Path(parent, name) for parent, folders, files in walk for name in folders + files):
        with contextlib.suppress(FileNotFoundError):  # gone meanwhile
            found.append((path.stat().st_ctime, path.stat().st_size, path))
    for when, size, path in sorted(found, reverse=True):
        old = now - when > age
        with contextlib.suppress(OSError):  # gone meanwhile, or a folder that is not empty
            if path.is_dir():
                if old:  # what changed lately may be about to take an upload
                    path.rmdir()
                continue
            total += size
            if old or total > most:
                path.unlink()
