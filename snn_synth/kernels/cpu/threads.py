"""Numba kernels on PyTorch's threads."""

import functools
import os
import threading
import types
from collections.abc import Callable
from typing import Any

import numba
import torch

from snn_synth.kernels.cpu.cache import compiled

_one_at_a_time = threading.Lock()  # numba's fallback thread pool ends the process when two threads enter it at once
_forked = False


def _note_fork() -> None:
    global _forked
    _forked = True


os.register_at_fork(after_in_child=_note_fork)


def jit(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel, when it is first called, and run it on as many threads as PyTorch uses.

    A kernel spreads its work by ``numba.prange``; numba then runs it on the OpenMP threads that PyTorch has started.
    For one thread a copy without any runs, which compiles in a third of the time; also in a child made by ``fork`` (a
    DataLoader's worker), for GNU OpenMP does not survive one.
    Compiled code is kept on disk (:mod:`snn_synth.kernels.cpu.cache`).
    """
    copy = types.FunctionType(kernel.__code__, kernel.__globals__, kernel.__name__)
    copy.__module__, copy.__qualname__ = kernel.__module__, f"{kernel.__qualname__}_single"  # a cache file of its own
    # error_model: a division that would raise for 0, as Python's does, keeps a loop from becoming vector instructions.
    single = compiled(copy, nogil=True, error_model="numpy")
    several = compiled(kernel, nogil=True, error_model="numpy", parallel=True)

    @functools.wraps(kernel)
    def run(*arguments: Any) -> Any:
        if _forked or torch.get_num_threads() == 1:
            return single(*arguments)
        with _one_at_a_time:
            numba.set_num_threads(min(torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
            return several(*arguments)

    return run
