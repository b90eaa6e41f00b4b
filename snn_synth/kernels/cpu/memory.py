"""Memory for what kernels return, used again when it is free.

A training step needs the same megabytes every time. The C library hands large pieces back to the system, which clears
each page before it gives it out again: as much work as a scan over time.
"""

import contextlib
import math
import os
import threading
import weakref
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def _limit() -> int:
    """A tenth of the memory of the machine or the container, at most two gigabytes."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # no such file, "max", another system
        return min(2**31, int(Path("/sys/fs/cgroup/memory.max").read_text()) // 10)
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return min(2**31, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 10)
    return 2**28


KEEP = _limit()  # bytes of free memory that are kept
_LINE = 64  # bytes of a cache line, at which vectors load fastest
_NUMPY = {
    torch.float32: np.float32,
    torch.float64: np.float64,
    torch.int32: np.int32,
    torch.int64: np.int64,
    torch.uint8: np.uint8,
}

_free: defaultdict[int, list[NDArray[np.uint8]]] = defaultdict(list)
_kept = 0  # bytes in them
_lock = threading.RLock()


def _after_fork() -> None:
    """Another thread of the parent may have held the lock, which no thread of the child would ever release."""
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)


def empty(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """An uninitialised tensor. Its memory comes back here when the last view of it is gone.

    Example:
        >>> here = empty(1000).data_ptr()
        >>> empty(1000).data_ptr() == here
        True
    """
    size = math.prod(shape) * dtype.itemsize
    block = _take(_rounded(size))
    view = block[:size].view(_NUMPY[dtype]).reshape(shape)
    weakref.finalize(view, _give_back, block).atexit = False  # PyTorch holds the view as long as it holds the memory
    return torch.from_numpy(view)


def _rounded(size: int) -> int:
    """A size of which there are few, so that lists of about as many spikes share their memory: 4 bits and zeros."""
    last = max(0, size.bit_length() - 4)
    return -(-size >> last) << last


def _take(size: int) -> NDArray[np.uint8]:
    global _kept
    with _lock:
        if blocks := _free.get(size):
            _kept -= size
            return blocks.pop()
    block = np.empty(size + _LINE, np.uint8)
    return block[-block.ctypes.data % _LINE :][:size]


def _give_back(block: NDArray[np.uint8]) -> None:
    global _kept
    with _lock:
        if _kept + len(block) > KEEP:
            _free.clear()  # sizes that were in use once
            _kept = 0
        _free[len(block)].append(block)
        _kept += len(block)
