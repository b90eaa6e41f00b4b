"""Checkpoints: written whole or not at all, often enough to resume, loaded without running code."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from snn_synth.errors import InputError
from snn_synth.files import atomic_write
from snn_synth.keys import former
from snn_synth.training.reading import load

Module = TypeVar("Module", bound=LightningModule)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place and renames it: a kill leaves the one before.

    Lightning's own writes to the system's temporary folder, from where a move may be a copy that a kill cuts short.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "last.ckpt")
        >>> files = AtomicCheckpointIO()
        >>> files.save_checkpoint({"epoch": 3}, path)
        >>> files.load_checkpoint(path)
        {'epoch': 3}
        >>> trainer = Trainer(plugins=[AtomicCheckpointIO()], logger=False)
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write, flush to the disk, rename."""
        with atomic_write(path) as draft, draft.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = True) -> dict[str, Any]:
        """Load without running code, whatever Lightning asks for; InputError if that fails."""
        return load(path, map_location)

    def remove_checkpoint(self, path: Any) -> None:
        """Remove a checkpoint's file, if it is there; no folder, and nothing by an address, as Lightning's own does."""
        file = Path(path)
        if file.suffix == ".ckpt" and (file.is_file() or file.is_symlink()):
            file.unlink()


class ResumeCheckpoint(Checkpoint):
    """Keeps ``resume.ckpt`` in the run's folder, from which ``fit --ckpt_path`` goes on bit for bit.

    Args:
        every_n_batches: save so often within an epoch; it is also saved at the end of each. Where a validation comes at
            the same batch it is saved after that: Lightning leaves it out of a run that goes on from before it.

    Raises:
        InputError: for ``every_n_batches`` below 1.

    Example:
        >>> trainer = Trainer(callbacks=[ResumeCheckpoint(every_n_batches=500)], logger=False)
    """

    def __init__(self, every_n_batches: int = 100) -> None:
        """Check and keep the interval."""
        super().__init__()
        if every_n_batches < 1:
            raise InputError(f"Expected `every_n_batches` to be at least 1, got {every_n_batches}")
        self.every_n_batches = every_n_batches
        self.measured: dict[str, float] = {}
        """What had been logged when it was saved last: a run that is only resumed to be measured has nothing else."""
        self._due = False

    def state_dict(self) -> dict[str, Any]:
        """What the run had logged."""
        return {"measured": self.measured}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take numbers by name, whatever else an untrusted checkpoint holds."""
        measured = state_dict.get("measured")
        pairs = measured.items() if isinstance(measured, dict) else ()
        self.measured = {name: one for name, one in pairs if isinstance(name, str) and isinstance(one, float)}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Come after all other checkpoints, whose state ours holds."""
        trainer.callbacks = [c for c in trainer.callbacks if c is not self] + [self]  # type: ignore[attr-defined]

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save within the epoch, or leave it to a validation that comes now; the last batch to the epoch's end."""
        if batch_idx + 1 < trainer.num_training_batches:
            self._due |= (batch_idx + 1) % self.every_n_batches == 0
            if self._due and not _validates_now(trainer):
                self._save(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save after a validation within the epoch that came when it was time to."""
        if self._due:
            self._save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save once per epoch."""
        self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        self._due = False
        if not trainer.fast_dev_run:  # type: ignore[attr-defined]
            self.measured = {name: float(one) for name, one in trainer.callback_metrics.items()}
            trainer.save_checkpoint(Path(trainer.default_root_dir) / "resume.ckpt")


def _validates_now(trainer: Trainer) -> bool:
    """Whether a validation follows the batch that has just been trained on."""
    loop = trainer.fit_loop
    return loop._data_fetcher is not None and loop.epoch_loop._should_check_val_fx(loop._data_fetcher)


def keep_to_own_files(trainer: Trainer, checkpoint: dict[str, Any]) -> None:
    """Let ``ModelCheckpoint`` forget what a checkpoint says of its files, unless they lie where it writes.

    It removes files that it believes to have written, whole folders too, and loads the best of them: an untrusted
    checkpoint may name any. Those beside the checkpoint count as its own: a run may go on in another folder.
    """
    states = checkpoint.get("callbacks")
    # Lightning makes keys that are classes of what versions before 1.5 wrote, and restores by them too.
    states = {key: state for key, state in states.items() if isinstance(key, str)} if isinstance(states, dict) else {}
    checkpoint["callbacks"] = states
    _follow_renamed(states, trainer.callbacks)  # type: ignore[attr-defined]
    for callback in trainer.checkpoint_callbacks:
        state = states.get(callback.state_key)
        if not isinstance(callback, ModelCheckpoint) or not isinstance(state, dict):
            continue
        places = (callback.dirpath, trainer.ckpt_path and Path(trainer.ckpt_path).parent)
        folders = [Path(place).resolve() for place in places if place]
        best = state.get("best_k_models", {})
        best = best if isinstance(best, dict) else {None: None}
        files = [state.get(name, "") for name in ("best_model_path", "kth_best_model_path", "last_model_path")]
        scores = [state.get("best_model_score"), state.get("kth_value"), *best.values()]
        right = all(_own(path, folders) for path in (*files, *best) if path != "")
        if right and all(score is None or (isinstance(score, Tensor) and score.numel() == 1) for score in scores):
            continue
        rank_zero_warn(f"{trainer.ckpt_path} names files as its own that are not: they are left alone.")
        del states[callback.state_key]


def _follow_renamed(states: dict[str, Any], callbacks: Sequence[Any]) -> None:
    """Let a callback go on with its state from when what it monitors had its former name: Lightning keys it by that."""
    for callback in callbacks:
        monitor = getattr(callback, "monitor", None)
        if isinstance(monitor, str) and (old := former(monitor)) is not None:
            key = callback.state_key.replace(repr(monitor), repr(old))
            if key in states:
                states.setdefault(callback.state_key, states.pop(key))


def _own(path: Any, folders: Sequence[Path]) -> bool:
    """Whether a path is of a checkpoint in one of these folders: no address, and no way out."""
    if not isinstance(path, str) or not path.endswith(".ckpt") or path.startswith("~"):
        return False
    if ":" in os.path.splitdrive(path)[1]:  # fsspec would take what stands before it as a protocol
        return False
    return any(folder in Path(path).resolve().parents for folder in folders)


def load_checkpoint(cls: type[Module], path: str | Path) -> Module:
    """``cls.load_from_checkpoint(path)`` on the CPU.

    Args:
        cls: the LightningModule that the checkpoint is of.
        path: of the file.

    Raises:
        InputError: if it is no checkpoint, or one of another model.

    Example:
        >>> import tempfile
        >>> from snn_synth.models import AESNN
        >>> from snn_synth.training import LitAutoencoder
        >>> trainer = Trainer(logger=False, accelerator="cpu")
        >>> trainer.strategy.connect(LitAutoencoder(AESNN(784, 196), num_steps=5))
        >>> path = Path(tempfile.mkdtemp(), "best.ckpt")
        >>> trainer.save_checkpoint(path)
        >>> load_checkpoint(LitAutoencoder, path).network.code
        196
    """
    return cls.load_from_checkpoint(path, map_location="cpu", weights_only=True)
