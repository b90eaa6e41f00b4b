"""Times of implementations, taken in turns, after each has shown that it computes the same."""

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

import torch

from snn_synth.errors import InputError

TOLERANCE = 1e-4  # relative; one output spike at the very threshold, which rounding decides, moves a loss by less


def disagreement(found: Sequence[float], expected: Sequence[float]) -> float:
    """Largest relative difference.

    Example:
        >>> disagreement([14.0, 2.0], [14.0, 2.5])
        0.2
    """
    pairs = zip(found, expected, strict=True)
    return max((abs(x - y) / max(abs(y), 1e-12) if x == x else float("inf")) for x, y in pairs)


def assert_equal(name: str, found: Sequence[float], expected: Sequence[float]) -> None:
    """Refuse to time an implementation that computes something else.

    Raises:
        InputError: if the losses (with the online rule, also the norms of the gradients) differ.
    """
    if disagreement(found, expected) > TOLERANCE:
        raise InputError(
            f"Expected {name} to give {[float(f'{x:.6g}') for x in expected]} at the same weights, "
            f"got {[float(f'{x:.6g}') for x in found]}: not timed"
        )


def in_turns(
    steps: Mapping[str, Callable[[], object]], repeats: int, device: str = "cpu", tick: Callable[[], object] = int
) -> dict[str, list[float]]:
    """Seconds of each step, one of each in a round, so that what disturbs the machine disturbs all alike.

    Args:
        steps: what to time, by name.
        repeats: rounds.
        device: whose work a step has to wait for.
        tick: called after each step.

    Returns:
        For each name the seconds of every round.
    """
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(repeats):
        for name, step in steps.items():
            seconds[name].append(timed(step, device))
            tick()
    return seconds


def timed(step: Callable[[], object], device: str = "cpu") -> float:
    """Seconds of one step; on a GPU by its own clock."""
    if device.startswith("cuda"):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
        begin.record()
        step()
        end.record()
        torch.cuda.synchronize()
        return float(begin.elapsed_time(end)) / 1e3
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def summary(seconds: Sequence[float], scale: float = 1.0) -> dict[str, Any]:
    """Median and range of the rounds.

    Example:
        >>> summary([3.0, 1.0, 2.0])
        {'median': 2.0, 'min': 1.0, 'max': 3.0, 'rounds': 3}
    """
    rounds = [second * scale for second in seconds]
    values = {"median": median(rounds), "min": min(rounds), "max": max(rounds)}
    return {name: float(f"{value:.5g}") for name, value in values.items()} | {"rounds": len(rounds)}
