"""No garbage collection while much is imported: each would look at all that PyTorch and numba have loaded."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collection() -> Iterator[None]:
    """Turn the collection of garbage off inside a ``with`` block, if it was on.

    Example:
        >>> gc.enable()
        >>> with no_collection():
        ...     gc.isenabled()
        False
        >>> gc.isenabled()
        True
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
