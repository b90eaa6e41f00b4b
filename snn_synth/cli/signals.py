"""Signals that end a command: in order, as Ctrl-C does."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

# What Python does at each of them: it ends, or raises KeyboardInterrupt. Windows has no SIGHUP.
ENDING: dict[int, Any] = {
    getattr(signal, name): signal.SIG_DFL for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
}
ENDING |= {signal.SIGINT: signal.default_int_handler}
_came: list["Stopped"] = []  # in the command that runs


class Stopped(KeyboardInterrupt):
    """Ctrl-C, SIGTERM or SIGHUP came: whatever ends in order after the first does so, Lightning too.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        """Keep the number."""
        super().__init__()
        self.number = number


def exit_code(stop: KeyboardInterrupt) -> int:
    """What a shell reports for a program that the signal ended.

    Example:
        >>> exit_code(KeyboardInterrupt()), exit_code(Stopped(signal.SIGTERM))
        (130, 143)
    """
    return 128 + (stop.number if isinstance(stop, Stopped) else signal.SIGINT)


@contextlib.contextmanager
def in_order() -> Iterator[list[Stopped]]:
    """Let Ctrl-C, SIGTERM and SIGHUP raise :class:`Stopped` in the block; where they are ignored (nohup), they stay so.

    A stop that comes while Python runs what may not raise (``__del__``, a callback of a weak reference) comes again.

    Yields:
        What was raised: C++ of others may lose it, and Lightning then ends as if it had been asked to in Python.
    """
    came: list[Stopped] = []

    def stop(number: int, frame: FrameType | None) -> None:
        came.append(Stopped(number))
        _came.append(came[-1])
        raise came[-1]

    ours: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():  # no other may set handlers
        ours = {number: old for number, old in ENDING.items() if signal.getsignal(number) == old}
    ignored = sys.unraisablehook

    def again(lost: Any) -> None:
        if isinstance(lost.exc_value, KeyboardInterrupt):
            number = exit_code(lost.exc_value) - 128
            threading.Timer(0.05, os.kill, [os.getpid(), number]).start()  # by then Python may be out of it
        else:
            ignored(lost)

    for number in ours:
        signal.signal(number, stop)
    sys.unraisablehook = again
    try:
        yield came
    finally:
        _came.clear()
        sys.unraisablehook = ignored
        for number, old in ours.items():
            signal.signal(number, old)


@contextlib.contextmanager
def stops_told() -> Iterator[None]:
    """Raise the stop where an error follows one in the block: C++ of others, matplotlib's, makes an error of it.

    Example:
        >>> with stops_told():
        ...     int("x")
        Traceback (most recent call last):
        ValueError: invalid literal for int() with base 10: 'x'
    """
    try:
        yield
    except Exception as error:
        if _came:
            raise _came[-1] from error
        raise


def say(how: str) -> None:
    """How to go on after a stop, for whoever still listens: the terminal may be gone.

    Args:
        how: what to do.
    """
    with contextlib.suppress(OSError):
        print(f"snn-synth: stopped: {how}", file=sys.stderr, flush=True)
