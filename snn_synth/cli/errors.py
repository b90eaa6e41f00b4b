"""From an exception to the one sentence that a user can act on."""

import argparse
import linecache
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from snn_synth.errors import InputError, brief

_WORDING = (  # jsonargparse's words, and ours
    (r"<class '(?:\w+\.)*(\w+)'>", r"\1"),
    (r"typing\.", ""),
    (r"^Expected an? (.+)\. Got value: ", r"Expected \1, got "),
    (r"^Expected a dot import path string: ", "Expected a known class or its import path, got "),
)

_UNFIT = (AttributeError, IndexError, KeyError, OverflowError, RuntimeError, TypeError, ValueError, ZeroDivisionError)


def sentence(error: BaseException) -> str | None:
    """What was wrong with the input, in one line; None for a mistake that is not the input's.

    Example:
        >>> sentence(InputError("Expected `num_steps` to be at least 1, got 0"))
        'Expected `num_steps` to be at least 1, got 0'
        >>> sentence(PermissionError(13, "Permission denied", "/proc/runs"))
        'Permission denied: /proc/runs'
        >>> sentence(ZeroDivisionError()) is None
        True
    """
    try:
        return _told(error)
    except RuntimeError as late:  # torch tells of a dead worker whenever the signal comes, here too
        if not _of_dead_worker(late):
            raise
        return _told(late)


def _told(error: BaseException) -> str | None:
    causes = list(_causes(error))
    for cause in causes:  # jsonargparse wraps what a constructor raises
        if isinstance(cause, InputError):
            return _one_line(str(cause))
    if isinstance(error, argparse.ArgumentError) or _refused_by(error, ("jsonargparse.",)):
        return _configuration(causes)
    if _of_dead_worker(error):  # killed, for want of memory, say
        return f"Expected the workers of the DataLoader to stay alive, got {_one_line(str(error))}"
    if isinstance(error, OSError):
        place = f": {error.filename}" if error.filename else ""
        return f"{error.strerror or error}{place}"
    if _refused_by(error, ("lightning.", "pytorch_lightning.", "torch.optim.")):  # a device that is not there, say
        return _one_line(str(error))
    if type(error) in _UNFIT and _innermost(error)[0].startswith("torch.optim") and "memory" not in str(error):
        # From a checkpoint, whose states replace those of optimizer and scheduler as they are.
        return f"Expected settings of optimizer and scheduler that fit them, got others ({brief(error)})"
    # Other numbers of machines or processes than torchrun or SLURM has started, say, or none.
    if isinstance(error, ValueError) and _innermost(error)[0].startswith("lightning.fabric.plugins.environments"):
        return _one_line(str(error))
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return (
            "Expected settings that fit the memory of this machine, got some that need more: take smaller batches, "
            f"layers or `num_steps` ({brief(error)})"
        )
    if type(error).__module__.startswith("wandb.errors"):
        return f"Expected W&B to take the run, got {brief(error)}: WANDB_MODE=offline keeps it on this machine"
    if isinstance(error, RuntimeError) and "loading state_dict" in str(error):
        return f"Expected a checkpoint of this model, got another: {_one_line(str(error))[:300]}"
    if "lightning.pytorch.trainer.connectors.checkpoint_connector" in _modules(error):
        return f"Expected a checkpoint of such a run, got a damaged one ({type(error).__name__}: {brief(error)})"
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _configuration(causes: list[BaseException]) -> str:
    """The innermost cause says what is wrong; the outermost names the outermost key."""
    lines = [line.strip() for line in str(causes[-1]).splitlines() if line.strip()]
    reason = next(filter(None, map(_not_allowed, causes)), lines[0])[:400]
    for pattern, plain in _WORDING:
        reason = re.sub(pattern, plain, reason)
    keys = [key for cause in causes for key in re.findall(r'Parser key "([^"]+)"', str(cause))]
    path = ".".join(dict.fromkeys(keys))
    return f"{path}: {reason}" if path and path not in reason else reason


def _refused_by(error: BaseException, packages: tuple[str, ...]) -> bool:
    """Whether these packages raised the error on purpose; what merely fails in them is no message to the user."""
    module, line = _innermost(error)
    return module.startswith(packages) and line.startswith("raise")


def _innermost(error: BaseException) -> tuple[str, str]:
    """Module and line that an error comes from."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "", ""
    frame = trace.tb_frame
    line = linecache.getline(frame.f_code.co_filename, trace.tb_lineno).strip()
    return str(frame.f_globals.get("__name__", "")), line


def _not_allowed(cause: BaseException) -> str | None:
    """What to do about a class path that jsonargparse was not allowed to import."""
    found = re.search(r"Importing '([^']+)' is not allowed(: it is no class)?", str(cause))
    if found is None:
        return None
    name, module = found[1], found[1].rpartition(".")[0]
    if found[2]:
        return f"Expected a class, got {name}, which is none: a config may not name functions"
    said = f"Expected a class of snn_synth, torch.optim or Lightning, got {name}"
    a_file = Path(name).suffix in (".yaml", ".yml", ".json")
    if a_file or not module or module.partition(".")[0] in sys.stdlib_module_names:
        return said
    return f"{said}: give --allow_import {module}, if it is yours or you trust it"


def _modules(error: BaseException) -> list[str]:
    """Of the functions that an error passed through; it was raised in the last."""
    return [str(frame.f_globals.get("__name__", "")) for frame, _ in traceback.walk_tb(error.__traceback__)]


def _one_line(text: str) -> str:
    return " ".join(re.sub(r"<(?:\w+\.)*(\w+) object at 0x\w+>", r"\1", text).split())


def _of_dead_worker(error: BaseException) -> bool:
    """Whether a DataLoader lost a worker: it says so, or the pipe from it breaks first."""
    if isinstance(error, RuntimeError):
        return str(error).startswith("DataLoader worker")
    if not isinstance(error, (ConnectionError, EOFError)):
        return False
    modules = _modules(error)  # the last tells it from a data set's own connection
    return "torch.utils.data.dataloader" in modules and modules[-1].startswith("multiprocessing.")
