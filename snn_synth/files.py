"""Files that appear whole or not at all, in folders with one writer."""

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from snn_synth.errors import InputError

NO_MORE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}  # what comes of writing alone
DRAFT, LOCK = ".draft", ".being-written"


def write_failure(error: BaseException) -> str | None:
    """Why a disk took no more, if that is what an error, or one that it came from, says; safetensors says it in words.

    Example:
        >>> write_failure(OSError(28, "No space left on device"))
        'No space left on device'
    """
    cause: BaseException | None = error
    while cause is not None:
        said = re.search(r"\(os error (\d+)\)", str(cause))
        number = cause.errno if isinstance(cause, OSError) else int(said[1]) if said else None
        if number in NO_MORE:
            return os.strerror(number)
        cause = cause.__cause__ or cause.__context__
    return None


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Give a temporary path, and rename it to `path` once the block has ended well.

    A reader sees the old file or the new one, never a half; if the block raises, nothing is left. What a process that
    was killed in its block left in the folder goes with the next write there; a process that is at work is let be.
    Missing parent folders are made.

    Args:
        path: Where the file shall appear.

    Yields:
        The temporary path to write to.

    Raises:
        InputError: If nothing can be written there, or the disk is full.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "runs" / "metrics.json"
        >>> with atomic_write(target) as partial:
        ...     _ = partial.write_text("{}")
        >>> target.read_text(), len(list(target.parent.iterdir()))
        ('{}', 1)
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        folder, lock = _draft(path)
    except OSError as error:
        raise InputError(f"Expected to write {path}, got {error.strerror}: {error.filename}") from error
    try:
        with lock:
            yield folder / path.name
            os.replace(folder / path.name, path)
    except InputError:
        raise
    except Exception as error:
        reason = write_failure(error)
        if reason is None and isinstance(error, OSError) and str(error.filename).startswith((str(path), str(folder))):
            reason = error.strerror
        if reason is not None:
            raise InputError(f"Expected to write {path}, got {reason}: {path}") from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock, for which others wait, as long as the block runs; the system lets go of it if the process is killed.

    On a file system that has no locks the block runs without.

    Args:
        path: Of the lock's file, which stays.
    """
    with ExitStack() as stack:
        with suppress(OSError):
            stack.enter_context(FileLock(path))
        yield


def _draft(path: Path) -> tuple[Path, ExitStack]:
    """A locked folder beside a path, and what lets go of it; inside, a file gets the permissions any new file gets.

    Another process that writes there may find the lock's file before it is locked, and sweep the folder: then another
    is made.
    """
    while True:
        folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=DRAFT))
        lock = ExitStack()
        lock.enter_context(locked(folder / LOCK))
        if folder.is_dir():
            return folder, lock
        lock.close()


def _sweep(folder: Path) -> None:
    """Remove the drafts in a folder whose process is gone: nobody holds their lock."""
    for draft in folder.glob(f".*.*{DRAFT}"):
        if (draft / LOCK).is_file():
            with suppress(Timeout, OSError), FileLock(draft / LOCK, blocking=False):
                shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def sole_writer(folder: str | Path) -> Iterator[None]:
    """Hold a folder's lock. The system takes it away from a process that ends, however it ends.

    Args:
        folder: that is there; the lock is its file ``.lock``, which stays.

    Raises:
        InputError: if another process holds it.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with sole_writer(folder), sole_writer(folder):
        ...     pass
        Traceback (most recent call last):
        snn_synth.errors.InputError: Expected to be the only one that writes into ..., got process ... at work ...
    """
    lock = Path(folder, ".lock")
    try:
        holder = lock.read_text(errors="replace") if lock.is_file() else ""  # filelock before 4 empties it as it tries
        held = FileLock(lock, blocking=False).acquire()
    except Timeout:
        raise InputError(
            f"Expected to be the only one that writes into {folder}, got process {holder or '?'} at work "
            "there: wait until it ends, or give another folder"
        ) from None
    except OSError as error:
        raise InputError(f"Expected to write {lock}, got {error.strerror}") from error
    with held:
        with suppress(OSError):  # a full disk
            lock.write_text(str(os.getpid()))
        yield
