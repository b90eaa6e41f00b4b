"""The errors of a batch, listed by neuron, each with the row of a table in which its trace is: numba."""

from typing import Any

from snn_synth.kernels.cpu.share import subroutine

# In one sample, all neurons that last fired at one step share a trace. The steps that occur are numbered, and the
# numbers of the samples of a group follow one another: those are the rows.


@subroutine
def _choose(last_spike: Any, wrong: Any, earliest: int, chosen: Any) -> int:
    """Of one sample: the neurons that have an error and a trace of their own; how many they are."""
    count = 0
    for i in range(len(wrong)):  # without a branch, which would often be guessed wrong
        chosen[count] = wrong[i]
        count += last_spike[wrong[i]] >= earliest
    return count


@subroutine
def _number(last_spike: Any, chosen: Any, row_of: Any) -> int:
    """Of one sample: number the last spikes of those neurons; how many they are."""
    for r in range(len(row_of)):
        row_of[r] = 0
    for i in range(len(chosen)):
        row_of[last_spike[chosen[i]]] = 1
    size = 0
    for r in range(len(row_of)):
        occurs = row_of[r]
        row_of[r] = size
        size += occurs
    return size


@subroutine
def _list(
    delta: Any, last_spike: Any, chosen: Any, row_of: Any, top: int, counts: Any, rows: Any, weights: Any
) -> None:
    """Of one sample: put its errors, and the rows of their traces from ``top`` on, in the lists of their neurons."""
    for i in range(len(chosen)):
        m = chosen[i]
        at = counts[m]
        rows[m, at], weights[m, at] = top + row_of[last_spike[m]], delta[m]
        counts[m] = at + 1


@subroutine
def number_all(
    share: int,
    begin: int,
    end: int,
    last_spike: Any,
    wrong: Any,
    errors: Any,
    earliest: int,
    step: int,
    chosen: Any,
    row_of: Any,
    sizes: Any,
) -> None:
    """Of some samples: which neurons have an error and a trace of their own, and which traces there are."""
    for b in range(begin, end):
        count = _choose(last_spike[b], wrong[b, : errors[b]], earliest, chosen[b])
        sizes[0, b], sizes[1, b] = count, _number(last_spike[b], chosen[b, :count], row_of[b, :step])


@subroutine
def list_all(
    share: int,
    begin: int,
    end: int,
    delta: Any,
    last_spike: Any,
    chosen: Any,
    row_of: Any,
    sizes: Any,
    group: int,
    lists: Any,
) -> None:
    """Of some groups of samples: the errors of each neuron."""
    counts, rows, weights = lists
    for g in range(begin, end):
        first, own = g * group, counts[g]
        for m in range(len(own)):
            own[m] = 0
        for b in range(first, min(len(delta), first + group)):
            here = chosen[b, : sizes[0, b]]
            _list(delta[b], last_spike[b], here, row_of[b], sizes[2, b], own, rows[g], weights[g])
