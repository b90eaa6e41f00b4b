"""Memory for what kernels return, used again when it is free.

A training step needs the same megabytes every time. The C library hands large pieces back to the system, which clears
each page before it gives it out again: as much work as a scan over time.
"""

import atexit
import contextlib
import math
import os
import threading
import weakref
from collections import defaultdict
from pathlib import Path
from typing import Any

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


class _Lease(weakref.ref["NDArray[Any]"]):
    """Tells when an array is gone: what ``weakref.finalize`` does, without its registry and order at exit."""

    __slots__ = ("block",)
    block: NDArray[np.uint8]


_leases: dict[int, _Lease] = {}
atexit.register(_leases.clear)  # tensors may be in use until after that: nothing comes back when the process ends
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
    block = _take(_rounded(math.prod(shape) * dtype.itemsize))
    view: NDArray[Any] = np.ndarray(shape, _NUMPY[dtype], block)  # PyTorch holds it as long as it holds the memory
    lease = _Lease(view, _end)
    lease.block = block
    _leases[id(lease)] = lease
    return torch.from_numpy(view)


def _rounded(size: int) -> int:
    """A size of which there are few, so that lists of about as many spikes share their memory: 4 bits and zeros."""
    last = max(0, size.bit_length() - 4)
    return -(-size >> last) << last


def _take(size: int) -> NDArray[np.uint8]:
    global _kept
    with _lock:
        if not _free.get(size):
            for lease in [one for one in list(_leases.values()) if one() is None]:  # Ctrl-C came in the way of `_end`
                _end(lease)
        if blocks := _free.get(size):
            _kept -= size
            return blocks.pop()
    block = np.empty(size + _LINE, np.uint8)
    return block[-block.ctypes.data % _LINE :][:size]


def _end(lease: _Lease) -> None:
    global _kept
    with _lock:
        if _leases.pop(id(lease), None) is None:
            return
        block = lease.block
        if _kept + len(block) > KEEP:
            _free.clear()  # sizes that were in use once
            _kept = 0
        _free[len(block)].append(block)
        _kept += len(block)
