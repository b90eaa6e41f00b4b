"""Memory with walls, for kernels of which nobody checks the places that they write to and read from."""

import contextlib
import math

import torch

_WALL = 1000  # numbers before and behind
_NUMBER = -987654321  # of a wall of integers; those of floating point, and what a kernel has not written yet, are NaN
_BYTE = 255  # of bytes, two of which are NaN in bfloat16


def _brick(dtype):
    if dtype.is_floating_point:
        return torch.nan
    return _BYTE if dtype == torch.uint8 else _NUMBER


def guard(monkeypatch, *modules):
    """Put walls around what these modules take from ``empty``, ``kept`` and ``scratch``; gives a check of them."""
    blocks = []

    def empty(*shape, dtype=torch.float32):
        size = math.prod(shape)
        block = torch.full((size + 2 * _WALL,), _brick(dtype), dtype=dtype)
        blocks.append((block, size))
        return block[_WALL : _WALL + size].view(shape)

    def kept(use, *shape, dtype=torch.float32):
        return empty(*shape, dtype=dtype).numpy()

    def scratch(use, *shape, dtype=torch.float32):
        return kept(use, torch.get_num_threads(), *shape, dtype=dtype)

    for module in modules:
        taken = [one for one in (empty, kept, scratch) if hasattr(module, one.__name__)]
        assert taken
        for one in taken:
            monkeypatch.setattr(module, one.__name__, one)

    def check():
        for block, size in blocks:
            walls = torch.cat([block[:_WALL], block[_WALL + size :]])
            assert (walls.isnan() if block.is_floating_point() else walls == _brick(block.dtype)).all()

    return check


@contextlib.contextmanager
def walls(threads, monkeypatch, *modules):
    """So many threads, and walls that are looked at in the end."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        check = guard(monkeypatch, *modules)
        yield
        check()
    finally:
        torch.set_num_threads(before)
