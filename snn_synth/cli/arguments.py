"""An argument parser that raises InputError."""

import argparse
from typing import NoReturn

from snn_synth.errors import InputError


class Parser(argparse.ArgumentParser):
    """Raises InputError instead of printing its usage and exiting. The text of ``--help`` is in help.py.

    Example:
        >>> Parser(prog="demo").parse_args(["--colour"])
        Traceback (most recent call last):
        snn_synth.errors.InputError: Expected the options of `demo --help`, got unrecognized arguments: --colour
    """

    def error(self, message: str) -> NoReturn:
        """Raise."""
        raise InputError(f"Expected the options of `{self.prog} --help`, got {message}")
