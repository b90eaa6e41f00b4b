"""Saving a model as a folder (safetensors and config.json) and loading it again."""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Self

import snntorch as snn
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from snn_synth.errors import InputError
from snn_synth.files import write_failure

_WEIGHTS = "model.safetensors"
_CONFIG = "config.json"
_SHIPPED = Path(__file__).parent / "weights"


def shipped_models() -> dict[str, Path]:
    """Folders of the trained models that come with the package, by name; ``README.md`` in each is its card."""
    return {path.parent.name: path.parent for path in sorted(_SHIPPED.glob(f"*/{_CONFIG}"))}


class Pretrained(nn.Module):
    """Base of every model: its constructor's arguments are in ``config``, so that a folder can hold it whole.

    Example:
        >>> import tempfile, torch
        >>> from snn_synth.models import AESNN
        >>> ae = AESNN(4, 2)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ae.save_pretrained(folder + "/ae")
        ...     again = AESNN.from_pretrained(folder + "/ae")
        >>> all(torch.equal(a, b) for a, b in zip(ae.parameters(), again.parameters()))
        True
    """

    config: dict[str, Any]
    _classes: dict[str, type["Pretrained"]] = {}  # noqa: RUF012  (one registry for all subclasses)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Make the class known by its name."""
        super().__init_subclass__(**kwargs)
        Pretrained._classes[cls.__name__] = cls

    def describe(self) -> dict[str, Any]:
        """Class name and constructor arguments, in plain types: what ``config.json`` holds."""
        arguments = {k: v.describe() if isinstance(v, Pretrained) else v for k, v in self.config.items()}
        return {"model": type(self).__name__, "arguments": arguments}

    @classmethod
    def build(cls, description: dict[str, Any]) -> Self:
        """Make an untrained model from what :meth:`describe` returned.

        Raises:
            InputError: if it describes no model, or another one than this class.
        """
        try:
            name, arguments = description["model"], dict(description["arguments"])
            model_class = Pretrained._classes[name]
        except (KeyError, TypeError, ValueError):
            raise InputError(
                f"Expected the description of one of {sorted(Pretrained._classes)}, got {description}"
            ) from None
        if not issubclass(model_class, cls):
            raise InputError(f"Expected a saved {cls.__name__}, got a {name}")
        for key, value in arguments.items():
            if isinstance(value, dict) and "model" in value:
                arguments[key] = Pretrained.build(value)
        try:
            model: Self = model_class(**arguments)
        except TypeError as error:
            raise InputError(
                f"Expected the arguments of {name} in its config, got {sorted(arguments)} ({error})"
            ) from None
        return model

    def save_pretrained(self, folder: str | Path, dtype: torch.dtype | None = None) -> None:
        """Write ``model.safetensors`` and ``config.json`` into ``folder``; it appears whole or not at all.

        Other files in it stay.

        Args:
            folder: to make, or to replace if it holds a saved model.
            dtype: of the file's weights; their own if not given.

        Raises:
            InputError: if ``folder`` holds something else or cannot be written.
        """
        target = Path(folder)
        if target.exists() and not (target / _CONFIG).is_file() and (not target.is_dir() or any(target.iterdir())):
            raise InputError(f"Expected an empty folder or a saved model to replace, got {target}")
        weights = {
            name: (x.detach().to(dtype) if dtype and x.is_floating_point() else x.detach()).contiguous()
            for name, x in self._learned().items()
        }
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
            try:
                save_file(weights, draft / _WEIGHTS)
                (draft / _CONFIG).write_text(json.dumps(self.describe(), indent=2) + "\n")
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
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Load a model that :meth:`save_pretrained` wrote, or one that comes with the package.

        It is in evaluation mode: call ``.train()`` to go on training it.

        Args:
            folder: where it is; or the name of a shipped model, see :func:`shipped_models`.

        Raises:
            InputError: if there is none, it is damaged, or it is a model of another class.
        """
        source = Path(folder)
        if not source.exists():
            source = shipped_models().get(str(folder), source)
        for name in (_CONFIG, _WEIGHTS):
            if not (source / name).is_file():
                raise InputError(
                    f"Expected a folder with {_CONFIG} and {_WEIGHTS}, "
                    f"or a shipped model of {list(shipped_models())}, got {source} without {name}"
                )
        try:
            description = json.loads((source / _CONFIG).read_text())
            weights = load_file(source / _WEIGHTS)
        except (json.JSONDecodeError, UnicodeDecodeError, SafetensorError) as error:
            raise InputError(f"Expected a saved {cls.__name__} in {source}, got a damaged file ({error})") from None
        model = cls.build(description)
        expected = {name: tuple(x.shape) for name, x in model._learned().items()}
        found = {name: tuple(w.shape) for name, w in weights.items()}
        if expected != found:
            raise InputError(f"Expected weights {expected} in {source}, got {found}")
        model.load_state_dict(weights, strict=False)
        return model.eval()

    def _learned(self) -> dict[str, torch.Tensor]:
        """Parameters and what a training leaves in buffers; those of neurons are constants of the config."""
        neurons = [name for name, module in self.named_modules() if isinstance(module, snn.SpikingNeuron)]
        constant = {name for name in self.state_dict() if name.rpartition(".")[0] in neurons}
        return dict(self.named_parameters()) | {k: v for k, v in self.state_dict().items() if k not in constant}
