"""Which of the processes that work together this one is."""

import multiprocessing
import os


def is_first() -> bool:
    """Whether this is the first of the processes that train together, by the numbers they were started with.

    Example:
        >>> is_first()
        True
    """
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"))


def is_worker() -> bool:
    """Whether another process of Python has made this one, as a DataLoader does its workers.

    Example:
        >>> is_worker()
        False
    """
    return multiprocessing.parent_process() is not None
