"""What a sweep searches: the settings of its runs."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from snn_synth.errors import InputError
from snn_synth.experiments.sweep.file import brief, flat, plain

MOST = 10_000
"""Runs of a sweep; settings of a grid are counted before they are made."""
SETTINGS = 10**6
"""Values of all runs together, one of each parameter for each run."""

Spec = Mapping[str, Any]
Draw = Callable[[np.random.Generator, Spec], Any]
DISTRIBUTIONS: dict[str, Draw] = {
    "constant": lambda rng, spec: plain(spec["value"]),
    "categorical": lambda rng, spec: _choices(spec)[rng.choice(len(_choices(spec)), p=spec.get("probabilities"))],
    "int_uniform": lambda rng, spec: int(rng.integers(*_whole_limits(spec), endpoint=True)),
    "uniform": lambda rng, spec: float(rng.uniform(*_limits(spec))),
    "log_uniform": lambda rng, spec: math.exp(rng.uniform(*_limits(spec))),
    "log_uniform_values": lambda rng, spec: math.exp(rng.uniform(*_logs(spec))),
    "normal": lambda rng, spec: float(rng.normal(_number(spec, "mu", 0.0), _number(spec, "sigma", 1.0))),
    "log_normal": lambda rng, spec: math.exp(rng.normal(_number(spec, "mu", 0.0), _number(spec, "sigma", 1.0))),
}
"""W&B's names for how a value is drawn; ``q_`` before one rounds to multiples of ``q``."""
ROUNDED = ("uniform", "log_uniform", "log_uniform_values", "normal", "log_normal")
DISTRIBUTIONS |= {
    f"q_{name}": lambda rng, spec, draw=DISTRIBUTIONS[name]: _rounded(draw(rng, spec), spec)  # type: ignore[misc]
    for name in ROUNDED
}
DISTRIBUTIONS["categorical_w_probabilities"] = DISTRIBUTIONS["categorical"]
KEYS = {"distribution", "value", "values", "probabilities", "min", "max", "mu", "sigma", "q"}


def points(sweep: Mapping[str, Any], count: int | None = None, seed: int = 0) -> list[dict[str, Any]]:
    """The settings of each run.

    Args:
        sweep: what :func:`~snn_synth.experiments.sweep.file.read` gave.
        count: of runs; all of a grid, and ``run_cap`` of a random search, if not given.
        seed: of a random search. Its k-th run depends on (seed, k) alone, so that a longer search starts as a shorter.

    Raises:
        InputError: for a method or distribution that cannot run here, values that are none, a random search without an
            end, or more than 10,000 runs or a million settings.

    Example:
        >>> values = {"lr": {"values": [0.1, 0.2]}, "T": {"values": [15, 30]}}
        >>> points({"method": "grid", "parameters": values}, count=3)
        [{'lr': 0.1, 'T': 15}, {'lr': 0.1, 'T': 30}, {'lr': 0.2, 'T': 15}]
    """
    if sweep["method"] not in ("grid", "random"):
        raise InputError(
            f"Expected method 'grid' or 'random', which run without W&B's server, got {brief(sweep['method'])}: "
            "start it with `wandb sweep FILE`, then `wandb agent`"
        )
    if seed < 0:
        raise InputError(f"Expected `seed` of at least 0, got {seed}")
    parameters = flat(sweep["parameters"])
    for name, spec in parameters.items():
        if unknown := [key for key in spec if key not in KEYS]:
            raise InputError(f"Expected only {sorted(KEYS)} for {name}, got {brief(unknown)}")
    most = count if count is not None else sweep.get("run_cap")
    if most is not None and (type(most) is not int or most < 1):
        raise InputError(f"Expected `run_cap` of at least 1, got {brief(most)}")
    if sweep["method"] == "grid":
        grid = {name: _all_values(name, spec) for name, spec in parameters.items()}
        runs = math.prod(len(values) for values in grid.values())
        most = runs if most is None else min(runs, most)
    if most is None:
        raise InputError("Expected `run_cap` in a random sweep, or --count, got neither: it has no end")
    if most > MOST:
        raise InputError(f"Expected at most {MOST:,} runs, got {brief(most)}: --count N runs the first N")
    if most * len(parameters) > SETTINGS:
        raise InputError(
            f"Expected at most {SETTINGS:,} settings in all runs together, got {most} runs of {len(parameters)} each: "
            "give what does not change in the command's config"
        )
    if sweep["method"] == "grid":
        return [_place(grid, run) for run in range(most)]
    return [
        {
            name: _draw(name, spec, np.random.default_rng([seed, run, place]))
            for place, (name, spec) in enumerate(parameters.items())
        }
        for run in range(most)
    ]


def distribution(spec: Spec) -> str:
    """The distribution of a parameter, by W&B's rules where the file names none."""
    if "distribution" in spec:
        return str(spec["distribution"])
    if "value" in spec:
        return "constant"
    if "values" in spec:
        return "categorical"
    whole = all(isinstance(spec.get(end), int) for end in ("min", "max"))
    return "int_uniform" if whole else "uniform"


def _place(grid: Mapping[str, Sequence[Any]], run: int) -> dict[str, Any]:
    """The run's settings in a grid, the last parameter fastest."""
    point = {}
    for name in reversed(list(grid)):
        run, digit = divmod(run, len(grid[name]))
        point[name] = grid[name][digit]
    return {name: point[name] for name in grid}


def _all_values(name: str, spec: Spec) -> Sequence[Any]:
    kind = distribution(spec)
    with _named(name, kind, spec):
        if kind == "constant":
            return [plain(spec["value"])]
        if kind in ("categorical", "categorical_w_probabilities"):
            return _choices(spec)
        if kind == "int_uniform":
            low, high = _whole_limits(spec)
            return range(low, high + 1)
    raise InputError(f"Expected `values` for {name}, as the method is 'grid', got {brief(dict(spec))}")


def _draw(name: str, spec: Spec, rng: np.random.Generator) -> Any:
    kind = distribution(spec)
    if kind not in DISTRIBUTIONS:
        raise InputError(f"Expected a distribution of {list(DISTRIBUTIONS)} for {name}, got {brief(kind)}")
    with _named(name, kind, spec):
        return DISTRIBUTIONS[kind](rng, spec)


@contextmanager
def _named(name: str, kind: str, spec: Spec) -> Iterator[None]:
    """Says of which parameter what was wrong."""
    try:
        yield
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"Expected the limits of a {kind} distribution for {name}, got {brief(dict(spec))} "
            f"({' '.join(str(error).split())[:200]})"
        ) from None


def _number(spec: Spec, key: str, default: float | None = None) -> float:
    value = spec[key] if default is None else spec.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        hint = ", which is a text to YAML: write 0.001 for 1e-3" if isinstance(value, str) else ""
        raise ValueError(f"`{key}` is {brief(value)}{hint}")
    return value


def _limits(spec: Spec) -> tuple[float, float]:
    low, high = _number(spec, "min"), _number(spec, "max")
    if low > high:
        raise ValueError("`min` is above `max`")
    return low, high


def _logs(spec: Spec) -> tuple[float, float]:
    low, high = _limits(spec)
    return math.log(low), math.log(high)


def _whole_limits(spec: Spec) -> tuple[int, int]:
    low, high = _limits(spec)
    if low != int(low) or high != int(high) or max(abs(low), abs(high)) >= 2**62:
        raise ValueError("`min` and `max` are whole numbers below 2^62")
    return int(low), int(high)


def _rounded(value: float, spec: Spec) -> float:
    q = _number(spec, "q", 1)
    if q <= 0:
        raise ValueError("`q` is not above 0")
    return round(value / q) * q


def _choices(spec: Spec) -> list[Any]:
    values = spec["values"]
    if not isinstance(values, list) or not values:
        raise ValueError("`values` is no list with at least one value")
    return [plain(value) for value in values]
