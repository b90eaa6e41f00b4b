"""What is said on the terminal while a command runs."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonargparse

import snn_synth

# A constructor's warning may point to its caller, which on the command line is jsonargparse.
_OURS = tuple(str(Path(str(package.__file__)).parent) for package in (snn_synth, jsonargparse))
_WARNINGS = (  # nothing that the user of a command could act on
    ".*LeafSpec.*is deprecated",
    "Checkpoint directory .* exists and is not empty",
    "The number of training batches .* is smaller than the logging interval",  # steps are counted across epochs
    "Couldn't infer the batch indices",
    "You have overridden `on_before_batch_transfer`",
)
_MESSAGES = ("Tip:", "`weights_only` was not set", "to estimate number of stepping batches")
_LOGGERS = ("utilities.rank_zero", "trainer.connectors.checkpoint_connector")


@contextmanager
def without_noise() -> Iterator[None]:
    """Hide what Lightning says of itself, and print our own warnings as one sentence, without lines of the source."""
    loggers = [logging.getLogger(f"lightning.pytorch.{name}") for name in _LOGGERS]
    before = warnings.formatwarning

    def formatted(message: Any, category: Any, filename: str, lineno: int, line: str | None = None) -> str:
        if filename.startswith(_OURS) and issubclass(category, UserWarning):
            return f"snn-synth: warning: {message}\n"
        return before(message, category, filename, lineno, line)

    with warnings.catch_warnings():
        for message in _WARNINGS:
            warnings.filterwarnings("ignore", message=message)
        for logger in loggers:
            logger.addFilter(_is_of_use)
        warnings.formatwarning = formatted
        try:
            yield
        finally:
            warnings.formatwarning = before
            for logger in loggers:
                logger.removeFilter(_is_of_use)


def _is_of_use(record: logging.LogRecord) -> bool:
    return not any(message in str(record.msg) for message in _MESSAGES)
