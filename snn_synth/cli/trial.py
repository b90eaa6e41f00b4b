"""``python -m snn_synth.cli.trial``: the command line as a run of a sweep, which ends when the sweep does."""

import os
import signal
import sys
import threading


def end_with_parent() -> None:
    """Have this process and all that it starts killed once standard input ends: whoever held it has ended.

    Killed, as a parent may have been too; checkpoints are whole at every moment.
    """
    if os.getpgrp() != os.getpid():  # one of several processes of a run, which end with its first
        return
    threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    end_with_parent()
    from snn_synth.cli.entry import main

    sys.exit(main())
