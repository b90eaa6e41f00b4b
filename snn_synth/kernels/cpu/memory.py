"""Memory for what kernels return, used again when it is free.

A training step needs the same megabytes every time. The C library hands large pieces back to the system, which clears
each page before it gives it out again: as much work as a scan over time.
"""

import contextlib
import functools
import math
import os
import threading
import weakref
from collections import defaultdict
from collections.abc import Callable
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


KEEP = _limit()  # bytes of memory that are kept
_MOST = 16  # blocks of one size that are
_LINE = 64  # bytes of a cache line, at which vectors load fastest
_NUMPY = {
    torch.float32: np.float32,
    torch.float64: np.float64,
    torch.int32: np.int32,
    torch.int64: np.int64,
    torch.uint8: np.uint8,
}


class _Block:
    """A piece of memory, and the array that has it."""

    __slots__ = ("array", "memory")

    def __init__(self, size: int) -> None:
        whole = np.empty(size + _LINE, np.uint8)
        self.memory = whole[-whole.ctypes.data % _LINE :][:size]
        self.array: Callable[[], object] = _nobody


def _nobody() -> None:
    """In the place of a reference: of a block that nobody has."""


def _someone() -> bool:
    """Of one that somebody has."""
    return True


_blocks: defaultdict[int, list[_Block]] = defaultdict(list)  # by their size; in use or not
_kept = 0  # bytes in them
_lock = threading.RLock()


def _after_fork() -> None:
    """Another thread of the parent may have held the lock, which no thread of the child would ever release."""
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)


def empty(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """An uninitialised tensor, whose memory is used again when the last view of it is gone.

    Example:
        >>> here = empty(1000).data_ptr()
        >>> empty(1000).data_ptr() == here
        True
    """
    size = _size(shape, dtype)
    with _lock:
        for block in _blocks.get(size, ()):
            if block.array() is None:
                break
        else:
            block = _new(size)
        block.array = _someone  # while the array is made, which may collect garbage, and that ask for memory
        array: NDArray[Any] = np.ndarray(shape, _NUMPY[dtype], block.memory)  # PyTorch holds it, as do all views
        block.array = weakref.ref(array)
    return torch.from_numpy(array)


@functools.lru_cache(1024)
def _size(shape: tuple[int, ...], dtype: torch.dtype) -> int:
    return _rounded(math.prod(shape) * dtype.itemsize)


def _rounded(size: int) -> int:
    """A size of which there are few, so that lists of about as many spikes share their memory: 4 bits and zeros."""
    last = max(0, size.bit_length() - 4)
    return -(-size >> last) << last


def _new(size: int) -> _Block:
    """A block, which is kept unless it is too large."""
    global _kept
    block = _Block(size)
    if size > KEEP:
        return block
    if _kept + size > KEEP:  # sizes that were in use once
        _blocks.clear()
        _kept = 0
    alike = _blocks[size]
    alike.append(block)
    _kept += size
    if len(alike) > _MOST:  # somebody keeps what we give: looking for what is free would take ever longer
        del alike[0]
        _kept -= size
    return block
