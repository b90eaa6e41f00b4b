"""Kernels that run one right after the other.

What Python needs between two kernels has left a core's caches when the first one ends. To prepare all of them before
the first one starts costs that once, not after each.
"""

import threading
import weakref
from collections.abc import Callable
from typing import Any


def _none() -> None:
    """The block that is not there."""


class _Waiting(threading.local):
    block: Callable[[], "together | None"] = staticmethod(_none)
    """A weak reference: Ctrl-C may end a block before it can say so, but not keep it."""


_waiting = _Waiting()


def start(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """Call a function that writes to its arguments; inside :class:`together`, later."""
    block = _waiting.block()
    if block is None:
        return function(*arguments, **keywords)
    block.calls.append((function, arguments, keywords))
    return None


def finish() -> None:
    """Make the calls that wait now, before their results are read."""
    block = _waiting.block()
    if block is not None:
        calls, block.calls = block.calls, []
        with at_once():
            for function, arguments, keywords in calls:
                function(*arguments, **keywords)


class at_once:  # noqa: N801
    """Calls inside the ``with`` block are made as they come, which need nothing of those that wait."""

    block: Callable[[], "together | None"] = staticmethod(_none)

    def __enter__(self) -> None:
        self.before, _waiting.block = _waiting.block, self.block

    def __exit__(self, *_: object) -> None:
        _waiting.block = self.before


class together(at_once):  # noqa: N801
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

    def __enter__(self) -> None:
        finish()  # those of a block around this one, whose results may be needed here
        self.calls: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = []
        self.block = weakref.ref(self)
        super().__enter__()

    def __exit__(self, *error: object) -> None:
        try:
            if error == (None, None, None):
                finish()
        finally:
            super().__exit__()
