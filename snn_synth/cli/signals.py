"""Signals that end a command: in order, as Ctrl-C does."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]  # Windows has no SIGHUP


class Stopped(KeyboardInterrupt):
    """SIGTERM or SIGHUP came: whatever ends in order after Ctrl-C does so, Lightning too.

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
    """Let SIGTERM and SIGHUP raise :class:`Stopped` in the block; where they are ignored (nohup), they stay so.

    A stop that comes while Python runs what may not raise (``__del__``, a callback of a weak reference) comes again.

    Yields:
        What was raised: C++ of others may lose it, and Lightning then ends as if it had been asked to in Python.
    """
    came: list[Stopped] = []

    def stop(number: int, frame: FrameType | None) -> None:
        came.append(Stopped(number))
        raise came[-1]

    ours: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():  # no other may set handlers
        ours = {number: old for number in ENDING if (old := signal.getsignal(number)) == signal.SIG_DFL}
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
        sys.unraisablehook = ignored
        for number, old in ours.items():
            signal.signal(number, old)


def say(how: str) -> None:
    """How to go on after a stop, for whoever still listens: the terminal may be gone.

    Args:
        how: what to do.
    """
    with contextlib.suppress(OSError):
        print(f"snn-synth: stopped: {how}", file=sys.stderr, flush=True)
