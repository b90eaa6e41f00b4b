"""A word to whoever waits while kernels are compiled."""

import sys
from time import perf_counter
from typing import Any

from numba.core import event

from snn_synth.processes import is_first, is_worker

NOTABLE = 0.5  # seconds of compiling, before which nothing is said
KEPT = "Compiling kernels for this machine, once: about 5 seconds"
NOT_KEPT = "Compiling kernels, which there is no folder to keep in: about 5 seconds each time"


class CompilingNotice(event.Listener):
    """Writes one line to stderr when the kernels of this package have been compiling for a notable time.

    Nothing is written in a worker, nor by any but the first of the processes that train together.

    Args:
        kept: whether there is a folder for what is compiled, and so the next process need not wait.
    """

    def __init__(self, kept: bool) -> None:
        self.message = KEPT if kept else NOT_KEPT
        self.seconds, self.began, self.depth, self.said = 0.0, 0.0, 0, False

    def on_start(self, event: Any) -> None:
        """One more kernel is being compiled, or a function that it calls."""
        self.depth += 1
        if self.depth == 1:
            self.began = perf_counter()

    def on_end(self, event: Any) -> None:
        """It is done."""
        self.depth -= 1
        if self.depth == 0 and event.data["dispatcher"].py_func.__module__.startswith("snn_synth."):
            self.seconds += perf_counter() - self.began
            if self.seconds > NOTABLE and not self.said:
                self.said = True
                self._say()

    def _say(self) -> None:
        from tqdm import tqdm

        if sys.stderr is not None and is_first() and not is_worker():
            tqdm.write(self.message, file=sys.stderr)  # above progress bars, not into them
