"""Callbacks: pictures, spike statistics, and warnings about silent or saturated layers."""

import functools
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only, rank_zero_warn
from matplotlib.figure import Figure
from torch import Tensor

from snn_synth import plot
from snn_synth.errors import InputError
from snn_synth.metrics import synaptic_operations


class ImageGrid(Callback):
    """Draws targets above outputs after each validation: a PNG in the run's folder, and an image on W&B.

    Args:
        images: how many.

    Raises:
        InputError: for fewer than one image.
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
    """Draws after each validation when the neurons of the first sample fire: a PNG in the run's folder, and on W&B."""

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
            _show(trainer, "spikes", plot.first_spikes(self.times, _never(pl_module)))


def given(callback: Callback, pl_module: LightningModule, outputs: Any, name: str) -> Any:
    """What a validation hands to the callbacks under a name."""
    if not isinstance(outputs, dict) or name not in outputs:
        raise InputError(
            f"Expected a module that gives `{name}` in its validation, got {type(pl_module).__name__}: leave "
            f"{type(callback).__name__} out"
        )
    return outputs[name]


def _never(pl_module: LightningModule) -> float:
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


class SpikeStatistics(Callback):
    """Logs, for each layer of a validated network, how much it fires and what that costs.

    ``spikes/<layer>/rate`` (spikes per neuron and step), ``spikes/<layer>/silent`` and ``.../saturated`` (shares of
    neurons that never or always fire), and ``spikes/synaptic_operations`` (per sample, all layers together). Layers are
    taken as fully connected unless the validation gives their ``fan_out``, for each layer but the last.
    """

    def __init__(self) -> None:
        """Start from nothing."""
        super().__init__()
        self.fired: dict[str, Tensor] = {}
        self.operations = torch.zeros(())
        self.samples = self.steps = 0

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the validation before."""
        self.fired, self.operations, self.samples = {}, torch.zeros((), device=pl_module.device), 0

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Count a batch."""
        layers: dict[str, Tensor] = given(self, pl_module, outputs, "spikes")
        for name, spikes in layers.items():
            self.fired[name] = self.fired.get(name, torch.zeros_like(spikes[0, 0])) + spikes.sum((0, 1))
        self.steps, samples = spikes.shape[:2]
        self.samples += samples
        presynaptic, postsynaptic = list(layers.values())[:-1], list(layers.values())[1:]
        fan_out = outputs.get("fan_out") or [after.shape[-1] for after in postsynaptic]
        operations = [synaptic_operations(*pair) for pair in zip(presynaptic, fan_out, strict=True)]
        if operations:
            self.operations += torch.stack(operations).sum() * samples

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the means over samples, those of all processes."""
        sum_up = functools.partial(trainer.strategy.reduce, reduce_op="sum")
        samples = sum_up(torch.tensor(float(self.samples), device=pl_module.device))
        for name, fired in self.fired.items():
            rate = sum_up(fired) / (self.steps * samples)
            pl_module.log(f"spikes/{name}/rate", rate.mean(), sync_dist=True)
            pl_module.log(f"spikes/{name}/silent", (rate == 0).float().mean(), sync_dist=True)
            pl_module.log(f"spikes/{name}/saturated", (rate == 1).float().mean(), sync_dist=True)
        pl_module.log("spikes/synaptic_operations", sum_up(self.operations) / samples, sync_dist=True)


class LayerWarning(Callback):
    """Warns once about each layer that a validation finds silent or saturated: such a layer cannot learn.

    Layers whose neurons fire at most once can be silent only.

    Args:
        silent: mean rate (spikes per neuron and step, or spikes per neuron) up to which a layer counts as silent.
        saturated: mean rate from which it counts as saturated.
    """

    def __init__(self, silent: float = 1e-4, saturated: float = 0.95) -> None:
        """Keep the limits."""
        super().__init__()
        self.silent, self.saturated = silent, saturated
        self.named: set[str] = set()
        self.rates: dict[str, list[Tensor]] = {}

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the validation before."""
        self.rates = {}

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Count a batch."""
        outputs = outputs or {}  # a classifier's
        for name, spikes in outputs.get("spikes", {}).items():
            self.rates.setdefault(name, []).append(spikes.mean())
        for name, times in outputs.get("times", {}).items():
            fires = (times.isfinite() & (times != _never(pl_module))).float().mean()
            self.rates.setdefault(name, []).append(fires.clamp(max=self.saturated / 2))  # all once is as it should be

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Name what does not work; an untrained network, in Lightning's sanity check, may be silent."""
        if trainer.sanity_checking:
            return
        for name, rates in self.rates.items():
            rate = torch.stack(rates).mean().item()
            if name in self.named or self.silent < rate < self.saturated:
                continue
            self.named.add(name)
            state, cure = ("silent", "lower") if rate <= self.silent else ("saturated", "raise")
            hint = (
                "check the values it encodes"
                if name == "input"
                else f"{cure} its threshold, or lower the learning rate"
            )
            rank_zero_warn(f"The layer `{name}` is {state}: {rate:.2g} spikes per neuron and step; {hint}.")
