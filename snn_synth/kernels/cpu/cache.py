"""Compiled kernels on disk, under a key that is the content of all files that their code may come from.

numba's own key is the file of a function alone: what that file inlines from another could change unnoticed.
"""

import contextlib
import functools
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
from filelock import FileLock
from numba.core import event
from numba.core.caching import CompileResultCacheImpl, FunctionCache, InTreeCacheLocator
from numba.core.registry import cpu_target
from numba.misc.appdirs import AppDirs

from snn_synth.kernels.cpu.collection import CollectionPause
from snn_synth.kernels.cpu.notice import CompilingNotice

_PACKAGE = Path(__file__).parents[2]
_SOURCES = ("functional", "kernels")


def compiled(function: Callable[..., Any], **options: Any) -> Any:
    """``numba.njit(function, **options)`` that keeps what it compiles, where there is a place to write."""
    dispatcher = numba.njit(function, **options)
    with contextlib.suppress(RuntimeError):  # numba's word for no place: then each process compiles for itself
        dispatcher._cache = _Cache(function)  # type: ignore[no-untyped-call]
    _listen()
    return dispatcher


@functools.cache
def _listen() -> None:
    for listener in (CollectionPause(), CompilingNotice(kept=folder() is not None)):
        event.register("numba:compile", listener)  # type: ignore[no-untyped-call]


@functools.cache
def folder() -> Path | None:
    """Where the kernels of this version of the code are kept; those of others are removed. None without a place."""
    version = _version()
    for place in _places():
        try:
            (place / version).mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=place / version).close()
            older = [path for path in place.iterdir() if path.name != version]
        except OSError:
            continue
        for path in older:
            shutil.rmtree(path, ignore_errors=True)
        return place / version
    return None


@functools.cache
def compiled_for() -> tuple[str, str]:
    """The processor that is compiled for, and a list of what it has (``+avx512f``) and lacks (``-avx512f``)."""
    _, processor, features = cpu_target.target_context.codegen().magic_tuple()
    return processor, features


def _version() -> str:
    digest = hashlib.sha256()
    for path in sorted(path for name in _SOURCES for path in (_PACKAGE / name).rglob("*.py")):
        digest.update(f"{path.relative_to(_PACKAGE)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _places() -> Iterator[Path]:
    """Those of numba, in its order, each with a folder that is this installation's alone."""
    own = f"snn_synth-{hashlib.sha256(str(_PACKAGE).encode()).hexdigest()[:16]}"
    if numba.config.CACHE_DIR:  # type: ignore[attr-defined]
        yield Path(numba.config.CACHE_DIR) / own  # type: ignore[attr-defined]
    yield Path(__file__).parent / "__pycache__" / "numba"
    user: Any = AppDirs(appname="numba", appauthor=False)  # type: ignore[no-untyped-call]
    if Path(user.user_cache_dir).is_absolute():  # not "~", without a home
        yield Path(user.user_cache_dir) / own


class _Locator(InTreeCacheLocator):
    def get_cache_path(self) -> str:
        return str(folder())

    @classmethod
    def from_function(cls, function: Any, file: str) -> Any:
        return None if folder() is None else super().from_function(function, file)  # type: ignore[no-untyped-call]


class _Kept(CompileResultCacheImpl):
    _locator_classes = [_Locator]  # noqa: RUF012


class _Cache(FunctionCache):
    _impl_class = _Kept

    def load_overload(self, *what: Any) -> Any:
        """As numba's, which first loads all that a compilation needs: half a second."""
        try:
            with self._guard_against_spurious_io_errors():
                return self._load_overload(*what)  # type: ignore[no-untyped-call]
            return None
        except Exception:  # a damaged file raises whatever unpickling raises
            with contextlib.suppress(OSError):
                self.flush()  # type: ignore[no-untyped-call]
            return None

    def save_overload(self, *what: Any) -> None:
        # One process at a time: two that write one kernel's index could each name the other's file.
        with contextlib.suppress(OSError, NotImplementedError), FileLock(Path(self.cache_path) / ".lock"):
            super().save_overload(*what)  # type: ignore[no-untyped-call]
