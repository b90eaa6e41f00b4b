"""The parser of a command: its errors are ours, and its options with their help are the page of ``--help``."""

import argparse
import re
from functools import partial
from pathlib import Path
from typing import NoReturn

from snn_synth.errors import InputError

_WIDTH = 112
_FORMAT = partial(argparse.RawDescriptionHelpFormatter, width=_WIDTH, max_help_position=26)


class Parser(argparse.ArgumentParser):
    """Raises InputError instead of printing its usage and leaving; ``--help`` is for `snn_synth.cli.entry` to answer.

    Args:
        command: its name.
        summary: its line in the list of commands.
        about: what it does.
        examples: command lines without ``snn-synth``, each perhaps with two spaces and a comment after it.
        note: what comes last.

    Example:
        >>> Parser("demo", "train", "Train it.", ["demo"]).parse_args(["--colour"])
        Traceback (most recent call last):
        snn_synth.errors.InputError: Expected the options of `snn-synth demo --help`, got unrecognized arguments: ...
    """

    def __init__(self, command: str, summary: str, about: str, examples: list[str], note: str = "") -> None:
        lines = "\n".join(f"  snn-synth {example}" for example in examples)
        super().__init__(
            prog=f"snn-synth {command}",
            description=about.strip(),
            epilog=f"Examples:\n{lines}\n\n{note.strip()}".strip(),
            formatter_class=_FORMAT,
            add_help=False,
        )
        self.summary = summary

    def add_folder(self, default: str, what: str) -> None:
        """Add ``--out``, the folder of the results."""
        what = f"%(default)s if not given; {what}"
        self.add_argument("--out", type=Path, default=Path(default), metavar="DIR", help=what)

    def error(self, message: str) -> NoReturn:
        """Raise."""
        missing = re.fullmatch("the following arguments are required: (.+)", message)
        if missing:
            raise InputError(f"Expected a value for {missing[1]}, got none: see `{self.prog} --help`")
        raise InputError(f"Expected the options of `{self.prog} --help`, got {message}")
