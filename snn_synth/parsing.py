"""YAML and JSON from outside: read as plain data, within bounds, or refused in one sentence."""

import json
from pathlib import Path
from typing import Any

import yaml

from snn_synth.errors import InputError, brief

BYTES = 2**20
"""Of a file; a config or a sweep is a thousand times smaller."""
NODES = 100_000
"""Of a document, with each alias counted as all that it stands for."""
DEPTH = 50
"""Lists and mappings in each other."""
PLAIN = 1_000
"""Characters of a value without quotes, which may be a number: their conversion takes the square of that."""


def check_yaml(text: str) -> None:
    """Raise ``yaml.YAMLError`` unless the document stays small with its aliases followed, and is not deep.

    Args:
        text: of the document.

    Example:
        >>> check_yaml("{a: &a [1, 2], b: *a}")
        >>> check_yaml("a: &a [*a]")
        Traceback (most recent call last):
        yaml.error.YAMLError: the alias `a` stands inside of what it refers to
    """
    if len(text) > BYTES:
        raise yaml.YAMLError(f"it has more than {BYTES:,} characters")
    sizes = [0]  # of the document and of the collections that are open
    names: list[str | None] = []
    anchors: dict[str, int] = {}
    for event in yaml.parse(text, Loader=_SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            sizes.append(1)
            names.append(event.anchor)
            anchors.pop(event.anchor, None)  # until it is closed, it may not refer to itself
        elif isinstance(event, yaml.CollectionEndEvent):
            size, name = sizes.pop(), names.pop()
            sizes[-1] += size
            if name is not None:
                anchors[name] = size
        elif isinstance(event, yaml.ScalarEvent):
            if (event.implicit[0] or event.tag is not None) and len(event.value) > PLAIN:
                raise yaml.YAMLError(f"it has more than {PLAIN:,} characters without quotes, or under a tag")
            sizes[-1] += 1
            if event.anchor is not None:
                anchors[event.anchor] = 1
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor in names:
                raise yaml.YAMLError(f"the alias `{event.anchor}` stands inside of what it refers to")
            sizes[-1] += anchors.get(event.anchor, 1)  # of an unknown one the loader says so
        if len(names) > DEPTH:
            raise yaml.YAMLError(f"it is nested more than {DEPTH} deep")
        if sum(sizes) > NODES:
            raise yaml.YAMLError(f"it has more than {NODES:,} values when its aliases are followed")


def bounded(loader: type[Any]) -> type[Any]:
    """A loader that checks its document first, and whose every error is a ``yaml.YAMLError``.

    Args:
        loader: PyYAML's, or a subclass.
    """

    class Bounded(loader):  # type: ignore[misc]
        def __init__(self, stream: str) -> None:
            check_yaml(stream)
            super().__init__(stream)

        def get_single_data(self) -> Any:
            try:
                return super().get_single_data()
            except yaml.YAMLError:
                raise
            except Exception as error:  # such as ValueError for `!!int x`, AttributeError for `!!timestamp x`
                raise yaml.YAMLError(f"a value does not fit its tag ({error})") from None

    return Bounded


_SafeLoader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Bounded = bounded(_SafeLoader)


def read_yaml(path: str | Path, kind: str = "a config") -> Any:
    """What a YAML file holds: plain data.

    Args:
        path: of the file.
        kind: what it should be, with its article: for the error.

    Raises:
        InputError: if it is no YAML, is too large or too deep, or if its aliases expand to too much.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "bomb.yaml")
        >>> lists = [f"&a{i + 1} [{', '.join([f'*a{i}'] * 9)}]" for i in range(9)]
        >>> _ = path.write_text(f"[&a0 x, {', '.join(lists)}]")
        >>> read_yaml(path)
        Traceback (most recent call last):
        snn_synth.errors.InputError: Expected a config in YAML, got ...: it has more than 100,000 values when ...
    """
    try:
        return yaml.load(_text(path, kind), Loader=_Bounded)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"Expected {kind} in YAML, got {path}: {brief(error)}") from None


def read_json(path: str | Path, kind: str) -> Any:
    """What a JSON file holds: plain data.

    Args:
        path: of the file.
        kind: what it should be, with its article: for the error.

    Raises:
        InputError: if it is no JSON, or is too large or too deep.
    """
    try:
        return json.loads(_text(path, kind))
    except RecursionError:
        reason = "it is nested too deep"
    except (OSError, ValueError) as error:  # of JSON's grammar, of Unicode, of a number with too many digits
        reason = brief(error)
    raise InputError(f"Expected {kind} in JSON, got {path}: {reason}")


def _text(path: str | Path, kind: str) -> str:
    with Path(path).open("rb") as file:
        content = file.read(BYTES + 1)
    if len(content) > BYTES:
        raise InputError(f"Expected {kind} of at most {BYTES:,} bytes, got more in {path}")
    return content.decode()
