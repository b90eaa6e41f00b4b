"""Saving a model as a folder (safetensors and config.json) and loading it again."""

import contextlib
import inspect
import json
import math
import os
import reprlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import snntorch as snn
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from snn_synth.construction import annotations_of, call_of, check, construct, plain, subclasses
from snn_synth.errors import InputError, brief
from snn_synth.files import write_failure
from snn_synth.learning.finite import check_weights
from snn_synth.models.allocation import Allocating
from snn_synth.models.hub import download, is_hub_name, model_card, upload
from snn_synth.parsing import read_json

__all__ = ["Pretrained", "shipped_models"]

_WEIGHTS = "model.safetensors"
_CONFIG = "config.json"
_SHIPPED = Path(__file__).parent / "weights"


def shipped_models() -> dict[str, Path]:
    """Folders of the trained models that come with the package, by name; ``README.md`` in each is its card.

    Example:
        >>> folder = shipped_models()["mnist"]
        >>> sorted(path.name for path in folder.iterdir())
        ['README.md', 'config.json', 'model.safetensors']
    """
    return {path.parent.name: path.parent for path in sorted(_SHIPPED.glob(f"*/{_CONFIG}"))}


def is_saved(name: str) -> bool:
    """Whether a name is of a saved model: of a folder, of a shipped one or of the Hub; else it is of a checkpoint.

    Example:
        >>> is_saved("mnist"), is_saved("user/name"), is_saved("runs/best.ckpt")
        (True, True, False)
    """
    return Path(name).is_dir() or (not Path(name).exists() and (name in shipped_models() or is_hub_name(name)))


class Pretrained(nn.Module):
    """Base of every model: it keeps its constructor's arguments, so that a folder holds it whole.

    Example:
        >>> import tempfile, torch
        >>> from snn_synth.models import AESNN
        >>> ae = AESNN(4, 2)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ae.save_pretrained(folder + "/ae")
        ...     again = AESNN.from_pretrained(folder + "/ae")
        >>> all(torch.equal(a, b) for a, b in zip(ae.parameters(), again.parameters()))
        True
        >>> again.config["hidden"]
        2
    """

    config: dict[str, Any]
    """The constructor's arguments by name."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Keep the arguments."""
        self = super().__new__(cls)
        with contextlib.suppress(TypeError):  # copy and pickle give none, and __init__ says what is wrong with others
            self.__dict__["config"] = call_of(cls, args, kwargs)
        return self

    def describe(self) -> dict[str, Any]:
        """Class name and constructor arguments, in plain types: what ``config.json`` holds.

        Raises:
            InputError: for an argument that has no such form.
        """
        arguments = {name: plain(name, value, _described, "a model") for name, value in self.config.items()}
        return {"model": type(self).__name__, "arguments": arguments}

    @classmethod
    def build(cls, description: Any) -> Self:
        """Make an untrained model from what :meth:`describe` returned.

        It may come from an untrusted file: the model is looked up among the defined ones, and nothing is imported.

        Raises:
            InputError: if it describes no model, or another one than this class, or its arguments are no such.
        """
        known = {kind.__name__: kind for kind in (*subclasses(Pretrained), *subclasses(cls), cls)}
        name, arguments = _parts(description)
        if name not in known or known[name] is Pretrained:
            buildable = {kind.__name__ for kind in (*subclasses(cls), cls) if not inspect.isabstract(kind)}
            names = sorted(buildable - {"Pretrained"})
            raise InputError(
                f"Expected the description of one of {names}, got {reprlib.repr(description)}"
                + (": a class of your own has to be imported before" if name else "")
            )
        if not issubclass(known[name], cls):
            raise InputError(f"Expected a saved {cls.__name__}, got a {name}")
        hints, given = annotations_of(known[name]), {}
        for key, value in arguments.items():
            given[key] = _built(value, hints.get(key, Any))
            check(key, given[key], hints.get(key, Any))
        try:
            model: Self = construct(known[name], given)
        except InputError:
            raise
        except Exception as error:  # whatever a constructor makes of values that it was not written for
            raise InputError(
                f"Expected the arguments of {name} in its config, got {reprlib.repr(arguments)} ({brief(error)})"
            ) from error
        return model

    def save_pretrained(self, folder: str | Path, dtype: torch.dtype | None = None) -> None:
        """Write ``model.safetensors`` and ``config.json`` into ``folder``; it appears whole or not at all.

        Other files in it stay.

        Args:
            folder: to make, or to replace if it holds a saved model.
            dtype: of the file's weights; their own if not given.

        Raises:
            InputError: if ``folder`` holds something else or cannot be written, or JSON cannot hold an argument.
        """
        target = Path(folder)
        if target.exists() and not (target / _CONFIG).is_file() and (not target.is_dir() or any(target.iterdir())):
            raise InputError(f"Expected an empty folder or a saved model to replace, got {target}")
        description = json.dumps(self.describe(), indent=2)
        weights = {
            name: (x.detach().to(dtype) if dtype and x.is_floating_point() else x.detach()).contiguous()
            for name, x in self._learned().items()
        }
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
            try:
                save_file(weights, draft / _WEIGHTS)
                (draft / _CONFIG).write_text(description + "\n")
                draft.chmod(0o755)  # a temporary folder is its maker's alone, and so is what safetensors writes
                (draft / _WEIGHTS).chmod(0o644)
                if target.exists():
                    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
                    os.replace(target, old / "model")
                    os.replace(draft, target)
                    for path in (old / "model").iterdir():  # a card, say, that the user has put there
                        if path.name not in (_CONFIG, _WEIGHTS):
                            os.replace(path, target / path.name)
                    shutil.rmtree(old)
                else:
                    os.replace(draft, target)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        except (OSError, SafetensorError) as error:
            reason = error.strerror if isinstance(error, OSError) else write_failure(error) or error
            raise InputError(f"Expected a folder that can be written, got {target} ({reason})") from None

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
    ) -> Self:
        """Load a model that :meth:`save_pretrained` wrote, one that comes with the package, or one of the Hub.

        It is in evaluation mode: call ``.train()`` to go on training it.

        Args:
            folder: where it is; or the name of a shipped model, see :func:`shipped_models`; or ``user/name``, a model
                of the Hugging Face Hub, of which two files are fetched that are data, never code.
            revision: of the Hub's repository, a branch, tag or commit.
            token: of the Hub; the one that ``hf auth login`` has stored if not given.
            cache_dir: where files of the Hub are kept, instead of its own cache.
            local_files_only: take a model of the Hub from the cache, without the network.

        Raises:
            InputError: if there is none, it is damaged, or it is a model of another class.
        """
        source = Path(folder)
        if not source.exists():
            source = shipped_models().get(str(folder), source)
        if not source.exists() and is_hub_name(folder):
            source = download(str(folder), revision, token, cache_dir, local_files_only)
        elif revision is not None:
            raise InputError(f"Expected a model of the Hub, `user/name`, with revision={revision!r}, got {folder}")
        for name in (_CONFIG, _WEIGHTS):
            if not (source / name).is_file():
                raise InputError(
                    f"Expected a folder with {_CONFIG} and {_WEIGHTS}, "
                    f"or a shipped model of {list(shipped_models())}, got {source} without {name}"
                )
        description = read_json(source / _CONFIG, "a model's description")
        try:
            with safe_open(source / _WEIGHTS, framework="pt") as file:  # its header alone
                shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            with Allocating([math.prod(shape) for shape in shapes.values()]):
                model = cls.build(description)
            _check_shapes({name: tuple(x.shape) for name, x in model._learned().items()}, shapes, source)
            model.load_state_dict(load_file(source / _WEIGHTS), strict=False)
            check_weights(model)
        except (SafetensorError, OSError, RecursionError) as error:
            raise InputError(
                f"Expected a saved {cls.__name__} in {source}, got a damaged file ({brief(error)})"
            ) from None
        return model.eval()

    def push_to_hub(
        self,
        name: str,
        *,
        token: str | bool | None = None,
        private: bool | None = None,
        revision: str | None = None,
        message: str = "Upload a model of snn_synth",
        license: str | None = None,
        tags: Sequence[str] = (),
        datasets: Sequence[str] = (),
        metrics: Mapping[str, float] | None = None,
        dtype: torch.dtype | None = None,
    ) -> str:
        """Upload the model to the Hugging Face Hub, in one commit; its address.

        ``from_pretrained(name)`` loads it again. A card is written, unless the repository has one.

        Args:
            name: of the repository, ``user/name``, which is made if it is not there.
            token: that may write; the one that ``hf auth login`` has stored if not given.
            private: whether a new repository is.
            revision: a branch, made if it is not there; ``main`` if not given.
            message: of the commit.
            license: for the card, as the next ones; see ``snn_synth.models.hub.model_card``.
            tags: beside the class and the library's.
            datasets: that it was trained on.
            metrics: measured values by name.
            dtype: of the file's weights; their own if not given.

        Raises:
            InputError: if huggingface_hub is not installed, the Hub refuses it or cannot be reached.
        """
        card = model_card(name, type(self), license, tags, datasets, metrics)
        with tempfile.TemporaryDirectory() as parent:
            folder = Path(parent) / "model"
            self.save_pretrained(folder, dtype)
            return upload(folder, name, card, token, private, revision, message)

    def _learned(self) -> dict[str, torch.Tensor]:
        """Parameters and what a training leaves in buffers; those of neurons are constants of the config."""
        neurons = [name for name, module in self.named_modules() if isinstance(module, snn.SpikingNeuron)]
        constant = {name for name in self.state_dict() if name.rpartition(".")[0] in neurons}
        return dict(self.named_parameters()) | {k: v for k, v in self.state_dict().items() if k not in constant}


def _described(value: Any) -> Any:
    return value.describe() if isinstance(value, Pretrained) else None


def _built(value: Any, hint: Any) -> Any:
    """The model that a value describes, where an argument is to be one, or may be anything."""
    if isinstance(hint, type) and issubclass(hint, Pretrained):
        return hint.build(value)
    if hint is not Any:
        return value
    if isinstance(value, list):
        return [_built(item, Any) for item in value]
    return Pretrained.build(value) if _parts(value)[0] is not None else value


def _parts(description: Any) -> tuple[str | None, dict[str, Any]]:
    """Class name and arguments of a description; no name if it is none."""
    name, arguments = (description.get(key) for key in ("model", "arguments")) if type(description) is dict else (0, 0)
    return (name, arguments) if isinstance(name, str) and isinstance(arguments, dict) else (None, {})


def _check_shapes(expected: dict[str, tuple[int, ...]], found: dict[str, tuple[int, ...]], source: Path) -> None:
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            wanted, got = (
                "none" if name not in shapes else f"shape {list(shapes[name])}" for shapes in (expected, found)
            )
            raise InputError(f"Expected weights {reprlib.repr(name)} of {wanted} in {source}, got {got}")
