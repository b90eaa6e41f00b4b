"""Constructor arguments as plain types, so that a checkpoint rebuilds its module, without arguments or pickle."""

import functools
from typing import Any

from lightning.pytorch import LightningDataModule, LightningModule

from snn_synth.data import FrontEnd
from snn_synth.errors import InputError
from snn_synth.models.pretrained import Pretrained

_REBUILD = "lightning.pytorch.cli.instantiate_module"  # what LightningCLI itself writes into its checkpoints


def remember(module: LightningModule | LightningDataModule, **arguments: Any) -> None:
    """Save the constructor's arguments as hyper-parameters, in the form that LightningCLI gives them.

    Args:
        module: whose constructor this is called from.
        **arguments: the constructor's arguments by name; objects become ``class_path`` and ``init_args``.

    Raises:
        InputError: for an argument that has no plain form.
    """
    plain = {name: _plain(name, value) for name, value in arguments.items()}
    # Lightning logs the two together and refuses keys of both with different values, such as `seed`.
    logged = isinstance(module, LightningModule)
    described = {**plain, "_class_path": _path(type(module)), "_instantiator": _REBUILD}
    module.save_hyperparameters(described, logger=logged)


def _plain(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(name, item) for item in value]
    if isinstance(value, FrontEnd):
        return value.config()
    if isinstance(value, Pretrained):
        return {"class_path": _path(type(value)), "init_args": dict(value.config)}
    if (cls := made_by(value)) is not None:
        return {"class_path": _path(cls), "init_args": dict(getattr(value, "keywords", {}))}
    raise InputError(
        f"Expected `{name}` to be a class or functools.partial(SomeClass, option=...), so that checkpoints can hold "
        f"it, got {value!r}"
    )


def made_by(factory: Any) -> type | None:
    """The class that a factory makes: itself, or that of a ``functools.partial``, jsonargparse's included."""
    if isinstance(factory, functools.partial):
        candidates = (factory.func, *factory.args)
        return next((c for c in candidates if isinstance(c, type)), None)
    return factory if isinstance(factory, type) else None


def _path(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
