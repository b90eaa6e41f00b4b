"""What each part of the kernels brings: all of them, then one at a time replaced by the reference function."""

import contextlib
import importlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from snn_synth import kernels
from snn_synth.encoding import poisson_encode
from snn_synth.experiments.bench.case import Case
from snn_synth.experiments.bench.implementations import ours
from snn_synth.experiments.bench.implementations.common import Run
from snn_synth.experiments.bench.measure import assert_equal, in_turns, summary
from snn_synth.experiments.bench.workloads import Rule

Off = Callable[[], AbstractContextManager[Any]]

ALL = "nothing"
NONE = "all of it"
_KERNELS = "lif", "products", "sparse", "fading", "tiles", "tile_scans", "encoding", "currents"


def _swap(target: str, replacement: object) -> Off:
    return partial(patch, f"snn_synth.kernels.{target}", replacement)


def _reference(*_: Tensor | None) -> str:
    return "reference"


@contextlib.contextmanager
def _without_scans() -> Iterator[None]:
    with _swap("lif.backend", _reference)(), _swap("layer.backend", _reference)():
        yield


def _none(*_: object) -> None:
    return None


def _new_memory(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(shape, dtype=dtype)


@contextlib.contextmanager
def _without_memory() -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for module in ("memory", "threads", *_KERNELS):
            stack.enter_context(patch(f"snn_synth.kernels.cpu.{module}.empty", _new_memory))
        stack.enter_context(patch("snn_synth.kernels.cpu.threads._kept.arrays", {}))
        stack.enter_context(patch("snn_synth.kernels.cpu.threads._kept.sets", {}))
        stack.enter_context(patch("snn_synth.kernels.cpu.threads._SMALL", -1))  # bytes of what is kept there
        yield


@contextlib.contextmanager
def _with_every_error() -> Iterator[None]:
    """Errors of zero, which the kernel leaves out, are made too small to change a float32 sum."""
    step, traces = (importlib.import_module(f"snn_synth.kernels.cpu.{name}") for name in ("step", "traces"))

    def all_of(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda errors, *rest: function(step.errors(torch.where(errors.values == 0, 1e-30, errors.values)), *rest)

    with contextlib.ExitStack() as stack:
        for name in ("weight_gradient", "update_weight"):
            stack.enter_context(patch.object(traces, name, all_of(getattr(traces, name))))
        yield


_INPUT: dict[str, Off] = {"Poisson spikes hashed and compared in one pass": _swap("encoding.backend", _reference)}
PARTS: dict[Rule, dict[str, Off]] = {
    "bptt": {
        "scan, loss and their gradients in one pass": _without_scans,
        "products with spikes in the fastest way": partial(kernels.use, "numba", "float32"),
        "memory used again": _without_memory,
        **_INPUT,
    },
    "online": {
        "traces made where they are used": _swap("layer.backend", _reference),
        "masked errors skipped": _with_every_error,
        "Adam's step made with its gradient": partial(patch, "snn_synth.learning.online.plain_moments", _none),
        **_INPUT,
    },
}
"""By the rule: each part of the numba backend, and what turns it off inside a ``with`` block."""
FUSED_ADAM = "Adam in one pass"


def measure(case: Case, repeats: int, tick: Callable[[], object] = int) -> dict[str, dict[str, Any]]:
    """Time of a training step with its Poisson input: with all parts, without each of them, without any.

    Returns:
        Times, by what is missing: first :data:`ALL`, last :data:`NONE`.

    Raises:
        InputError: if a variant computes something else.
    """
    parts = PARTS[case.workload.rule]
    variants: dict[str, tuple[Off, bool]] = {
        ALL: (contextlib.nullcontext, True),
        **{name: (off, True) for name, off in parts.items()},
        **({FUSED_ADAM: (contextlib.nullcontext, False)} if case.workload.rule == "bptt" else {}),
        NONE: (partial(kernels.use, "reference"), False),
    }
    runs = {name: ours.build(case, off, fused) for name, (off, fused) in variants.items()}
    expected = runs[ALL].check()
    steps = {}
    for name, run in runs.items():
        assert_equal(f"a step without {name}", run.check(), expected)
        steps[name] = partial(_step, case, run, variants[name][0])
        steps[name]()
    seconds = in_turns(steps, repeats, tick=tick)
    return {name: summary(seconds[name]) for name in steps}


def _step(case: Case, run: Run, off: Off) -> None:
    with off():
        poisson_encode(case.values, case.workload.num_steps, keys=case.keys)
    run.step()


def number_of_steps(rule: Rule, repeats: int) -> int:
    """How often :func:`measure` ticks.

    Example:
        >>> number_of_steps("online", 3)
        18
    """
    return repeats * (len(PARTS[rule]) + (3 if rule == "bptt" else 2))
