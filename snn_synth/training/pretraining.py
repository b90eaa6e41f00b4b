"""The autoencoder that an audiocoder needs: loaded, or trained first."""

import functools
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from lightning.pytorch import Trainer

from snn_synth.data import ImageDataset
from snn_synth.errors import InputError
from snn_synth.models import AESNN, SpikingAutoencoder
from snn_synth.training.autoencoder import LitAutoencoder
from snn_synth.training.checkpoints import load_checkpoint
from snn_synth.training.console import quiet_lightning
from snn_synth.training.images import image_batch
from snn_synth.training.loaders import Batches, ResumableLoader

AutoencoderRecipe = Literal["learned", "fixed", "paper"]
BATCH, LR, NEURON_SHARE = 20, 3e-3, 10.0
PAPER_BATCH, PAPER_LR, PAPER_DECAY = 100, 5e-4, 1e-4
FEW, FEW_EPOCHS = 1000, 30  # of ten batches


def load_autoencoder(source: str) -> SpikingAutoencoder:
    """An AE-SNN from what its ``from_pretrained`` takes, or from a checkpoint of a LitAutoencoder.

    Raises:
        InputError: if it is neither.
    """
    if Path(source).is_file():
        return load_checkpoint(LitAutoencoder, source).network
    return SpikingAutoencoder.from_pretrained(source)


def check_recipe(recipe: str) -> None:
    """Raise InputError for one that is not known."""
    if recipe not in get_args(AutoencoderRecipe):
        raise InputError(f"Expected the autoencoder's recipe to be 'learned', 'fixed' or 'paper', got {recipe!r}")


def pretrain_autoencoder(
    images: ImageDataset,
    folder: Path,
    hidden: int = 196,
    epochs: int = 1,
    seed: int = 0,
    recipe: AutoencoderRecipe = "learned",
) -> AESNN:
    """Train an AE-SNN and save it.

    By ``learned`` its neurons reset by subtraction, and each learns its leak and threshold, by BPTT with a one-cycle
    schedule; by ``fixed`` leaks and thresholds stay 0.1 and 1. By ``paper`` neurons, rule and settings are those of
    Roy, Panda & Roy 2019, section 4.1.

    Few images (below 1,000) go through in ten batches, and as often as it takes to learn from them.

    Args:
        images: to train on.
        folder: where to save it.
        hidden: neurons of its code.
        epochs: over the images, at least; 30 of few images.
        seed: of weights, order and spikes.
        recipe: ``learned``, ``fixed`` or ``paper``.

    Raises:
        InputError: for another recipe.
    """
    check_recipe(recipe)
    few, paper = len(images) < FEW, recipe == "paper"
    batch_size = max(1, len(images) // 10) if few else PAPER_BATCH if paper else BATCH
    neurons: dict[str, Any] = {} if paper else {"slope": 2.0, "reset": "subtract", "learned": recipe == "learned"}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = AESNN(images.images[0].numel(), hidden, **neurons)
    module = LitAutoencoder(network, seed=seed, **(_paper() if paper else _best()))
    places = Batches(torch.arange(len(images)), lambda index: image_batch(images, index))
    loader = ResumableLoader(places, batch_size=batch_size, shuffle=True, seed=seed, distributed=False, drop_last=True)
    with quiet_lightning():
        trainer = Trainer(
            accelerator="auto",
            devices=1,
            max_epochs=max(epochs, FEW_EPOCHS) if few else epochs,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
        )
        trainer.fit(module, loader)
    network.cpu().save_pretrained(folder)
    return network


def _best() -> dict[str, Any]:
    return {
        "loss": "rate",
        "neuron_share": NEURON_SHARE,
        "optimizer": functools.partial(torch.optim.AdamW, lr=LR, fused=True),
        "lr_scheduler": functools.partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=LR),
    }


def _paper() -> dict[str, Any]:
    optimizer = functools.partial(torch.optim.AdamW, lr=PAPER_LR, weight_decay=PAPER_DECAY, fused=True)
    return {"rule": "online", "loss": "membrane", "optimizer": optimizer}
