"""What lower precision buys, and what it costs in the gradient."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from snn_synth import kernels
from snn_synth.experiments.bench.case import Case
from snn_synth.experiments.bench.implementations import ours
from snn_synth.experiments.bench.measure import in_turns, summary

CHOICES: tuple[kernels.Precision, ...] = ("float32", "mixed", "bfloat16")


def measure(case: Case, repeats: int, tick: Callable[[], object] = int) -> dict[str, dict[str, Any]]:
    """Time of a step, gradient error and changed spikes of each choice.

    The error is relative, ``|g - g64| / |g64|`` for each layer, against the gradient in float64 at the same weights.

    Returns:
        For each choice, and for the reference functions in float32, its times, ``gradient_errors`` (by layer) and
        ``changed_spikes``, the share of hidden and output spikes that float64 does not have.
    """
    with kernels.use("reference"):
        _, exact = ours.gradients(case, torch.float64)
        exact_spikes = _spikes(case, torch.float64)
        rows = {"reference": _errors(case, exact, exact_spikes)}
        runs = {"reference": ours.build_reference(case)}
    for choice in CHOICES:
        with kernels.precision(choice):
            rows[choice] = _errors(case, exact, exact_spikes)
            runs[choice] = ours.build(case, lambda choice=choice: kernels.precision(choice))  # type: ignore[misc]
    for run in runs.values():
        run.step()
    seconds = in_turns({name: run.step for name, run in runs.items()}, repeats, str(case.spikes.device), tick)
    return {name: row | summary(seconds[name]) for name, row in rows.items()}


def relative_error(found: Tensor, exact: Tensor) -> float:
    r"""Relative distance of two gradients, :math:`\lVert g - g_{64} \rVert / \lVert g_{64} \rVert`.

    Example:
        >>> relative_error(torch.tensor([3.0, 4.0]), torch.tensor([3.0, 4.5], dtype=torch.float64)) < 0.1
        True
    """
    distance, size = float((found.double() - exact.double()).norm()), float(exact.norm())
    return distance / size if size else distance


def _errors(case: Case, exact: list[Tensor], exact_spikes: Tensor) -> dict[str, Any]:
    _, found = ours.gradients(case)
    errors = [relative_error(g, g64) for g, g64 in zip(found, exact, strict=True)]
    changed = (_spikes(case, torch.float32) != exact_spikes).float().mean().item()
    return {"gradient_errors": [float(f"{e:.3g}") for e in errors], "changed_spikes": float(f"{changed:.3g}")}


@torch.no_grad()
def _spikes(case: Case, dtype: torch.dtype) -> Tensor:
    out = case.model(dtype)(case.spikes.to(dtype))
    return torch.cat([layer > 0 for layer in out.layer_spikes], dim=-1)
