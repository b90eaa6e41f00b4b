"""Records of what was measured: the versions of packages, and results of earlier versions of this package."""

import json
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("snn_synth", "torch", "snntorch", "lightning", "numpy")
RENAMED = {"arms": "variants", "mse": "standardized_mse", "mse_whole_set": "standardized_mse_whole_set"}
"""Names in the results of experiments, by what they were called in earlier versions."""


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Versions of Python and of those packages that are installed.

    Example:
        >>> list(versions(["snn_synth", "not_installed"]))
        ['python', 'snn_synth']
    """
    found = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def read_results(path: Path) -> dict[str, Any]:
    """What an experiment wrote, also with the names of an earlier version.

    Args:
        path: of ``metrics.json`` or ``result.json``.
    """
    found: dict[str, Any] = present_names(json.loads(path.read_text()))
    return found


def present_names(results: Any) -> Any:
    """Results with the present names, numbers as they are.

    Example:
        >>> present_names({"measures": ["test/mse"], "arms": {"SNN": {"test/mse": 0.1}}})
        {'measures': ['test/standardized_mse'], 'variants': {'SNN': {'test/standardized_mse': 0.1}}}
    """
    if isinstance(results, dict):
        return {_present_name(key): present_names(value) for key, value in results.items()}
    if isinstance(results, list):
        return [_present_name(one) if isinstance(one, str) else present_names(one) for one in results]
    return results


def _present_name(key: str) -> str:
    part, slash, measure = key.rpartition("/")
    return f"{part}{slash}{RENAMED.get(measure, measure)}"
