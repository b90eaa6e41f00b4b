"""Checkpoints: written whole or not at all, often enough to resume, loaded without running code."""

import os
import pickle
import shutil
from pathlib import Path
from typing import Any, TypeVar

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from snn_synth.errors import InputError
from snn_synth.files import atomic_write

Module = TypeVar("Module", bound=LightningModule)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place and renames it: a kill leaves the one before.

    Lightning's own writes to the system's temporary folder, from where a move may be a copy that a kill cuts short.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write, flush to the disk, rename."""
        with atomic_write(path) as draft, draft.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = True) -> dict[str, Any]:
        """Load without running code, whatever Lightning asks for; InputError if that fails."""
        checkpoint: dict[str, Any] = _load(path, map_location)
        return checkpoint


class ResumeCheckpoint(Checkpoint):
    """Keeps ``resume.ckpt`` in the run's folder, from which ``fit --ckpt_path`` goes on bit for bit.

    Counts batches, because under the online rule Lightning's own step counter counts time steps.

    Args:
        every_n_batches: save so often within an epoch; it is also saved at the end of each.

    Raises:
        InputError: for ``every_n_batches`` below 1.
    """

    def __init__(self, every_n_batches: int = 100) -> None:
        """Check and keep the interval."""
        super().__init__()
        if every_n_batches < 1:
            raise InputError(f"Expected `every_n_batches` to be at least 1, got {every_n_batches}")
        self.every_n_batches = every_n_batches

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Come after all other checkpoints, whose state ours holds; remove what a kill in the middle of a save left."""
        trainer.callbacks = [c for c in trainer.callbacks if c is not self] + [self]  # type: ignore[attr-defined]
        for draft in Path(trainer.default_root_dir).glob(".resume.ckpt.*"):
            shutil.rmtree(draft, ignore_errors=True)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save within the epoch; its last batch is left to the end of the epoch."""
        if (batch_idx + 1) % self.every_n_batches == 0 and batch_idx + 1 < trainer.num_training_batches:
            self._save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save once per epoch."""
        self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        if not trainer.fast_dev_run:  # type: ignore[attr-defined]
            trainer.save_checkpoint(Path(trainer.default_root_dir) / "resume.ckpt")


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint file without running code from it.

    Raises:
        InputError: if there is none, it is truncated, no checkpoint at all, or holds more than plain data and tensors.
    """
    checkpoint = _load(path, "cpu")
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint or "hyper_parameters" not in checkpoint:
        raise InputError(f"Expected a checkpoint of snn_synth, got {path} without `state_dict` and `hyper_parameters`")
    return checkpoint


def _load(path: str | Path, map_location: Any) -> Any:
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except FileNotFoundError:
        raise InputError(f"Expected a checkpoint at {path}, got no such file") from None
    except pickle.UnpicklingError:
        reason = "it is damaged, or holds objects other than tensors and plain data, which could run code"
    except (RuntimeError, EOFError, OSError, KeyError, ValueError, IndexError) as error:
        reason = f"damaged or of another kind ({_brief(error)})"
    raise InputError(f"Expected a checkpoint of snn_synth, got {path}: {reason}")


def load_checkpoint(cls: type[Module], path: str | Path) -> Module:
    """``cls.load_from_checkpoint(path)`` on the CPU, with one clear sentence for whatever is wrong.

    Args:
        cls: the LightningModule that the checkpoint is of.
        path: of the file.

    Raises:
        InputError: as :func:`read_checkpoint`, or if it is a checkpoint of another model.
    """
    checkpoint = read_checkpoint(path)
    class_path = checkpoint["hyper_parameters"].get("_class_path", "")
    try:
        if class_path and class_path.rsplit(".", 1)[-1] != cls.__name__:
            raise TypeError(f"it is of a {class_path.rsplit('.', 1)[-1]}")
        return cls.load_from_checkpoint(path, map_location="cpu", weights_only=True)
    except InputError:
        raise
    except Exception as error:  # whatever a foreign checkpoint makes fail
        raise InputError(f"Expected a checkpoint of {cls.__name__}, got {path}: {_brief(error)}") from None


def _brief(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
