"""A parser whose errors are ours."""

import argparse
from typing import NoReturn

from snn_synth.errors import InputError


class Parser(argparse.ArgumentParser):
    """Raises InputError instead of printing its usage and leaving; help has pages of its own.

    Example:
        >>> Parser(prog="demo").parse_args(["--colour"])
        Traceback (most recent call last):
        snn_synth.errors.InputError: Expected the options of `demo --help`, got unrecognized arguments: --colour
    """

    def error(self, message: str) -> NoReturn:
        """Raise."""
        raise InputError(f"Expected the options of `{self.prog} --help`, got {message}")
