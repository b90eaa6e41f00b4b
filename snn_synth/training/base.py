"""What all LightningModules of spiking networks share: the two rules, the optimizer and the scheduler."""

import functools
import inspect
from collections.abc import Iterable
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from snn_synth.encoding import poisson_encode, sample_keys
from snn_synth.errors import InputError
from snn_synth.learning import bptt_loss, online_step
from snn_synth.training.hparams import made_by
from snn_synth.training.loaders import ResumableLoader

Rule = Literal["bptt", "online"]

# Validation and test images are encoded by keys of their own, the same in every epoch.
HELD_OUT = -1


class LitSpiking(LightningModule):
    """Base class: trains ``network`` by one of the two rules.

    Under ``bptt``, optimization is automatic. Under ``online``, the optimizer steps at every time step, so Lightning's
    ``global_step`` counts T per batch; loggers and schedulers count batches.

    Args:
        rule: ``bptt`` or ``online`` (the paper's).
        num_steps: T.
        max_rate: probability of an input spike per step for a value of 1.
        mask: False trains on the error of every output neuron (the paper's figure 4A).
        fresh_moments: under ``online``, forget the optimizer's state at each batch, as the paper does.
        seed: of the input spikes, which are a function of (seed, epoch, sample).
        optimizer: makes the optimizer of the parameters; AdamW if not given.
        lr_scheduler: makes the scheduler of the optimizer, stepped once per batch; ``total_steps`` is filled in if it
            takes that.

    Raises:
        InputError: for an unknown rule, ``num_steps < 1`` or ``max_rate`` outside (0, 1].
    """

    network: nn.Module

    def __init__(
        self,
        rule: Rule = "bptt",
        num_steps: int = 15,
        max_rate: float = 1.0,
        mask: bool = True,
        fresh_moments: bool = True,
        seed: int = 0,
        optimizer: OptimizerCallable | None = None,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        """Check and keep the settings."""
        if rule not in ("bptt", "online"):
            raise InputError(f"Expected `rule` to be 'bptt' or 'online', got {rule!r}")
        if num_steps < 1:
            raise InputError(f"Expected `num_steps` to be at least 1, got {num_steps}")
        if not 0 < max_rate <= 1:
            raise InputError(f"Expected `max_rate` in (0, 1], got {max_rate}")
        super().__init__()
        self.rule, self.num_steps, self.max_rate, self.mask = rule, num_steps, max_rate, mask
        self.fresh_moments, self.seed = fresh_moments, seed
        self.optimizer, self.lr_scheduler = optimizer, lr_scheduler
        self.automatic_optimization = rule == "bptt"

    def encode(self, values: Tensor, index: Tensor, epoch: int) -> Tensor:
        """Poisson spikes ``[T, B, N]`` of values ``[B, ...]``, by the keys (seed, epoch, index)."""
        keys = sample_keys(self.seed, epoch, index)
        return poisson_encode(values.flatten(1), self.num_steps, self.max_rate, keys=keys)

    def learn(self, spikes: Tensor, targets: Tensor) -> Tensor:
        """One batch by the rule; returns the loss, which Lightning minimizes under ``bptt``."""
        if self.rule == "bptt":
            loss = bptt_loss(self.network, spikes, targets, self.mask)
        else:
            optimizer = self.optimizers()
            loss = online_step(
                self.network,
                spikes,
                targets,
                optimizer,
                self.fresh_moments,
                self.mask,
                backward=self.manual_backward,
            )
            schedulers = self.lr_schedulers()
            if schedulers is not None:
                schedulers.step()  # type: ignore[union-attr]
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def on_train_start(self) -> None:
        """Go on at the checkpoint's batch: Lightning forgets to once a scheduler has asked for the number of steps."""
        progress, loader = self.trainer.fit_loop.epoch_loop.batch_progress, self.trainer.train_dataloader
        if isinstance(loader, ResumableLoader):
            loader.load_state_dict({"batches": 0 if progress.is_last_batch else progress.current.ready})

    def configure_optimizers(self) -> Any:
        """The optimizer, and the scheduler stepped once per batch."""
        return make_optimizers(self, self.network.parameters(), self.optimizer, self.lr_scheduler)


def make_optimizers(
    module: LightningModule,
    parameters: Iterable[nn.Parameter],
    make_optimizer: OptimizerCallable | None,
    make_scheduler: LRSchedulerCallable | None,
) -> Any:
    """What ``configure_optimizers`` returns for a call-ready optimizer and scheduler."""
    # Not the default argument: LightningCLI would pass AdamW's weight decay on to any other optimizer named in YAML.
    optimizer = (make_optimizer or torch.optim.AdamW)(parameters)
    if make_scheduler is None:
        return optimizer
    given = getattr(make_scheduler, "keywords", {})
    cls = made_by(make_scheduler)
    if cls and "total_steps" in inspect.signature(cls).parameters and not given.get("total_steps"):  # OneCycleLR, say
        steps = int(module.trainer.estimated_stepping_batches)
        make_scheduler = functools.partial(make_scheduler, total_steps=steps)  # type: ignore[call-arg]
    return {
        "optimizer": optimizer,
        "lr_scheduler": {"scheduler": make_scheduler(optimizer), "interval": "step"},
    }
