"""Kernels that run one right after the other.

What Python needs between two kernels, a megabyte or so, has left a core's cache when the first one ends. To prepare
all of them before the first one starts costs that once, not after each.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any


class _Waiting(threading.local):
    calls: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] | None = None


_waiting = _Waiting()


def start(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """Call a function that writes to its arguments; inside :func:`together`, later."""
    if _waiting.calls is None:
        return function(*arguments, **keywords)
    _waiting.calls.append((function, arguments, keywords))
    return None


def finish() -> None:
    """Make the calls that wait now, before their results are read."""
    if _waiting.calls:
        calls, _waiting.calls = _waiting.calls, None
        try:
            for function, arguments, keywords in calls:
                function(*arguments, **keywords)
        finally:
            _waiting.calls = []


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Calls of kernels inside the ``with`` block are made when it ends: until then nothing is where they write to.

    Example:
        >>> found = []
        >>> with together():
        ...     start(found.append, 1)
        ...     print(found)
        []
        >>> found
        [1]
    """
    finish()  # of a block around this one, whose results may be needed here
    before, _waiting.calls = _waiting.calls, []
    try:
        yield
        finish()
    finally:
        _waiting.calls = before


@contextlib.contextmanager
def at_once() -> Iterator[None]:
    """Calls inside the ``with`` block are made as they come, which need nothing of those that wait."""
    before, _waiting.calls = _waiting.calls, None
    try:
        yield
    finally:
        _waiting.calls = before
