"""One training run of an experiment: what is trained on what, by which recipe, and what was measured of it."""

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
import wandb
from lightning.pytorch import LightningModule, Trainer

from snn_synth.experiments.reproduce.curve import Curve
from snn_synth.experiments.reproduce.measure import errors, over
from snn_synth.experiments.reproduce.recipes import Recipe
from snn_synth.files import atomic_write
from snn_synth.models import AEANN, AESNN
from snn_synth.training import (
    AtomicCheckpointIO,
    FashionMNISTData,
    LitAutoencoder,
    LitAutoencoderANN,
    MNISTData,
    MNISTSubsetData,
    ResumeCheckpoint,
    WandbLogger,
)
from snn_synth.training.console import quiet_lightning
from snn_synth.training.images import ImageData, image_batch

DATA: dict[str, type[ImageData]] = {data.name: data for data in (MNISTData, FashionMNISTData, MNISTSubsetData)}
RESULT, DRAWN = "result.json", "drawn.npy"
MEASURED = 10_000  # images: all of a test set, as many of the training set


@dataclass(frozen=True)
class Trial:
    """An autoencoder, spiking or not, on a set of images.

    Args:
        recipe: how it is trained.
        kind: ``snn`` or ``ann``.
        images: ``mnist``, ``fashion_mnist`` or ``mnist_subset``.
        hidden: neurons of the code.
        num_steps: T of a spiking network.
        alpha: its leak.
        mask: train it on the error of those output neurons alone that fire wrongly.
        output: of a conventional network, ``linear`` or ``sigmoid``.
        train_images: use only so many of the training images in an epoch, and measure only so many.
    """

    recipe: Recipe
    kind: Literal["snn", "ann"] = "snn"
    images: str = "mnist"
    hidden: int = 196
    num_steps: int = 15
    alpha: float = 0.1
    mask: bool = True
    output: Literal["linear", "sigmoid"] = "linear"
    train_images: int | None = None

    def key(self, seed: int) -> str:
        """A folder name: the same for the same settings, so that experiments share trials.

        Example:
            >>> Trial(Recipe(lr=1e-3)).key(0).rsplit("-", 1)[0]
            'mnist-snn-196-seed0'
        """
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()
        return f"{self.images}-{self.kind}-{self.hidden}-seed{seed}-{digest[:10]}"

    def module(self, seed: int) -> LightningModule:
        """The untrained network with all that trains it."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if self.kind == "ann":
                network = AEANN(784, self.hidden, self.output)
                return LitAutoencoderANN(network, **self.recipe.factories())
            return LitAutoencoder(
                AESNN(784, self.hidden, self.alpha),
                rule=self.recipe.rule,
                num_steps=self.num_steps,
                mask=self.mask,
                seed=seed,
                **self.recipe.factories(),
            )

    def run(self, seed: int, folder: Path, root: str | None = None, name: str = "", group: str = "") -> dict[str, Any]:
        """Train and measure, unless that was done; a run that was interrupted goes on.

        Args:
            seed: of the weights, the order and the spikes.
            folder: of the run: its checkpoint, its W&B record, ``result.json`` and ``drawn.npy``.
            root: folder with the data.
            name: of the run on W&B.
            group: of the runs of one experiment on W&B.

        Returns:
            What ``result.json`` holds: standardized test and training MSE, and the curve of the training.
        """
        done = folder / RESULT
        if done.is_file():
            kept: dict[str, Any] = json.loads(done.read_text())
            return kept
        start = time.perf_counter()
        data = DATA[self.images](root, self.recipe.batch_size, validation_fraction=0, seed=seed)
        module, curve = self.module(seed), Curve()
        silent = wandb.Settings(silent=True)  # a table for each trial would bury ours
        resume = folder / "resume.ckpt"
        with quiet_lightning():
            logger = WandbLogger(name=name or None, save_dir=str(folder), group=group or None, settings=silent)
            trainer = Trainer(
                max_epochs=self.recipe.epochs,
                limit_train_batches=None if self.train_images is None else self.train_images // self.recipe.batch_size,
                accelerator="auto",
                devices=1,
                default_root_dir=folder,
                logger=logger,
                callbacks=[curve, ResumeCheckpoint()],
                plugins=[AtomicCheckpointIO()],
                enable_model_summary=False,
            )
            trainer.fit(module, data, ckpt_path=resume if resume.is_file() else None)
        module.eval()
        most = min(MEASURED, self.train_images or MEASURED)
        test, train = over(module, data.test_set, most), over(module, data.train_set, most)
        result = {"test": test, "train": train, "curve": curve.points, "seconds": time.perf_counter() - start}
        result |= {"trial": asdict(self), "seed": seed}
        with atomic_write(folder / DRAWN) as draft, draft.open("wb") as file:
            np.save(file, _one_of_each(module, data))
        for part, found in (("test", test), ("train", train)):
            logger.log_metrics({f"{part}/{key}": value for key, value in found.items()})
        logger.experiment.finish()
        with atomic_write(done) as draft:
            draft.write_text(json.dumps(result, indent=2) + "\n")
        resume.unlink(missing_ok=True)
        return result


def _one_of_each(module: LightningModule, data: ImageData) -> npt.NDArray[np.float32]:
    """The first test image of each class above what is drawn of it: ``[2, 10, 28, 28]``."""
    labels = data.test_set.labels
    places = torch.stack([torch.nonzero(labels == label)[0, 0] for label in range(10)])
    batch = image_batch(data.test_set, places)
    drawn, _ = errors(module, batch)
    return np.stack([batch.images[:, 0].numpy(), drawn.cpu().reshape(-1, 28, 28).numpy()])
