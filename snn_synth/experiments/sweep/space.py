"""What a sweep file searches: the settings of its runs."""

import itertools
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from snn_synth.errors import InputError

Draw = Callable[[np.random.Generator, Mapping[str, Any]], Any]
DISTRIBUTIONS: dict[str, Draw] = {
    "constant": lambda rng, spec: spec["value"],
    "categorical": lambda rng, spec: spec["values"][rng.choice(len(spec["values"]), p=spec.get("probabilities"))],
    "int_uniform": lambda rng, spec: int(rng.integers(spec["min"], spec["max"], endpoint=True)),
    "uniform": lambda rng, spec: float(rng.uniform(spec["min"], spec["max"])),
    "log_uniform_values": lambda rng, spec: math.exp(rng.uniform(math.log(spec["min"]), math.log(spec["max"]))),
    "normal": lambda rng, spec: float(rng.normal(spec.get("mu", 0.0), spec.get("sigma", 1.0))),
}
"""W&B's names for how a value is drawn."""


def read(path: Path) -> dict[str, Any]:
    """A sweep file.

    Raises:
        InputError: if it is none.
    """
    try:
        sweep = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"Expected a sweep in YAML, got {path}: {' '.join(str(error).split())}") from None
    missing = [key for key in ("method", "metric", "parameters", "command") if key not in (sweep or {})]
    if missing:
        raise InputError(
            f"Expected a sweep with `method`, `metric`, `parameters` and `command`, got {path} without {missing}"
        )
    result: dict[str, Any] = sweep
    return result


def points(sweep: Mapping[str, Any], count: int | None = None, seed: int = 0) -> list[dict[str, Any]]:
    """The settings of each run.

    Args:
        sweep: what :func:`read` gave.
        count: of runs; all of a grid, and ``run_cap`` of a random search, if not given.
        seed: of a random search. Its k-th run depends on (seed, k) alone, so that a longer search starts as a shorter.

    Raises:
        InputError: for a method or distribution that cannot run here, or a random search without an end.

    Example:
        >>> values = {"lr": {"values": [0.1, 0.2]}, "T": {"values": [15, 30]}}
        >>> points({"method": "grid", "parameters": values}, count=3)
        [{'lr': 0.1, 'T': 15}, {'lr': 0.1, 'T': 30}, {'lr': 0.2, 'T': 15}]
    """
    parameters, most = sweep["parameters"], count or sweep.get("run_cap")
    if sweep["method"] == "grid":
        grid = itertools.product(*(_all_values(name, spec) for name, spec in parameters.items()))
        return [dict(zip(parameters, values, strict=True)) for values in itertools.islice(grid, most)]
    if sweep["method"] != "random":
        raise InputError(
            f"Expected method 'grid' or 'random', which run without W&B's server, got {sweep['method']!r}: "
            "start it with `wandb sweep FILE`, then `wandb agent`"
        )
    if most is None:
        raise InputError("Expected `run_cap` in a random sweep, or --count, got neither: it has no end")
    return [
        {
            name: _draw(name, spec, np.random.default_rng([seed, run, place]))
            for place, (name, spec) in enumerate(parameters.items())
        }
        for run in range(most)
    ]


def distribution(spec: Mapping[str, Any]) -> str:
    """The distribution of a parameter, by W&B's rules where the file names none."""
    if "distribution" in spec:
        return str(spec["distribution"])
    if "value" in spec:
        return "constant"
    if "values" in spec:
        return "categorical"
    whole = all(isinstance(spec.get(end), int) for end in ("min", "max"))
    return "int_uniform" if whole else "uniform"


def _all_values(name: str, spec: Mapping[str, Any]) -> list[Any]:
    kind = distribution(spec)
    if kind == "constant":
        return [spec["value"]]
    if kind == "categorical":
        return list(spec["values"])
    if kind == "int_uniform":
        return list(range(spec["min"], spec["max"] + 1))
    raise InputError(f"Expected `values` for {name}, as the method is 'grid', got {dict(spec)}")


def _draw(name: str, spec: Mapping[str, Any], rng: np.random.Generator) -> Any:
    kind = distribution(spec)
    if kind not in DISTRIBUTIONS:
        raise InputError(f"Expected a distribution of {list(DISTRIBUTIONS)} for {name}, got {kind!r}")
    try:
        return DISTRIBUTIONS[kind](rng, spec)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"Expected the limits of a {kind} distribution for {name}, got {dict(spec)} ({error})"
        ) from None
