"""When a learning-rate scheduler steps: after each batch, or at the end of the epoch."""

import functools
import inspect
import math
from typing import Any, Literal

from lightning.pytorch import Trainer
from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau, SequentialLR

from snn_synth.errors import InputError
from snn_synth.keys import present
from snn_synth.training.factories import class_made_by
from snn_synth.training.numbers import check_numbers

Interval = Literal["step", "epoch"]


def build_scheduler(
    make: Any, optimizer: Optimizer, interval: Interval, trainer: Any, first_epochs: int = 0
) -> dict[str, Any]:
    """The scheduler of an optimizer, as Lightning takes it; ``total_steps`` and ``max_lr`` are filled in.

    Args:
        make: the class, or a partial of it.
        optimizer: whose groups have their ``share`` of the learning rate, if they have any.
        interval: of schedulers that may have either: OneCycleLR always steps after each batch, and ReduceLROnPlateau at
            the end of the epoch.
        trainer: knows how many batches there will be.
        first_epochs: of a first stage; what takes ``total_steps`` runs once in it, and once in the rest.

    Raises:
        InputError: for a run without end under a scheduler that needs one, or a ReduceLROnPlateau that does not say
            what it monitors.
    """
    cls, given = class_made_by(make), getattr(make, "keywords", {})
    check_numbers("lr_scheduler", given)
    for name in ("step_size", "T_max", "step_size_up", "div_factor", "final_div_factor"):  # PyTorch divides by them
        if given.get(name) == 0:
            wanted = "above 0" if name.endswith("factor") else "of at least 1"
            raise InputError(f"Expected `{name}` of {cls.__name__ if cls else make} {wanted}, got 0")
    if isinstance(given.get("max_lr"), int | float):  # OneCycleLR's: it would give all groups the same
        shares = [group.get("share", 1.0) for group in optimizer.param_groups]
        make = functools.partial(make, max_lr=[given["max_lr"] * share for share in shares])
    if cls and "total_steps" in inspect.signature(cls).parameters:
        interval = "step"
        steps = given.get("total_steps") or _batches(trainer, cls)
        if math.isfinite(batches := trainer.estimated_stepping_batches) and steps < batches:
            raise InputError(
                f"Expected `total_steps` of at least the {int(batches)} batches of this run, got "
                f"{steps}: leave it out, and it is filled in"
            )
        if first_epochs and "total_steps" not in given:
            first = first_epochs * math.ceil(trainer.num_training_batches / trainer.accumulate_grad_batches)
            if first < steps:
                stages = [_of_length(make, cls, given, number)(optimizer) for number in (first, steps - first)]
                return {"scheduler": SequentialLR(optimizer, stages, milestones=[first]), "interval": interval}
        make = _of_length(make, cls, given, steps)
    scheduler = make(optimizer)
    if not isinstance(scheduler, ReduceLROnPlateau):
        return {"scheduler": scheduler, "interval": interval}
    monitor = getattr(scheduler, "monitor", None)
    if monitor is None:
        raise InputError(
            "Expected lightning.pytorch.cli.ReduceLROnPlateau with its `monitor` (val/standardized_mse, say), got "
            "torch.optim.lr_scheduler.ReduceLROnPlateau, which does not say what it monitors"
        )
    return {"scheduler": scheduler, "interval": "epoch", "monitor": monitor}


def _of_length(make: Any, cls: type, given: dict[str, Any], steps: int) -> Any:
    """The scheduler's maker with its ``total_steps``."""
    make = functools.partial(make, total_steps=steps)
    if issubclass(cls, OneCycleLR) and steps * given.get("pct_start", 0.3) == 1:
        make = functools.partial(make, pct_start=0.99 / steps)  # it divides by the steps before its peak less one
    return make


def _batches(trainer: Trainer, cls: type) -> int:
    """How many times the optimizer will step."""
    batches = trainer.estimated_stepping_batches
    if not math.isfinite(batches):
        raise InputError(
            f"Expected `max_epochs`, `max_steps` or the `total_steps` of {cls.__name__}, which needs an end, got none"
        )
    return max(1, int(batches))


def step_schedulers(trainer: Trainer) -> None:
    """Under manual optimization, what Lightning does by itself under automatic: step after a batch or the last one."""
    loop = trainer.fit_loop.epoch_loop
    for config in trainer.lr_scheduler_configs:
        if isinstance(config.scheduler, ReduceLROnPlateau):
            continue
        done = loop.batch_idx if config.interval == "step" else trainer.current_epoch
        if (config.interval == "step" or trainer.is_last_batch) and (done + 1) % config.frequency == 0:
            config.scheduler.step()


def step_plateaus(trainer: Trainer) -> None:
    """Show ReduceLROnPlateau its metric at the end of an epoch; Lightning does so after the epoch's checkpoint.

    Raises:
        InputError: if nothing of that name has been logged.
    """
    if not trainer.is_last_batch:  # `max_steps` ended the epoch
        return
    for config in trainer.lr_scheduler_configs:
        scheduler: Any = config.scheduler
        if not at_end_of_epoch(config) or (trainer.current_epoch + 1) % config.frequency:
            continue
        monitor = config.monitor or getattr(scheduler, "monitor", None)
        if monitor not in trainer.callback_metrics:
            raise InputError(
                f"Expected a metric that is logged in each epoch as `monitor` of ReduceLROnPlateau, one of "
                f"{present(trainer.callback_metrics)}, got {monitor!r}"
            )
        scheduler.step(trainer.callback_metrics[monitor])


def at_end_of_epoch(config: Any) -> bool:
    """Whether a scheduler is one that :func:`step_plateaus` steps."""
    return isinstance(config.scheduler, ReduceLROnPlateau) and config.interval == "epoch"
