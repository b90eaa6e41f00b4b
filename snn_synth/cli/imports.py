"""What a config or an option may name: classes of a few packages, and of those that the user allows."""

import importlib
import inspect
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from jsonargparse import _actions, _common, _loaders_dumpers, _typehints, _util, set_parsing_settings

from snn_synth.errors import InputError
from snn_synth.parsing import bounded

OPTION = "--allow_import"
# Where the classes are that a config may name: models and data, optimizers and schedulers, and what a Trainer takes.
OURS = ("snn_synth.training", "snn_synth.models", "snn_synth.data")
THEIRS = (
    "torch.optim",
    *(
        f"lightning.{part}"
        for part in (
            *(f"pytorch.{kind}" for kind in ("callbacks", "loggers", "strategies", "plugins", "profilers")),
            *(f"fabric.{kind}" for kind in ("accelerators", "loggers", "plugins", "strategies")),
            "pytorch.accelerators",
            "pytorch.cli.ReduceLROnPlateau",
        )
    ),
)
ALLOWED = (*OURS, *THEIRS)


def take_allowed(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Command-line arguments without ``--allow_import NAME[,NAME]``, and those names. A config cannot give the option.

    Raises:
        InputError: for a name that is none, or one of Python's own modules.

    Example:
        >>> take_allowed(["fit", "--allow_import", "mine", "--config", "a.yaml", "--allow_import=b,c.d"])
        (['fit', '--config', 'a.yaml'], ['mine', 'b', 'c.d'])
    """
    others: list[str] = []
    names: list[str] = []
    rest = iter(argv)
    for argument in rest:
        option, equals, value = argument.partition("=")
        if option != OPTION:
            others.append(argument)
            continue
        for name in (value if equals else next(rest, "")).split(","):
            top = name.partition(".")[0]
            if not all(part.isidentifier() for part in name.split(".")):
                raise InputError(f"Expected {OPTION} with the name of a package of yours, got {name!r}")
            if top in sys.stdlib_module_names or top == "jsonargparse":
                raise InputError(f"Expected {OPTION} with a package of your own, got {name!r}")
            names.append(name)
    return others, names


@contextmanager
def limited_imports(allowed: Sequence[str] = ()) -> Iterator[None]:
    """Within the block, jsonargparse imports classes of ALLOWED and ``allowed`` alone, and reads YAML in bounds.

    It does so by its own list of import paths; that functions and instances are refused, too, is ours.

    Args:
        allowed: packages or modules of the user's, imported from the current folder too.

    Raises:
        InputError: if one of them is not there.
    """
    for name in allowed:
        _import(name)
    settings, canonical = dict(_common.parsing_settings), _util.canonical_import_paths
    loader: Any = _loaders_dumpers.get_yaml_default_loader()  # type: ignore[no-untyped-call]

    def canonical_of_class(obj: Any) -> set[str]:
        if not inspect.isclass(obj):
            name = getattr(obj, "__qualname__", type(obj).__name__)
            raise _common.ImportDenied(f"Importing '{name}' is not allowed: it is no class")
        return canonical(obj)

    set_parsing_settings(
        import_path_denylist=["*", "snn_synth.training.factories"],  # Described calls others
        import_path_allowlist=[*ALLOWED, *allowed],
        instantiate_subclass_spec_in_any=False,
    )
    _loaders_dumpers.yaml_default_loader = bounded(loader)  # type: ignore[assignment]
    _util.canonical_import_paths = canonical_of_class
    try:
        _check()
        yield
    finally:
        _common.parsing_settings.clear()
        _common.parsing_settings.update(settings)
        _loaders_dumpers.yaml_default_loader = loader
        _util.canonical_import_paths = canonical


def _import(name: str) -> None:
    """Import a module as ``python -m`` would find it: in the current folder first."""
    here = os.getcwd()
    sys.path.insert(0, here)
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # something that it imports itself
        raise InputError(f"Expected {OPTION} with a package that can be imported, got {name!r}") from None
    finally:
        sys.path.remove(here)
        if here not in sys.path:
            sys.path.append(here)  # for what it imports later; installed packages go first


def _check() -> None:
    """Run nothing at all if a version of jsonargparse does not ask us any more."""
    for module in (_typehints, _actions):
        for refused in ("os.system", "subprocess.Popen", "torch.optim.adamw.adamw", "snn_synth.training.factories.sys"):
            try:
                module.import_object(refused)
            except _common.ImportDenied:
                continue
            raise RuntimeError(f"Expected jsonargparse to refuse {refused}, got it imported: its version is not known")
    try:
        _loaders_dumpers.json_or_yaml_load("[&a [*a]]")  # type: ignore[no-untyped-call]
    except _loaders_dumpers.json_or_yaml_loader_exceptions:
        return
    raise RuntimeError("Expected jsonargparse to read YAML in bounds, got it read: its version is not known")
