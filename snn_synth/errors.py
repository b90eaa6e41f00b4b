"""The one exception that means "the input is wrong", not "the program is"."""

from collections.abc import Sized

__all__ = ["InputError"]


class InputError(ValueError):
    """Raised when a value, a shape or a file is not what a function accepts.

    The message is one sentence: what was expected, what came, and what to do where that is known.
    The command line turns it into exit code 2 without a traceback.

    Example:
        >>> raise InputError("Expected `num_steps` to be at least 1, got 0")
        Traceback (most recent call last):
        snn_synth.errors.InputError: Expected `num_steps` to be at least 1, got 0
    """


def counted(things: Sized, kind: str) -> str:
    """How many there are, as a message says it.

    Example:
        >>> counted(["a.png"], "file"), counted([], "file")
        ('1 file', '0 files')
    """
    return f"{len(things):,} {kind}" if len(things) == 1 else f"{len(things):,} {kind}s"


def brief(error: BaseException) -> str:
    """What an exception of others says, on one line of at most 200 characters.

    Example:
        >>> brief(ValueError("  size mismatch:     2 and 3"))
        'size mismatch: 2 and 3'
    """
    return " ".join(str(error).split())[:200] or type(error).__name__
