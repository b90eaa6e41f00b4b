"""What Lightning says on the terminal while a command runs."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_noise() -> Iterator[None]:
    """Hold back what Lightning says of other products, of its own code, and of the folder that we made on purpose."""
    logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated")
        warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
        logger.addFilter(_no_tip)
        try:
            yield
        finally:
            logger.removeFilter(_no_tip)


def _no_tip(record: logging.LogRecord) -> bool:
    return "Tip:" not in str(record.msg)
