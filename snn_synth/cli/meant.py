"""Which option of a config is meant by the last part of its name."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_BETWEEN = ("init_args", "dict_kwargs")  # parts of a name that the command line leaves out


def meant(message: str, config: Mapping[str, Any]) -> str | None:
    """The one option that ends in the name of an unknown one; None if there are several, or none.

    Args:
        message: of the parser.
        config: the complete one, without the unknown options.

    Example:
        >>> network = {"class_path": "AESNN", "init_args": {"inputs": 784, "hidden": 196}}
        >>> config = {"model": {"class_path": "LitAutoencoder", "init_args": {"network": network, "seed": 0}}}
        >>> meant("unrecognized arguments: --hidden 128", config)
        '--model.network.hidden'
        >>> meant("unrecognized arguments: --seed 1", config | {"data": {"seed": 0}}) is None
        True
    """
    found = re.search(r"unrecognized arguments: --([\w.-]+)", message)
    if found is None:
        return None
    wanted = found[1].replace("-", "_")
    names = {name for name in _names(config) if name.endswith(f".{wanted}")}
    return f"--{names.pop()}" if len(names) == 1 else None


def _names(config: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for key, value in config.items():
        if key in _BETWEEN:
            name = before
        elif key == "class_path":
            continue
        else:
            name = f"{before}.{key}" if before else key
            yield name
        if isinstance(value, Mapping):
            yield from _names(value, name)
