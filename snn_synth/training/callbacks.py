"""Callbacks that draw what a validation shows."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only
from matplotlib.figure import Figure
from torch import Tensor

from snn_synth import plot
from snn_synth.errors import InputError


class ImageGrid(Callback):
    """Draws targets above outputs after each validation: a PNG in the run's folder, and an image on W&B.

    Args:
        images: how many.

    Raises:
        InputError: for fewer than one image.

    Example:
        >>> trainer = Trainer(callbacks=[ImageGrid(images=5)], logger=False)
    """

    def __init__(self, images: int = 10) -> None:
        """Check and keep the number."""
        super().__init__()
        if images < 1:
            raise InputError(f"Expected `images` to be at least 1, got {images}")
        self.images = images
        self.shown: tuple[Tensor, Tensor] | None = None

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the first batch."""
        if batch_idx == 0:
            targets, images = given(self, pl_module, outputs, "targets"), given(self, pl_module, outputs, "images")
            self.shown = targets[: self.images].cpu(), images[: self.images].cpu()

    @rank_zero_only
    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw."""
        if trainer.sanity_checking or self.shown is None:
            return
        _show(trainer, "images", plot.reconstructions(*self.shown))


class SampleGrid(Callback):
    """Draws new images after each validation: a PNG in the run's folder, and an image on W&B.

    Args:
        samples: how many; always by the same seed, so that the pictures of a run can be compared.

    Raises:
        InputError: for fewer than one sample.

    Example:
        >>> trainer = Trainer(callbacks=[SampleGrid(samples=20)], logger=False)
    """

    def __init__(self, samples: int = 40) -> None:
        """Check and keep the number."""
        super().__init__()
        if samples < 1:
            raise InputError(f"Expected `samples` to be at least 1, got {samples}")
        self.samples = samples

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Check that the network makes images."""
        if _sampler(pl_module) is None:
            raise InputError(f"Expected a network that makes new images, got {type(pl_module.network).__name__}")

    @rank_zero_only
    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw."""
        if trainer.sanity_checking:
            return
        sample: Any = _sampler(pl_module)
        images = sample(self.samples, torch.Generator(pl_module.device).manual_seed(0)).cpu()
        _show(trainer, "samples", plot.image_grid(images))


class FirstSpikes(Callback):
    """Draws after each validation when the neurons of the first sample fire: a PNG in the run's folder, and on W&B.

    Example:
        >>> trainer = Trainer(callbacks=[FirstSpikes()], logger=False)
    """

    def __init__(self) -> None:
        """Start from nothing."""
        super().__init__()
        self.times: dict[str, Tensor] = {}

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the first sample."""
        if batch_idx == 0:
            times = given(self, pl_module, outputs, "times")
            self.times = {name: layer[0].cpu() for name, layer in times.items()}

    @rank_zero_only
    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw."""
        if not trainer.sanity_checking:
            _show(trainer, "spikes", plot.first_spikes(self.times, never(pl_module)))


def given(callback: Callback, pl_module: LightningModule, outputs: Any, name: str) -> Any:
    """What a validation hands to the callbacks under a name."""
    if not isinstance(outputs, dict) or name not in outputs:
        raise InputError(
            f"Expected a module that gives `{name}` in its validation, got {type(pl_module).__name__}: leave "
            f"{type(callback).__name__} out"
        )
    return outputs[name]


def never(pl_module: LightningModule) -> float:
    """The time that stands for a neuron which does not fire: the number of steps, or inf."""
    return float(getattr(pl_module.network, "num_steps", torch.inf))


def _sampler(module: LightningModule) -> Any:
    """What draws new images: of the network, or of the module where the network alone cannot."""
    return getattr(module.network, "sample", None) or getattr(module, "sample", None)


def _show(trainer: Trainer, kind: str, figure: Figure) -> None:
    """Save a picture of this moment under ``<kind>/`` of the run, and log it as ``val/<kind>``."""
    if trainer.fast_dev_run:  # type: ignore[attr-defined]
        return
    batches = trainer.fit_loop.epoch_loop.total_batch_idx + 1  # under the online rule, not global_step
    name = f"epoch={trainer.current_epoch:03d}-batch={batches:06d}.png"
    path = Path(trainer.default_root_dir) / kind / name
    plot.save_figure(figure, path)
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            caption = f"epoch {trainer.current_epoch}, batch {batches}"
            logger.log_image(f"val/{kind}", [str(path)], caption=[caption])  # not the figure: drawn once
