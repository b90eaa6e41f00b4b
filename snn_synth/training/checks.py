"""Settings of the Trainer that would fail in the middle of a training run, or go wrong in silence: refused before it."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BatchSizeFinder, GradientAccumulationScheduler, LearningRateFinder
from lightning.pytorch.strategies import DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy

from snn_synth.errors import InputError


def check_fit(trainer: Trainer, module: LightningModule) -> None:
    """Raise InputError for what no module of ours can be trained with; docs/lightning.md lists it all."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        _check_callback(callback, module)
    if trainer.precision == "16-true":
        raise InputError(
            "Expected `precision` 16-mixed or bf16-mixed to train, got 16-true: small gradients are 0 in float16"
        )
    if trainer.precision == "bf16-true" and getattr(module, "rule", None) == "online":
        raise InputError("Expected `precision` 32-true, 64-true or a mixed one with `rule: online`, got bf16-true")
    if isinstance(trainer.strategy, DeepSpeedStrategy | FSDPStrategy | ModelParallelStrategy):
        raise InputError(
            "Expected a `strategy` that keeps whole weights in each process (`auto`, `ddp`), got "
            f"{type(trainer.strategy).__name__}"
        )


def _check_callback(callback: Any, module: LightningModule) -> None:
    if isinstance(callback, LearningRateFinder) and callback._update_attr:
        raise InputError(
            "Expected a learning rate that is a setting of the model, for config.yaml and checkpoints record that one, "
            "got LearningRateFinder: see what it suggests by Tuner.lr_find(..., update_attr=False), or use a sweep"
        )
    if isinstance(callback, BatchSizeFinder):
        raise InputError(
            "Expected a batch size that is a setting of the data, for config.yaml and the length of a schedule rest on "
            "it, got BatchSizeFinder: give `batch_size`"
        )
    if isinstance(callback, GradientAccumulationScheduler) and not module.automatic_optimization:
        raise InputError(
            "Expected no gradients to be accumulated where each batch has several updates (`rule: online`, a GAN), got "
            "GradientAccumulationScheduler: use larger batches, or `rule: bptt`"
        )


def check_monitors(trainer: Trainer) -> None:
    """Raise InputError, in the sanity check, for a callback or scheduler that waits for a metric ``val/...`` of no one."""
    watching = [*trainer.callbacks, *(config.scheduler for config in trainer.lr_scheduler_configs)]  # type: ignore[attr-defined]
    for watcher in watching:
        monitor = getattr(watcher, "monitor", None)
        if isinstance(monitor, str) and monitor.startswith("val/") and monitor not in trainer.callback_metrics:
            found = sorted(name for name in trainer.callback_metrics if name.startswith("val/"))
            raise InputError(f"Expected a `monitor` of {type(watcher).__name__} of {found}, got {monitor!r}")
