"""What it takes to measure something again: the versions of what was installed."""

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("snn_synth", "torch", "snntorch", "lightning", "numpy")


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
