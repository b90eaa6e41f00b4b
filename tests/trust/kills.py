"""Processes that are killed at random moments, and started again until one of them comes to its end."""

import os
import random
import time

# Of each of 19 kinds, as `make trust` asks for, and a fifth of that of two that take long; none in the ordinary suite,
# which kills at chosen moments instead.
KILLS = -(-int(os.environ.get("SNN_SYNTH_TRUST", "0")) // 19)
MOST = 8  # of one run, or a slow machine might kill it for ever
END = 300.0  # seconds that a process may take to end


def until_done(start, seconds, random_, most=MOST):
    """Start a process and kill it at a random moment, again and again; the last is left to its end.

    Args:
        start: starts the process; the next one after a kill, too.
        seconds: that it takes without a kill.
        random_: draws the moments, up to ``seconds``.
        most: kills.

    Returns:
        How many were killed while they ran.
    """
    for kills in range(most):
        process = start()
        process.join(random_.uniform(0, seconds))
        process.kill()
        process.join()
        if process.exitcode != -9:
            assert process.exitcode == 0, f"ended with {process.exitcode} after {kills} kills"
            return kills
    process = start()
    process.join(END)
    ended = process.exitcode
    process.kill()
    assert ended == 0, f"ended with {ended} after {most} kills"
    return most


def timed(start):
    """Seconds that a process takes to its end, which must be a good one."""
    begun = time.monotonic()
    process = start()
    process.join(END)
    ended = process.exitcode
    process.kill()
    assert ended == 0, f"ended with {ended}"
    return time.monotonic() - begun


def kill_at_random(start, check, seconds, seed, count, kills=KILLS):
    """Kill so often in all, in as many runs as that takes.

    Args:
        start: starts the run of a number, or goes on with it.
        check: raises AssertionError if what the run of a number has left is not what it should be.
        seconds: that it takes without a kill.
        seed: of the moments.
        count: is told how often each run was killed.
        kills: how many.
    """
    random_, run = random.Random(seed), 0
    while kills > 0:
        killed = until_done(lambda run=run: start(run), seconds, random_, min(MOST, kills))
        count(killed)
        check(run)
        kills, run = kills - killed, run + 1
