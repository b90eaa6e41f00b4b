"""A run that ends between two validations is validated once more, or its last epochs would be in no best.ckpt."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback


class LastValidation(Callback):
    """Validates where the training ends, whatever ``check_val_every_n_epoch`` says; our modules bring it along.

    The end is ``max_epochs``, ``max_steps``, or what asks for a stop within an epoch (``max_time``, Ctrl-C does not).
    """

    def __init__(self) -> None:
        """Know nothing of a Trainer yet."""
        super().__init__()
        self.interval: int | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep what was asked for."""
        self.interval = trainer.check_val_every_n_epoch

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Ask for a validation in the last epoch, and in the last batch that a limit of steps allows."""
        if self.interval is None:  # counted in batches, across epochs
            return
        if 0 <= trainer.max_steps <= trainer.global_step:
            trainer.should_stop = True  # or Lightning validates at the end of an epoch only
        last = trainer.current_epoch + 1 == trainer.max_epochs or trainer.should_stop
        trainer.check_val_every_n_epoch = trainer.current_epoch + 1 if last else self.interval

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the Trainer as it was."""
        trainer.check_val_every_n_epoch = self.interval

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """The same."""
        if self.interval is not None:
            trainer.check_val_every_n_epoch = self.interval
