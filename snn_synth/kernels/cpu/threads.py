"""Numba kernels on PyTorch's threads."""

import functools
import os
import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar

import numba
import numpy as np
import torch
from llvmlite import binding

from snn_synth.kernels.cpu.cache import compiled
from snn_synth.kernels.cpu.memory import empty
from snn_synth.kernels.cpu.share import share_out, subroutine
from snn_synth.kernels.cpu.together import start

_one_at_a_time = threading.Lock()  # numba's fallback thread pool ends the process when two threads enter it at once
_forked = False
_SMALL, _MOST = 2**22, 32  # bytes of an array that a Python thread keeps, and how many it keeps
_SETS = 32  # of arrays that are needed together: for each layer and direction one
_part: Any = None  # of `_whole`: each kernel's copy has its own


def _note_fork() -> None:
    global _forked
    _forked = True


os.register_at_fork(after_in_child=_note_fork)


def jit(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel, when it is first called, and run it on as many threads as PyTorch uses.

    The kernel is given a team of threads before its own arguments, for calls of
    :func:`~snn_synth.kernels.cpu.share.share_out`. Those run on the OpenMP threads that PyTorch has started. In a child
    made by ``fork`` (a DataLoader's worker) the team is one thread, for GNU OpenMP does not survive a fork.
    Compiled code is kept on disk (:mod:`snn_synth.kernels.cpu.cache`).
    """
    whole = compiled(kernel, nogil=True, error_model="numpy", _nrt=False, no_cfunc_wrapper=True)

    def run(*arguments: Any) -> Any:
        threads = 1 if _forked else min(torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]
        if threads == 1:
            return whole((0, 1), *arguments)
        with _one_at_a_time:
            return whole((_runner(), threads), *arguments)

    return functools.wraps(kernel)(functools.partial(start, run))


def parallel(part: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel that does ``part(share, start, stop, *arguments)`` for shares of ``range(count)``, one for each thread.

    It is called with the count and the other arguments.
    """
    whole = FunctionType(_whole.__code__, globals() | {"_part": subroutine(part)}, part.__name__)
    whole.__module__, whole.__qualname__ = part.__module__, part.__qualname__  # for the name of its file in the cache
    return functools.wraps(part)(jit(whole))


def _whole(team: Any, count: int, *arguments: Any) -> None:
    share_out(_part, team, count, arguments)  # type: ignore[call-arg]


class _Kept(threading.local):
    """Of each Python thread, for two of them may be in a kernel at once."""

    def __init__(self) -> None:
        self.arrays: dict[Any, Any] = {}
        self.sets: dict[Any, Any] = {}


_kept = _Kept()


def scratch(use: str, *shape: int, dtype: torch.dtype = torch.float32) -> Any:
    """Memory that a kernel works in, ``[threads, *shape]``: each share has its own, as :func:`kept` gives it."""
    return kept(use, torch.get_num_threads(), *shape, dtype=dtype)


def kept(use: str, *shape: int, dtype: torch.dtype = torch.float32) -> Any:
    """Memory that kernels work in.

    The next call of this Python thread for the same ``use`` and shape may give the same memory: what is needed twice
    has two uses.
    """
    key = use, shape, dtype
    array = _kept.arrays.get(key)
    if array is None:
        array = empty(*shape, dtype=dtype).numpy()
        if array.nbytes <= _SMALL:
            if len(_kept.arrays) == _MOST:  # shapes that were in use once
                _kept.arrays.clear()
            _kept.arrays[key] = array
    return array


Arrays = TypeVar("Arrays", bound=tuple[Any, ...])


def made_once(make: Callable[..., Arrays]) -> Callable[..., Arrays]:
    """Arrays of :func:`scratch` and :func:`kept` that are needed together, which are then looked up as one.

    They are of this Python thread, as those are, and of as many threads as its kernels have now.
    """

    @functools.wraps(make)
    def look_up(*sizes: int) -> Arrays:
        key = make, torch.get_num_threads(), *sizes
        arrays: Arrays | None = _kept.sets.get(key)
        if arrays is None:
            arrays = make(*sizes)
            if all(array.nbytes <= _SMALL for array in arrays):
                if len(_kept.sets) == _SETS:  # sizes that were in use once
                    _kept.sets.clear()
                _kept.sets[key] = arrays
        return arrays

    return look_up


def totals(dtype: Any = np.float64) -> Any:
    """Zeros, one for each thread that there may ever be: what a kernel's share adds up is its own."""
    return np.zeros(numba.config.NUMBA_NUM_THREADS, dtype)  # type: ignore[attr-defined]


@functools.cache
def _runner() -> int:
    """The address of numba's function that runs tasks on threads, which it starts here."""
    threads = torch.get_num_threads()
    numba.get_num_threads()
    torch.set_num_threads(threads)  # numba starts as many as there are cores, and OpenMP then gives PyTorch those
    return binding.address_of_symbol("numba_parallel_for")  # type: ignore[no-any-return]
