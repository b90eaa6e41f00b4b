"""A training run of an experiment: interrupted it goes on, finished it is never run again."""

import hashlib
import json
import time
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import wandb
from filelock import FileLock, Timeout
from lightning.pytorch import LightningDataModule, LightningModule, Trainer

from snn_synth import plot
from snn_synth.experiments.record import read_results
from snn_synth.experiments.reproduce.cost import Cost
from snn_synth.experiments.reproduce.curve import Curve
from snn_synth.experiments.reproduce.recipes import LATER, Recipe
from snn_synth.files import atomic_write
from snn_synth.models.pretrained import Pretrained
from snn_synth.training import AtomicCheckpointIO, ResumeCheckpoint, WandbLogger
from snn_synth.training.console import quiet_lightning

RESULT, DRAWN, NETWORK = "result.json", "drawn.npy", "network"


@dataclass(frozen=True)
class Trial(ABC):
    """What is trained and measured. Equal settings are the same run, which experiments share.

    Args:
        recipe: how it is trained.
    """

    recipe: Recipe

    @property
    @abstractmethod
    def title(self) -> str:
        """What the folder's name starts with."""

    @abstractmethod
    def quick(self) -> Self:
        """The same, a tenth as long or less."""

    @abstractmethod
    def prepare(self, root: str | None) -> None:
        """Get the data, or raise InputError."""

    @abstractmethod
    def data(self, root: str | None, seed: int) -> Any:
        """The DataModule."""

    @abstractmethod
    def module(self, seed: int, data: Any, trials: Path) -> LightningModule:
        """The untrained network with all that trains it; what it stands on is trained first, in ``trials``."""

    @abstractmethod
    def watch(self, module: Any, data: Any) -> dict[str, float]:
        """What the curve of the training shows."""

    @abstractmethod
    def measure(self, module: Any, data: Any) -> dict[str, dict[str, float]]:
        """What the result says, by the part of the data: ``test``, ``train``."""

    @abstractmethod
    def draw(self, module: Any, data: Any) -> npt.NDArray[np.float32] | None:
        """A row of ten images, and below it rows of what the network draws of them: ``[1 + R, 10, 28, 28]``."""

    row_names: ClassVar[tuple[str, ...]] = ()
    """Of the rows that :meth:`draw` adds, where they are of several kinds; the last name is of all that follow."""

    every = 20
    """Batches between two points of the curve."""

    @property
    def further_parts(self) -> tuple[str, ...]:
        """What :meth:`further` returns."""
        return ()

    def further(self, module: Any, data: Any) -> dict[str, dict[str, float]]:
        """What else is measured of a trained network, by the part: also of one whose result is older than this."""
        return {}

    @property
    def limit(self) -> int | None:
        """Batches of an epoch, if not all of them."""
        return None

    def key(self, seed: int) -> str:
        """The name of the run's folder."""
        digest = hashlib.sha256(json.dumps(_settings(self), sort_keys=True).encode()).hexdigest()
        return f"{self.title}-seed{seed}-{digest[:10]}"

    def run(
        self, seed: int, trials: Path, root: str | None = None, name: str = "", group: str = "", wait: bool = True
    ) -> dict[str, Any] | None:
        """Train and measure, unless that was done; a run that was interrupted goes on, one at work is waited for.

        Args:
            seed: of the weights, the order and the spikes.
            trials: folder of the runs' folders: checkpoint, W&B record, the trained network, ``result.json``,
                ``drawn.npy`` and its picture, which W&B gets too.
            root: folder with the data.
            name: of the run on W&B.
            group: of the runs of one experiment on W&B.
            wait: for another process that is at it.

        Returns:
            What ``result.json`` holds: the measures, the curve of the training, and its cost. None if another process
            is at it and is not waited for.
        """
        folder = trials / self.key(seed)
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "lock")
        try:
            lock.acquire(blocking=wait)
        except Timeout:
            return None
        try:
            if (folder / RESULT).is_file():
                return self._kept(seed, trials, folder, root)
            return self._run(seed, trials, folder, root, name, group)
        finally:
            lock.release()

    def _run(self, seed: int, trials: Path, folder: Path, root: str | None, name: str, group: str) -> dict[str, Any]:
        data: LightningDataModule = self.data(root, seed)
        data.prepare_data()
        data.setup("fit")
        module = self.module(seed, data, trials)
        start = time.perf_counter()
        every = self.every if self.limit is None else min(self.every, max(1, self.limit // 4))  # a curve has points
        curve, cost = Curve(self.watch, every), Cost()
        silent = wandb.Settings(silent=True)  # a table for each trial would bury ours
        resume = folder / "resume.ckpt"
        with quiet_lightning():
            logger = WandbLogger(name=name or None, save_dir=str(folder), group=group or None, settings=silent)
            trainer = Trainer(
                max_epochs=self.recipe.epochs,
                limit_train_batches=self.limit,
                accelerator="auto",
                devices=1,
                default_root_dir=folder,
                logger=logger,
                callbacks=[cost, curve, ResumeCheckpoint()],
                plugins=[AtomicCheckpointIO()],
                enable_model_summary=False,
            )
            trainer.fit(module, data, ckpt_path=resume if resume.is_file() else None)
        module.eval()
        measured = self.measure(module, data)
        result = measured | {"curve": curve.points, "cost": cost.found(), "seconds": time.perf_counter() - start}
        result |= self.further(module, data)
        picture = self._draw(folder, module, data)
        if picture is not None:
            logger.log_image("drawn", [str(picture)])
        if isinstance(module.network, Pretrained):
            module.network.cpu().save_pretrained(folder / NETWORK)
        for part, found in measured.items():
            logger.log_metrics({f"{part}/{key}": value for key, value in found.items()})
        logger.experiment.finish()
        result = self._finish(folder, result, seed)
        resume.unlink(missing_ok=True)
        return result

    def _draw(self, folder: Path, module: Any, data: Any) -> Path | None:
        """Keep what is drawn, as numbers and as the picture that is returned."""
        drawn = self.draw(module, data)
        if drawn is None:
            return None
        with atomic_write(folder / DRAWN) as draft, draft.open("wb") as file:
            np.save(file, drawn)
        picture = folder / "drawn.png"
        plot.save_figure(plot.image_rows({"image": drawn[0], "drawn": drawn[1:]}), picture)
        return picture

    def _finish(self, folder: Path, result: dict[str, Any], seed: int) -> dict[str, Any]:
        """Keep the result of a finished run with its settings."""
        settings = json.loads(json.dumps(asdict(self)))  # as they are read again: lists, no tuples
        result = result | {"trial": settings, "seed": seed}
        _write(folder, result)
        return result

    def _kept(self, seed: int, trials: Path, folder: Path, root: str | None) -> dict[str, Any]:
        """The result of a finished run; what has come to be measured since is measured of the saved network."""
        kept = read_results(folder / RESULT)
        if set(self.further_parts) <= set(kept):
            return kept
        data = self.data(root, seed)
        data.prepare_data()
        data.setup("fit")
        module: Any = self.module(seed, data, trials).eval()
        module.network = type(module.network).from_pretrained(folder / NETWORK)
        kept |= self.further(module, data)
        _write(folder, kept)
        return kept

    def saved(self, seed: int, trials: Path) -> bool:
        """Whether its trained network lies there."""
        return (trials / self.key(seed) / NETWORK).is_dir()

    def trained(self, seed: int, trials: Path, root: str | None) -> Path:
        """The folder of its network, trained first if need be."""
        self.run(seed, trials, root, name=self.title)
        return trials / self.key(seed) / NETWORK


def _write(folder: Path, result: dict[str, Any]) -> None:
    with atomic_write(folder / RESULT) as draft:
        draft.write_text(json.dumps(result, indent=2) + "\n")


def equal(one: Any, kept: Any) -> bool:
    """Whether settings that were kept as JSON are those of a trial; those that came later had their defaults then."""
    if not is_dataclass(one):
        return bool((list(one) if isinstance(one, tuple) else one) == kept)
    before = {field.name: kept.get(field.name, _before(field)) for field in fields(one)}
    return all(equal(getattr(one, name), value) for name, value in before.items())


def _before(field: Any) -> Any:
    default = field.default if field.metadata == LATER else None
    return list(default) if isinstance(default, tuple) else default


def _settings(one: Any) -> Any:
    """Settings as a dictionary, with those inside, without later ones that are at their defaults."""
    if not is_dataclass(one):
        return one
    given = [(field, getattr(one, field.name)) for field in fields(one)]
    return {
        field.name: _settings(value)
        for field, value in given
        if not (field.metadata == LATER and value == field.default)
    }
