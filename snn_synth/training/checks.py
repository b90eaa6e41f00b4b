"""Settings of the Trainer that would fail during training, or go wrong silently, are refused before it starts."""

import math
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import (
    BackboneFinetuning,
    BatchSizeFinder,
    GradientAccumulationScheduler,
    LearningRateFinder,
    ModelCheckpoint,
    SpikeDetection,
)
from lightning.pytorch.strategies import DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy
from lightning.pytorch.utilities import rank_zero_warn
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from snn_synth.errors import InputError
from snn_synth.keys import former, present

_SEVERAL = "where each batch has several updates (`rule: online`, a GAN)"
_KNOWN = ("snn_synth.", "lightning.", "pytorch_lightning.")


def check_fit(trainer: Trainer, module: LightningModule) -> None:
    """Raise InputError for what no module of ours can be trained with; docs/lightning.md lists it all."""
    for name, least in (("accumulate_grad_batches", 1), ("check_val_every_n_epoch", 1), ("gradient_clip_val", 0)):
        value = getattr(trainer, name)
        if value is not None and value < least:
            raise InputError(f"Expected `{name}` of at least {least}, got {value}")
    if not module.automatic_optimization:
        _check_manual(trainer)
    if trainer.val_check_interval == 0:
        raise InputError("Expected `val_check_interval` above 0, got 0: `limit_val_batches` 0 leaves validation out")
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


def _check_manual(trainer: Trainer) -> None:
    if trainer.accumulate_grad_batches > 1:
        raise InputError(
            f"Expected `accumulate_grad_batches` 1 {_SEVERAL}, got {trainer.accumulate_grad_batches}: use larger "
            "batches, or `rule: bptt`"
        )
    if trainer.gradient_clip_val:
        raise InputError(
            f"Expected no `gradient_clip_val` {_SEVERAL}, got {trainer.gradient_clip_val}: lower the learning rate, or "
            "use `rule: bptt`"
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
    if isinstance(callback, BackboneFinetuning) and not hasattr(module, "backbone"):
        raise InputError(f"Expected a module with a `backbone` for BackboneFinetuning, got {type(module).__name__}")
    if isinstance(callback, SpikeDetection):
        raise InputError("Expected EarlyStopping or `detect_anomaly`, got SpikeDetection, which cannot be saved")
    if isinstance(callback, ModelCheckpoint) and callback._train_time_interval and not module.automatic_optimization:
        raise InputError(  # Lightning would save nothing
            f"Expected a ModelCheckpoint without `train_time_interval` {_SEVERAL}, got "
            f"{callback._train_time_interval}: give `every_n_train_steps`, or use ResumeCheckpoint"
        )
    if isinstance(callback, GradientAccumulationScheduler) and not module.automatic_optimization:
        raise InputError(f"Expected no GradientAccumulationScheduler {_SEVERAL}: use larger batches, or `rule: bptt`")


def check_images(data: Any, network: nn.Module) -> None:
    """Raise InputError if a DataModule's images have other numbers of values than a network's inputs."""
    shape, inputs = getattr(data, "image_shape", None), getattr(network, "inputs", None)
    if shape is not None and inputs is not None and math.prod(shape) != inputs:
        raise InputError(
            f"Expected a network for images of {' x '.join(map(str, shape))} values, got one with {inputs} inputs: "
            f"give --model.network.inputs {math.prod(shape)}, or another size of the images"
        )


def check_classes(data: Any, module_class: type) -> None:
    """Raise InputError if a DataModule has images of one class alone, where there are classes to tell apart."""
    names = getattr(data, "names", None)
    if names is not None and len(names) < 2:
        raise InputError(
            f"Expected images of at least two classes for {module_class.__name__}, each in a folder of its name, got "
            f"{list(names)}"
        )


def check_optimizer(optimizer: torch.optim.Optimizer, module: LightningModule) -> None:
    """Raise InputError for an optimizer that has to ask for the loss again and again, where there is none to ask."""
    if isinstance(optimizer, torch.optim.LBFGS) and not module.automatic_optimization:
        raise InputError(f"Expected an optimizer that takes one gradient {_SEVERAL}, got LBFGS: use AdamW, say")


def check_monitors(trainer: Trainer, module: LightningModule) -> None:
    """Raise InputError, in the sanity check, for what waits for a metric that nobody logs: the epoch would be lost."""
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
    if not all(type(one).__module__.startswith(_KNOWN) for one in (module, *callbacks)):
        return  # others may log anything, and when they like
    for watcher in (*callbacks, *(config.scheduler for config in trainer.lr_scheduler_configs)):
        monitor = getattr(watcher, "monitor", None)
        if monitor is None or monitor.startswith("train/"):
            continue
        if monitor not in trainer.callback_metrics:
            raise InputError(
                f"Expected train/loss or one of {present(trainer.callback_metrics)} as `monitor` of "
                f"{type(watcher).__name__}, got {monitor!r}"
            )
        for key in trainer.callback_metrics:
            if former(key) == monitor:
                rank_zero_warn(f"{type(watcher).__name__} monitors {monitor}, now {key}: the old name ends with 0.2")


def check_unused_parameters(trainer: Trainer, reason: str) -> None:
    """Raise InputError if several processes expect all weights in each update; ``reason`` says why some are not."""
    model = trainer.strategy.model
    if isinstance(model, DistributedDataParallel) and not model.find_unused_parameters:
        raise InputError(f"Expected `--trainer.strategy ddp_find_unused_parameters_true`, for {reason}, got `ddp`")
