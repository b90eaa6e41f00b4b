"""What a constructor was called with: kept in plain types, checked against its annotations, and called again."""

import collections.abc
import contextlib
import inspect
import math
import os
import re
import reprlib
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np

from snn_synth.errors import InputError

_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def call_of(cls: type, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a constructor's call by name, with its defaults; those of ``*args`` as a list under its name.

    Args:
        cls: of the constructor.
        args: given by position.
        kwargs: given by name.

    Raises:
        TypeError: as the call itself would.

    Example:
        >>> class Net:
        ...     def __init__(self, inputs, hidden=4, *more, bias=True, **others): ...
        >>> call_of(Net, (1, 2, 3), {"colour": "red"})
        {'inputs': 1, 'hidden': 2, 'more': [3], 'bias': True, 'colour': 'red'}
    """
    bound = inspect.signature(cls.__init__).bind(None, *args, **kwargs)  # type: ignore[misc]
    bound.apply_defaults()
    result: dict[str, Any] = {}
    for parameter in _parameters(cls):
        value = _copied(bound.arguments[parameter.name])
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            result.update(value)
        elif parameter.kind is not inspect.Parameter.VAR_POSITIONAL:
            result[parameter.name] = value
        elif value:
            result[parameter.name] = list(value)
    return result | {name: default for name, default in _passed_on(cls).items() if name not in result}


class Recorded:
    """Base of data sets and augmentations: keeps what the constructor was called with, for the record of a training.

    Example:
        >>> class Noise(Recorded):
        ...     def __init__(self, samples: int, seed: int = 0, source: object = None): ...
        >>> Noise(5, source=object()).config()["init_args"]
        {'samples': 5, 'seed': 0, 'source': 'object'}
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Keep the arguments."""
        self = super().__new__(cls)
        with contextlib.suppress(TypeError):  # copy and pickle give none, and __init__ says what is wrong with others
            self.__dict__["_call"] = call_of(cls, args, kwargs)
        return self

    def config(self) -> dict[str, Any]:
        """Class path and arguments in JSON's types, as LightningCLI writes them; of other objects the class's name."""

        def described(value: Any) -> Any:
            return value.config() if isinstance(value, Recorded) else type(value).__name__

        arguments = {name: plain(name, value, described, "") for name, value in self.__dict__.get("_call", {}).items()}
        return {"class_path": f"{type(self).__module__}.{type(self).__qualname__}", "init_args": arguments}


def construct(cls: type, arguments: Mapping[str, Any]) -> Any:
    """Repeat the call of :func:`call_of`.

    Example:
        >>> class Net:
        ...     def __init__(self, *sizes, bias=True):
        ...         self.sizes, self.bias = sizes, bias
        >>> construct(Net, call_of(Net, (3, 2), {"bias": False})).sizes
        (3, 2)
    """
    named, parameters = dict(arguments), _parameters(cls)
    variable = next((p.name for p in parameters if p.kind is inspect.Parameter.VAR_POSITIONAL), None)
    by_position: list[Any] = []
    for parameter in parameters:
        if parameter.name == variable:
            by_position += named.pop(variable, [])
        elif parameter.kind is inspect.Parameter.POSITIONAL_ONLY or (
            variable in arguments and parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        ):
            by_position.append(named.pop(parameter.name))
    return cls(*by_position, **named)


def plain(name: str, value: Any, describe: Callable[[Any], Any], kinds: str) -> Any:
    """A value in JSON's types.

    Args:
        name: of the argument, for the error.
        value: to convert.
        describe: of an object that is none of them; None if it cannot.
        kinds: of objects that it can describe, for the error.

    Raises:
        InputError: for what has no such form: it is not dropped in silence.

    Example:
        >>> plain("sizes", (np.int64(3), 4.0), lambda value: None, "a model")
        [3, 4.0]
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool):
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)  # of a subclass too, such as an enumeration
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {str(key): plain(name, item, describe, kinds) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [plain(name, item, describe, kinds) for item in value]
    described = describe(value)
    if described is None:
        got = " ".join(reprlib.repr(value).split())
        raise InputError(f"Expected `{name}` to be {kinds} or plain data, so that a file can hold it, got {got}")
    return described


def annotations_of(cls: type) -> dict[str, Any]:
    """Annotations of a constructor's parameters, those of its bases' too, to which it may pass on.

    Example:
        >>> class Net:
        ...     def __init__(self, inputs: int, **settings): ...
        >>> class Wide(Net):
        ...     def __init__(self, width: float, **settings): ...
        >>> annotations_of(Wide)
        {'inputs': <class 'int'>, 'width': <class 'float'>}
    """
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__[:-1]):
        if "__init__" in vars(base):
            try:
                hints = typing.get_type_hints(base.__init__)  # type: ignore[misc]
            except Exception:  # a name that only a type checker knows
                continue
            found.update({p.name: hints.get(p.name, Any) for p in _parameters(base) if p.kind not in _VARIABLE})
    return found


def check(name: str, value: Any, hint: Any) -> None:
    """Raise InputError unless the value of an argument, from a file, is what its annotation says.

    Example:
        >>> check("hidden", "many", int)
        Traceback (most recent call last):
        snn_synth.errors.InputError: Expected `hidden` to be int, got 'many'
    """
    if not fits(value, hint):
        words = hint.__name__ if isinstance(hint, type) else re.sub(r"\b(\w+\.)+", "", str(hint))
        raise InputError(f"Expected `{name}` to be {words}, got {reprlib.repr(value)}")


def fits(value: Any, hint: Any) -> bool:
    """Whether a value from a file is what an annotation says; an unknown kind of annotation allows everything.

    Numbers must be such that PyTorch can compute with them: no NaN, and whole ones of 64 bits.

    Example:
        >>> fits([1, 2], Sequence[int]), fits(True, int), fits(3, float | None), fits("red", Literal["mlp", "conv"])
        (True, False, True, False)
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, one) for one in inner)
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in inner)
    if hint is None or hint is types.NoneType:
        return value is None
    if hint is int:
        return type(value) is int and abs(value) < 2**63
    if hint is float:
        return fits(value, int) or (isinstance(value, float) and not math.isnan(value))
    if origin is collections.abc.Callable:
        return callable(value)
    kind = origin or hint
    if not isinstance(kind, type):
        return True
    if issubclass(kind, Mapping | dict) and inner:
        return isinstance(value, dict) and all(fits(k, inner[0]) and fits(v, inner[1]) for k, v in value.items())
    if issubclass(kind, Sequence) and kind is not str:
        each = inner[0] if inner else Any
        return isinstance(value, list | tuple) and all(fits(item, each) for item in value)
    return isinstance(value, kind)


def subclasses(kind: type[Any]) -> list[type[Any]]:
    """All subclasses that have been defined so far, however deep."""
    return [deeper for child in kind.__subclasses__() for deeper in (child, *subclasses(child))]


def _parameters(cls: type) -> list[inspect.Parameter]:
    return list(inspect.signature(cls.__init__).parameters.values())[1:]  # type: ignore[misc]


def _passed_on(cls: type) -> dict[str, Any]:
    """Defaults of the bases' parameters, where a class of ours passes its ``**settings`` on as they are."""
    defaults: dict[str, Any] = {}
    for base in (base for base in cls.__mro__ if "__init__" in vars(base)):
        parameters = _parameters(base)
        for parameter in parameters:
            if parameter.default is not inspect.Parameter.empty:
                defaults.setdefault(parameter.name, parameter.default)
        passes = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
        if not passes or not base.__module__.startswith("snn_synth."):
            break
    return defaults


def _copied(value: Any) -> Any:
    """Containers anew, so that a later change of them changes no record."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_copied(item) for item in value)
    return value
