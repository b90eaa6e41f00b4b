"""Constructor arguments as plain types, so that a checkpoint rebuilds its module, without arguments or code."""

import contextlib
import copy
import functools
import inspect
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

from lightning.pytorch import LightningDataModule, LightningModule
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from snn_synth.construction import Recorded, annotations_of, call_of, check, construct, plain, subclasses
from snn_synth.data import FrontEnd, build_front_end
from snn_synth.errors import InputError, brief
from snn_synth.learning.finite import check_weights
from snn_synth.models.allocation import Allocating
from snn_synth.models.pretrained import Pretrained
from snn_synth.training.factories import Described, class_made_by, named, path_of
from snn_synth.training.reading import read_checkpoint, sizes_of

_CLASS, _INSTANTIATOR = "_class_path", "_instantiator"  # Lightning's own keys; the second one we only read over


class Remembering:
    """Base of LightningModules and DataModules: keeps a constructor's arguments, to be made again from a checkpoint.

    What comes from a checkpoint is data: a class that it names is looked up among those that may stand in its place and
    have been imported, and nothing that it names is called.
    """

    rebuilds: ClassVar[bool] = True
    """Whether a checkpoint can hold all arguments."""
    _described: dict[str, Any]
    """The constructor's arguments by name, in plain types."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Keep the arguments."""
        self = super().__new__(cls)
        with contextlib.suppress(TypeError):  # copy and pickle give none, and __init__ says what is wrong with others
            self.__dict__["_arguments"] = call_of(cls, args, kwargs)
        return self

    def remember(self) -> None:
        """Save the arguments as hyper-parameters: called by the constructors of our base classes.

        Raises:
            InputError: for an argument that has no plain form.
        """
        if self.rebuilds:
            module: Any = self
            arguments = self.__dict__.pop("_arguments")
            described = {name: _plain(name, value) for name, value in arguments.items()}
            # Lightning logs those of model and data together and refuses different values of one key, such as `seed`.
            logged = isinstance(self, LightningModule)
            self.__dict__["_described"] = {**described, _CLASS: path_of(type(self))}
            module.save_hyperparameters(self._described, logger=logged)

    def save_hyperparameters(self, *args: Any, frame: Any = None, **options: Any) -> None:
        """Lightning's, for a subclass that calls it: but the arguments stay in plain types, as kept already."""
        frame = frame or inspect.currentframe().f_back  # type: ignore[union-attr]
        super().save_hyperparameters(*args, frame=frame, **options)  # type: ignore[misc]
        self._set_hparams(self.__dict__.get("_described", {}))  # type: ignore[attr-defined]
        self._hparams_initial = copy.deepcopy(self.hparams)  # type: ignore[attr-defined]

    @classmethod
    def load_from_checkpoint(
        cls,
        checkpoint_path: str | Path,
        map_location: Any = "cpu",
        hparams_file: None = None,
        strict: bool | None = None,
        weights_only: bool | None = True,
        **arguments: Any,
    ) -> Self:
        """Make the module that a checkpoint holds. An untrusted checkpoint runs no code.

        Optimizer and scheduler stay descriptions, which training looks up among PyTorch's and those you have imported.

        Args:
            checkpoint_path: of the file.
            map_location: where its tensors go, and the module with them.
            hparams_file: not supported: a checkpoint of ours holds its settings.
            strict: whether all weights must be there, and no others; so if not given.
            weights_only: always so.
            **arguments: of the constructor, instead of the checkpoint's.

        Raises:
            InputError: if it is no checkpoint, or one of another class or another model.
        """
        if hparams_file is not None:
            raise InputError("Expected no `hparams_file`, for a checkpoint of ours holds its settings, got one")
        checkpoint = read_checkpoint(checkpoint_path, map_location)
        key = "hyper_parameters" if issubclass(cls, LightningModule) else "datamodule_hyper_parameters"
        kept = checkpoint.get(key)
        if not isinstance(kept, dict) or not kept:
            raise InputError(f"Expected a checkpoint of {cls.__name__}, got {checkpoint_path} without `{key}`")
        try:
            module_class = _module_class(cls, kept.get(_CLASS))
            given = {name: value for name, value in kept.items() if name not in (_CLASS, _INSTANTIATOR, *arguments)}
            with Allocating(sizes_of(checkpoint["state_dict"])):
                module: Any = construct(module_class, _rebuilt(module_class, given) | arguments)
                if isinstance(module, LightningModule):
                    module.on_load_checkpoint(checkpoint)
            if isinstance(module, LightningModule):
                weights = checkpoint["state_dict"]
                module.load_state_dict(weights, strict=module.strict_loading if strict is None else strict)
                module.to(next(iter(weights.values())).device if weights else "cpu")
                check_weights(module)
            elif (name := type(module).__qualname__) in checkpoint:
                module.load_state_dict(checkpoint[name])
        except Exception as error:  # whatever a foreign checkpoint makes fail
            raise InputError(
                f"Expected a checkpoint of {cls.__name__}, got {checkpoint_path}: {brief(error)}"
            ) from error
        result: Self = module
        return result


class DataModule(Remembering, LightningDataModule):  # type: ignore[misc]
    """Base class of the DataModules."""

    def __init__(self) -> None:
        """Remember the arguments."""
        super().__init__()
        self.remember()


def _plain(name: str, value: Any) -> Any:
    kinds = "a class or functools.partial(SomeClass, option=...), a model, a front end, an augmentation, a data set"
    return plain(name, value, lambda value: _description(name, value), kinds)


def _description(name: str, value: Any) -> dict[str, Any] | None:
    """How a checkpoint holds an object; None if it cannot."""
    if isinstance(value, FrontEnd | Recorded):
        return value.config()
    if isinstance(value, Pretrained):
        return {"class_path": path_of(type(value)), "init_args": value.describe()["arguments"]}
    if isinstance(value, Described):
        return {"class_path": value.name, "init_args": _plain(name, value.keywords)}
    cls, partial = class_made_by(value), isinstance(value, functools.partial)
    if cls is None or (partial and (value.func, *value.args)[-1] is not cls):  # options by position have no name
        return None
    return {"class_path": path_of(cls), "init_args": _plain(name, value.keywords if partial else {})}


def _rebuilt(cls: type, kept: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a constructor, from hyper-parameters: each as its annotation says."""
    hints = annotations_of(cls)
    arguments = {name: _made(value, hints.get(name, Any)) for name, value in kept.items()}
    for name, value in arguments.items():
        check(name, value, hints.get(name, Any))
    return arguments


def _made(value: Any, hint: Any) -> Any:
    """What a description stands for, by what may stand in its place."""
    if hint is Any and isinstance(value, list):  # of `*args`, say
        return [_made(item, Any) for item in value]
    if not isinstance(value, dict) or not isinstance(value.get("class_path"), str):
        return value
    path, options = value["class_path"], value.get("init_args", {})
    if hint is Any:
        hint = _likely(path)
    for one in typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,):
        if isinstance(one, type) and issubclass(Pretrained, one):  # as an `nn.Module`
            one = Pretrained
        if isinstance(one, type) and issubclass(one, Pretrained):
            return one.build({"model": path.rpartition(".")[2], "arguments": options})
        if isinstance(one, type) and issubclass(one, FrontEnd):
            return build_front_end(value)
        if isinstance(one, type) and issubclass(one, Recorded):
            return _recorded(path, options, one)
        if typing.get_origin(one) is typing.get_origin(Callable[..., Any]):
            made = typing.get_args(one)[-1]
            kinds = tuple(kind for kind in typing.get_args(made) or (made,) if kind not in (Any, object))
            return Described(path, options, kinds or (Optimizer, LRScheduler))
    return value


def _recorded(path: str, options: Any, kind: type[Recorded]) -> Any:
    """An augmentation, or a data set, whose files must be there; tensors are in no checkpoint."""
    found = named([*subclasses(kind), kind], path)
    if found is None or not isinstance(options, dict):
        raise InputError(f"Expected a {kind.__name__} that has been imported and its settings, got {path[:100]!r}")
    if "download" in annotations_of(found):  # to read a file is not to agree to a download
        options = options | {"download": False}
    try:
        return construct(found, _rebuilt(found, options))
    except InputError as error:
        raise InputError(f"give its {kind.__name__} as an argument, for {brief(error)}") from error


def _likely(path: str) -> Any:
    """The kind of what a description stands for, where no annotation says it; none if it is only data."""
    if named(subclasses(Pretrained), path):
        return Pretrained
    if named(subclasses(FrontEnd), path):
        return FrontEnd
    makes = Callable[..., Optimizer | LRScheduler]
    return makes if named([*subclasses(Optimizer), *subclasses(LRScheduler)], path) else Any


def _module_class(cls: type, path: Any) -> type:
    """Which class a checkpoint is of: this one, or a subclass of it."""
    found = cls if path is None else named([*subclasses(cls), cls], str(path))
    if found is None:
        raise InputError(f"it is of a {str(path).rpartition('.')[2][:100]}")
    return found
