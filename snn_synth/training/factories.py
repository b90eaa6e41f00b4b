"""What makes an optimizer or a scheduler: a class, a partial of one, or what a checkpoint says of it."""

import functools
import reprlib
import sys
import types
from typing import Any

from snn_synth.construction import subclasses
from snn_synth.errors import InputError, brief


class Described:
    """An optimizer or a scheduler as a checkpoint describes it; its class is looked up when it is made, to train.

    Args:
        name: its class path.
        options: of its constructor.
        kinds: of which one it must be a subclass.

    Example:
        >>> import torch
        >>> adam = Described("torch.optim.Adam", {"lr": 0.5}, (torch.optim.Optimizer,))
        >>> adam([torch.nn.Parameter(torch.zeros(1))]).defaults["lr"]
        0.5
        >>> Described("os.system", {"command": "ls"}, (torch.optim.Optimizer,))([])
        Traceback (most recent call last):
        snn_synth.errors.InputError: Expected a subclass of Optimizer that has been imported, got 'os.system'
    """

    def __init__(self, name: str, options: dict[str, Any], kinds: tuple[type, ...]) -> None:
        """Look up nothing."""
        self.name, self.keywords, self.kinds = name, options, kinds

    @property
    def cls(self) -> type:
        """Its class."""
        return imported(self.name, self.kinds)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Make it."""
        cls = self.cls
        try:
            return cls(*args, **{**self.keywords, **kwargs})
        except (TypeError, ValueError) as error:
            raise InputError(
                f"Expected the options of {self.name}, got {reprlib.repr(self.keywords)} ({brief(error)})"
            ) from error


def imported(name: str, kinds: tuple[type, ...]) -> type[Any]:
    """The class of a class path, among the modules that have been imported; nothing is imported or called.

    Raises:
        InputError: unless it is there, and a subclass of one of these.
    """
    module, _, attribute = name.rpartition(".")
    found = vars(sys.modules.get(module, types)).get(attribute)
    if isinstance(found, type) and issubclass(found, kinds):
        return found
    for kind in kinds:
        if (known := named(subclasses(kind), name)) is not None:
            return known
    names = " or ".join(kind.__name__ for kind in kinds)
    raise InputError(f"Expected a subclass of {names} that has been imported, got {name[:200]!r}")


def class_made_by(factory: Any) -> type | None:
    """The class that a factory makes: itself, or that of a ``functools.partial``, jsonargparse's included."""
    if isinstance(factory, Described):
        return factory.cls
    if isinstance(factory, functools.partial):
        candidates = (factory.func, *factory.args)
        return next((c for c in candidates if isinstance(c, type)), None)
    return factory if isinstance(factory, type) else None


def named(known: list[type], path: str) -> type | None:
    """The class of a path; else the last with its name, for a script is not always run under the same."""
    name = path.rpartition(".")[2]
    return next((kind for kind in known if path_of(kind) == path), None) or next(
        (kind for kind in reversed(known) if kind.__name__ == name), None
    )


def path_of(cls: type) -> str:
    """Its class path."""
    return f"{cls.__module__}.{cls.__qualname__}"
