"""What is measured: a network, a batch, a learning rule, and the implementations."""

from dataclasses import dataclass
from typing import Literal

from snn_synth.errors import InputError

Rule = Literal["bptt", "inference", "online"]
Sizes = tuple[int, int, int]

DECAY, THRESHOLD = 0.9, 1.0
LIBRARIES = ("snntorch", "spikingjelly", "norse", "sinabs")
BY_HAND = ("loop", "compile")
OURS = ("reference", "ours", "graph")


@dataclass(frozen=True)
class Workload:
    """A network of two layers, the shape of its batch, and the implementations.

    Args:
        rule: what a step does: one update by backpropagation through time, T updates by the online rule, or inference.
        sizes: inputs, hidden neurons and outputs.
        num_steps: T.
        batch: B.
        implementations: their names, in the order of the table; ratios are to the first.
        repeats: timed steps of each implementation.
        naive_steps: time steps that the naive traces are timed for and scaled up from; all of them if None.
        pretraining: batches that make the weights realistic before anything is measured.
        quick: part of ``--quick``.

    Example:
        >>> find("bptt-784-196-784").sizes
        (784, 196, 784)
    """

    rule: Rule
    sizes: Sizes
    num_steps: int
    batch: int
    implementations: tuple[str, ...]
    repeats: int = 20
    naive_steps: int | None = None
    pretraining: int = 150
    quick: bool = False

    @property
    def name(self) -> str:
        """The rule and the sizes."""
        return "-".join([self.rule, *map(str, self.sizes)])

    @property
    def checked_steps(self) -> int:
        """Time steps of the check that all implementations compute the same: those that every one of them runs."""
        return self.naive_steps or self.num_steps


SMALL, MEDIUM, LARGE = (784, 196, 784), (784, 1024, 784), (58500, 2048, 196)
EVERYONE = (*LIBRARIES, *BY_HAND, *OURS)
SOME = ("snntorch", "spikingjelly", "loop")
TRACES = ("naive", *OURS)

WORKLOADS = (
    Workload("bptt", SMALL, 15, 100, (*EVERYONE, "mixed"), repeats=30, quick=True),
    Workload("bptt", MEDIUM, 60, 100, (*EVERYONE, "mixed"), repeats=7, pretraining=30),
    Workload("bptt", LARGE, 30, 50, (*SOME, "ours", "mixed", "graph"), repeats=3, pretraining=6),
    Workload("inference", SMALL, 15, 100, EVERYONE, repeats=30, quick=True),
    Workload("online", SMALL, 15, 100, TRACES, repeats=7, quick=True),
    Workload("online", MEDIUM, 60, 100, TRACES, repeats=3, naive_steps=3, pretraining=30),
    Workload("online", LARGE, 30, 50, ("ours", "graph"), repeats=2, naive_steps=2, pretraining=6),
)
EXTRAS = {
    "precision": "ours in float32, mixed and bfloat16: time, and the error of the gradient",
    "parts": "what each part of the kernels on a CPU brings: the time of a step without it",
    "rates": "a training step while few to most of the hidden neurons fire",
    "first-seconds": "until a command or the first training step is done, with and without compiled kernels",
    "loading": "share of an epoch in which training waits for its data, by the shipped configs",
    "growth": "time and memory against T, B, hidden neurons and inputs (only with --growth)",
}


def names() -> list[str]:
    """Everything that can be asked for."""
    return [*(workload.name for workload in WORKLOADS), *EXTRAS]


def find(name: str) -> Workload:
    """The workload of that name.

    Raises:
        InputError: if there is none.
    """
    for workload in WORKLOADS:
        if workload.name == name:
            return workload
    raise InputError(f"Expected a benchmark of {names()}, got {name!r}")
