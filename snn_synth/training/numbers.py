"""Numbers among the settings that would spoil a training without a word."""

import math
from collections.abc import Mapping
from typing import Any

from snn_synth.errors import InputError


def check_numbers(what: str, arguments: Mapping[str, Any]) -> None:
    """Raise InputError for an argument that is NaN or infinite, or a learning rate below 0; PyTorch lets some pass.

    Example:
        >>> check_numbers("optimizer", {"lr": float("inf")})
        Traceback (most recent call last):
        snn_synth.errors.InputError: Expected `optimizer.lr` to be finite and at least 0, got inf
    """
    for name, value in arguments.items():
        rate = "lr" in name.split("_")
        for number in value if isinstance(value, list | tuple) else [value]:
            if isinstance(number, int | float) and not (math.isfinite(number) and (number >= 0 or not rate)):
                least = " and at least 0" if rate else ""
                raise InputError(f"Expected `{what}.{name}` to be finite{least}, got {value}")
