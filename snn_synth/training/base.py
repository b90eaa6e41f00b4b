"""What the LightningModules share: optimizer and scheduler from outside, and for spiking networks the two rules."""

import functools
from typing import Any, ClassVar

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor, nn

from snn_synth import kernels
from snn_synth.encoding import sample_keys
from snn_synth.keys import former
from snn_synth.learning.finite import check_update, check_weights
from snn_synth.training.batches import as_batch
from snn_synth.training.checkpoints import keep_to_own_files
from snn_synth.training.checks import check_classes, check_fit, check_images, check_monitors, check_optimizer
from snn_synth.training.hparams import Remembering
from snn_synth.training.last_validation import LastValidation
from snn_synth.training.loaders import ImageBatch, ResumableLoader
from snn_synth.training.numbers import check_numbers
from snn_synth.training.resume import check_progress, check_settings, follow_settings
from snn_synth.training.schedulers import Interval, at_end_of_epoch, build_scheduler, step_plateaus

# Validation and test images are encoded by keys of their own, the same in every epoch.
HELD_OUT = -1


def batch_generator(index: Tensor, seed: int, epoch: int, device: torch.device) -> torch.Generator:
    """A random generator for a batch, seeded by its first sample: the same after a resume."""
    return torch.Generator(device).manual_seed(int(sample_keys(seed, epoch, index[:1])))


class LitModule(Remembering, LightningModule):  # type: ignore[misc]
    """Base class: an optimizer of ``network`` and its scheduler, given from outside; batches of any DataLoader.

    The Trainer's steps are batches, also where a batch has several updates. The scheduler steps after each batch
    (``lr_interval``), a ReduceLROnPlateau at the end of each epoch.

    Args:
        optimizer: makes the optimizer of the parameters; AdamW if not given.
        lr_scheduler: makes the scheduler of the optimizer; ``total_steps`` is filled in if it takes that.
    """

    network: nn.Module
    lr_interval: Interval = "step"
    redraws: ClassVar[bool] = False
    """Whether a prediction is of the batch's images, drawn again."""
    batch_kind: Any = ImageBatch
    """Fields that a batch must have; what has others is made an ImageBatch if it can be."""
    fixed: ClassVar[set[str]] = {"network"}
    """Settings that come with a checkpoint's weights: a run cannot go on with others."""
    changed: bool | None = None
    """Whether a setting is another than that of the checkpoint that is gone on from; None if there is none."""

    def __init__(self, optimizer: OptimizerCallable | None, lr_scheduler: LRSchedulerCallable | None) -> None:
        """Keep both."""
        super().__init__()
        self.remember()
        # Not a default argument: LightningCLI would pass AdamW's weight decay on to any other optimizer named in YAML.
        self.optimizer: OptimizerCallable = optimizer or torch.optim.AdamW
        self.lr_scheduler = lr_scheduler

    @property
    def needs_labels(self) -> bool:
        """Whether batches without labels are of no use."""
        return False

    def log(
        self, name: str, value: Any, prog_bar: bool = False, logger: bool | None = None, *args: Any, **how: Any
    ) -> None:
        """Log; what reads ``callback_metrics`` (a ``monitor``, metrics.json) finds it by its former name too."""
        super().log(name, value, prog_bar, logger, *args, **how)
        if (old := former(name)) is not None:
            super().log(old, value, False, False, *args, **how)

    def configure_callbacks(self) -> list[Any]:
        """Refuse what would fail later on, for this hook is the first of a run; and validate where the run ends."""
        if self.trainer.state.fn != TrainerFn.FITTING:
            return []
        check_fit(self.trainer, self)
        callbacks: list[Any] = self.trainer.callbacks  # type: ignore[attr-defined]
        return [] if any(isinstance(one, LastValidation) for one in callbacks) else [LastValidation()]

    def setup(self, stage: str) -> None:
        """Refuse images that are not what the network takes, before anything is learned."""
        self.check_data(getattr(self.trainer, "datamodule", None))

    def check_data(self, data: Any) -> None:
        """Raise InputError for a DataModule whose images are not what the network takes."""
        if self.batch_kind is ImageBatch:
            check_images(data, self.network)
            if self.needs_labels:
                check_classes(data, type(self))

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """The batch in the form that the steps take."""
        loop: Any = self.trainer._active_loop
        progress = getattr(loop, "epoch_loop", loop).batch_progress
        number = progress.current.ready * self.trainer.world_size + self.trainer.global_rank
        return as_batch(self.batch_kind, batch, number, self.needs_labels)

    def on_train_start(self) -> None:
        """Go on at the checkpoint's batch: Lightning forgets to once a scheduler has asked for the number of steps."""
        check_weights(self)
        if self.changed is not None:
            follow_settings(self, self.changed)
            self.changed = None
        progress, loader = self.trainer.fit_loop.epoch_loop.batch_progress, self.trainer.train_dataloader
        if isinstance(loader, ResumableLoader):
            loader.load_state_dict({"batches": 0 if progress.is_last_batch else progress.current.ready})

    def on_validation_start(self) -> None:
        """Measure no weights that are NaN or infinite: such neurons just never fire."""
        check_weights(self)

    on_test_start = on_predict_start = on_validation_start

    def on_validation_end(self) -> None:
        """Refuse monitors of nothing, before anything is learned."""
        if self.trainer.sanity_checking:
            check_monitors(self.trainer, self)

    def on_train_epoch_end(self) -> None:
        """Step what waits for a metric, so that the epoch's checkpoint knows of it."""
        step_plateaus(self.trainer)

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Leave out what :meth:`on_train_epoch_end` has stepped."""
        if not any(one.scheduler is scheduler and at_end_of_epoch(one) for one in self.trainer.lr_scheduler_configs):
            super().lr_scheduler_step(scheduler, metric)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Before Lightning restores the rest: no callback takes another's file for its own, no setting is ignored."""
        if self._trainer is None:
            return
        keep_to_own_files(self._trainer, checkpoint)
        if self._trainer.state.fn == TrainerFn.FITTING:
            check_progress(checkpoint, self._trainer.callbacks)  # type: ignore[attr-defined]
            self.changed = check_settings(self, checkpoint, self.fixed)
            kernels.adopt_choices(checkpoint.get("fastest_products"))

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Stop before NaN or infinity spread; a gradient scaler skips updates that have them, and may."""
        if getattr(self.trainer.precision_plugin, "scaler", None) is None:
            check_update(self, optimizer)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Let no checkpoint take the place of a better one, and note how products were computed."""
        check_weights(self)
        checkpoint["fastest_products"] = kernels.choices()

    def configure_optimizers(self) -> Any:
        """The optimizer, and its scheduler."""
        made = self.optimizer_of(self.network)
        return made if self.lr_scheduler is not None else made["optimizer"]

    def parameter_groups(self, network: nn.Module) -> Any:
        """The parameters, or groups of them, each with its ``share`` of the learning rate."""
        return network.parameters()

    def optimizer_of(self, network: nn.Module) -> dict[str, Any]:
        """The optimizer of a network's parameters and, if there is one, its scheduler, as Lightning takes them."""
        optimizer = self.optimizer(self.parameter_groups(network))
        if getattr(optimizer, "_step_supports_amp_scaling", False) and self._clips_in_mixed_precision():
            rank_zero_info(
                "A fused optimizer does not let gradients be clipped in mixed precision: fused=False is used"
            )
            unfused: Any = functools.partial(self.optimizer, fused=False)  # type: ignore[call-arg]
            optimizer = unfused(self.parameter_groups(network))
        check_optimizer(optimizer, self)
        check_numbers("optimizer", optimizer.defaults)
        for group in optimizer.param_groups:
            group["lr"] *= group.get("share", 1.0)
        if self.lr_scheduler is None:
            return {"optimizer": optimizer}
        scheduler = self.scheduler_of(optimizer)
        if not self.automatic_optimization:
            scheduler.pop("monitor", None)  # the scheduler itself says it; Lightning warns that it would be ignored
        return {"optimizer": optimizer, "lr_scheduler": scheduler}

    def scheduler_of(self, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """The scheduler of an optimizer, as Lightning takes it."""
        return build_scheduler(self.lr_scheduler, optimizer, self.lr_interval, self.trainer)

    def _clips_in_mixed_precision(self) -> bool:
        trainer = self._trainer
        return trainer is not None and bool(trainer.gradient_clip_val) and str(trainer.precision).endswith("-mixed")
