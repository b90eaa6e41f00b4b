"""Configs that come with the package, found by name."""

from pathlib import Path

import snn_synth
from snn_synth.errors import InputError
from snn_synth.parsing import read_yaml

_PACKAGE = Path(snn_synth.__file__).parent
# An installed wheel has the configs inside the package, a source checkout beside it.
FOLDERS = (_PACKAGE / "configs", _PACKAGE.parent / "configs")


def shipped() -> dict[str, Path]:
    """Path of each shipped config by its name.

    Example:
        >>> shipped()["ae_mnist"].name
        'ae_mnist.yaml'
    """
    return _in("")


def shipped_sweeps() -> dict[str, Path]:
    """Path of each shipped sweep by its name.

    Example:
        >>> "ae_mnist" in shipped_sweeps()
        True
    """
    return _in("sweeps")


def _in(place: str) -> dict[str, Path]:
    folder = next((folder for folder in FOLDERS if folder.is_dir()), FOLDERS[0])
    return {path.stem: path for path in sorted((folder / place).glob("*.yaml"))}


def find_sweep(name: str) -> Path:
    """The sweep file meant by a path or by the name of a shipped one.

    Raises:
        InputError: if there is neither.
    """
    path = Path(name) if Path(name).is_file() else shipped_sweeps().get(name)
    if path is None:
        raise InputError(f"Expected a sweep file or one of the shipped sweeps {list(shipped_sweeps())}, got {name!r}")
    return path


def find(name: str) -> Path:
    """The config file meant by a path or by the name of a shipped config.

    Raises:
        InputError: if there is neither, or it is no YAML with keys.

    Example:
        >>> find("ae_mnist").name
        'ae_mnist.yaml'
    """
    configs = shipped()
    path = Path(name) if Path(name).is_file() else configs.get(name)
    if path is None:
        raise InputError(f"Expected a config file or one of the shipped configs {list(configs)}, got {name!r}")
    if not isinstance(read_yaml(path), dict):
        raise InputError(f"Expected a config with keys such as `model` and `data`, got none in {path}")
    return path


def with_paths(argv: list[str]) -> list[str]:
    """Command-line arguments with the path of a config in place of its name, and configs first: options change them.

    Raises:
        InputError: if they name no config at all.

    Example:
        >>> with_paths(["fit", "--config", "ae_mnist"])[2].endswith("ae_mnist.yaml")
        True
    """
    configs: list[str] = []
    others: list[str] = []
    for argument in argv[1:]:
        option, equals, value = argument.partition("=")
        if configs and configs[-1] in ("-c", "--config"):
            configs.append(str(find(argument)))
        elif option in ("-c", "--config"):
            configs.append(f"{option}={find(value)}" if equals else option)
        else:
            others.append(argument)
    found = argv[:1] + configs + others
    if not any(argument.startswith(("-c", "--config", "--help", "--model.help", "--data.help")) for argument in found):
        raise InputError(f"Expected --config with a YAML file or a shipped config of {list(shipped())}, got none")
    return found
