"""No garbage collection while kernels are compiled: each would look at all that PyTorch and numba have loaded."""

import gc
from typing import Any

from numba.core import event


class CollectionPause(event.Listener):
    """Turns the collection of garbage off from the start of a compilation to its end, if it was on.

    numba compiles in one thread at a time, and tells of its end after an error too.
    """

    def __init__(self) -> None:
        self.depth, self.paused = 0, False

    def on_start(self, event: Any) -> None:
        """One more function is being compiled, perhaps for another."""
        if self.depth == 0:
            self.paused = gc.isenabled()
            gc.disable()
        self.depth += 1

    def on_end(self, event: Any) -> None:
        """It is done."""
        self.depth -= 1
        if self.depth == 0 and self.paused:
            gc.enable()
