"""Which of several ways is fastest on this machine: measured once for each size, and kept.

Ways round differently, and a run that goes on must not notice: all processes on a machine make the same choice (from a
file beside the compiled kernels), and a run's checkpoint has those that were made in it.
"""

import bisect
import contextlib
import functools
import hashlib
import json
import math
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from snn_synth.errors import InputError
from snn_synth.files import atomic_write
from snn_synth.kernels.cpu.cache import compiled_for, folder
from snn_synth.kernels.cpu.together import at_once

LARGEST = 1024  # rows or columns that are measured: more take more time in the same proportion
SECONDS = 0.15  # of a measurement
OTHER = 2**20  # numbers that pass through the cache between two products
SHARES = (0.025, 0.05, 0.1, 0.2, 0.4, 1.0)  # of spikes: the upper bounds of what counts as alike

_chosen: dict[str, str] = {}
_lock = threading.RLock()


def _after_fork() -> None:
    """Another thread of the parent may have been measuring, and no thread of the child would ever end that."""
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)


def fastest(
    kind: str,
    sizes: Sequence[int],
    share: float,
    names: Sequence[str],
    ways: Callable[..., Mapping[str, Callable[[], Any]]],
) -> str:
    """The name of the fastest way.

    Args:
        kind: what is done.
        sizes: rows and columns; those with the same first three bits count as alike.
        share: of spikes among the numbers.
        names: of the ways that there are; a choice that was kept is taken if it is one of them.
        ways: gives for sizes and a share what each of them does, by its name; called once for each choice.

    Example:
        >>> fastest(
        ...     "example",
        ...     (100,),
        ...     1.0,
        ...     ["rest", "sleep"],
        ...     lambda sizes, share: {"rest": lambda: None, "sleep": lambda: time.sleep(0.01)},
        ... )
        'rest'
    """
    band = min(bisect.bisect_left(SHARES, share), len(SHARES) - 1)
    rounded, key = _place(kind, tuple(sizes), band, torch.get_num_threads())
    if _chosen.get(key) not in names:
        with _lock, _kept() as kept:
            if _chosen.get(key) not in names:  # no other thread has come first
                if kept.get(key) not in names:
                    middle = SHARES[band] - (SHARES[band] - (0, *SHARES)[band]) / 2
                    with at_once():
                        kept[key] = _measured(ways(rounded, middle))
                _chosen[key] = kept[key]
    return _chosen[key]


@functools.lru_cache(1024)
def _place(kind: str, sizes: tuple[int, ...], band: int, threads: int) -> tuple[tuple[int, ...], str]:
    """Sizes that count as these, and what a choice for them is kept under."""
    rounded = tuple(min(LARGEST, _rounded(size)) for size in sizes)
    return rounded, f"{kind}, {'x'.join(map(str, rounded))}, up to {SHARES[band]:g}, {threads} threads"


def chosen() -> dict[str, str]:
    """The choices of this process, for a checkpoint."""
    return dict(_chosen)


def adopt(choices: Mapping[Any, Any], known: Sequence[str]) -> None:
    """Take the choices of a run that is gone on with, but those for ways that are not ``known`` here."""
    for key, way in choices.items():
        if isinstance(key, str) and isinstance(way, str) and way in known:
            _chosen[key] = way


def _rounded(size: int) -> int:
    last = max(0, size.bit_length() - 3)
    return size >> last << last


def _measured(ways: Mapping[str, Callable[[], Any]]) -> str:
    """The way with the shortest time of many, taken in turns, after one that compiles it."""
    times = dict.fromkeys(ways, math.inf)
    if len(ways) > 1:
        for way in ways.values():
            way()
        end, other = time.perf_counter() + SECONDS, torch.zeros(OTHER, dtype=torch.float32, device="cpu")
        while time.perf_counter() < end:
            for name, way in ways.items():
                other += 1  # a step does other things in between, which leave little of this in a core's cache
                start = time.perf_counter()
                way()
                times[name] = min(times[name], time.perf_counter() - start)
    return min(times, key=times.__getitem__)


@contextlib.contextmanager
def _kept() -> Any:
    """The choices on disk, which are written again if there are new ones; one process at a time."""
    file, before = _file(), {}
    with contextlib.ExitStack() as stack:
        # No place any more or no locks there, no file yet or a damaged one: then this process measures for itself.
        # Nor for ever while another waits: Ctrl-C may have come while it, or this one, took the lock.
        with contextlib.suppress(OSError, NotImplementedError, ValueError, AttributeError, RuntimeError):
            if file is not None:
                stack.enter_context(FileLock(file.with_suffix(".lock"), timeout=60))
                before = {str(key): str(way) for key, way in json.loads(file.read_text()).items()}
        kept = dict(before)
        yield kept
        if file is not None and kept != before:
            with contextlib.suppress(InputError, OSError), atomic_write(file) as draft:
                draft.write_text(json.dumps(kept, indent=1))


def _file() -> Path | None:
    """Of this processor, whose name alone does not say what it has: hypervisors hide some of it."""
    processor, features = compiled_for()
    name = f"fastest-{processor}-{hashlib.sha256(features.encode()).hexdigest()[:8]}-torch-{torch.__version__}.json"
    place = folder()
    return place and place / name
