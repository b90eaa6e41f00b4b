"""What the LightningModules share: optimizer and scheduler from outside, and for spiking networks the two rules."""

import functools
from typing import Any, ClassVar, Literal, get_args

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor, nn

from snn_synth import kernels
from snn_synth.encoding import sample_keys
from snn_synth.errors import InputError
from snn_synth.functional import rate_loss
from snn_synth.functional.encoding import RateCode, check_code
from snn_synth.kernels import Precision, Traces
from snn_synth.keys import former
from snn_synth.learning import bptt_loss, online_step
from snn_synth.learning.finite import check_forward, check_update, check_weights, readable
from snn_synth.neurons import SigmoidLeaky
from snn_synth.training.batches import as_batch
from snn_synth.training.checkpoints import keep_to_own_files
from snn_synth.training.checks import check_fit, check_images, check_monitors, check_optimizer
from snn_synth.training.hparams import Remembering
from snn_synth.training.loaders import ImageBatch, ResumableLoader
from snn_synth.training.manual import Uncounted, unwatched
from snn_synth.training.numbers import check_numbers
from snn_synth.training.resume import check_settings, follow_settings
from snn_synth.training.schedulers import Interval, at_end_of_epoch, build_scheduler, step_plateaus, step_schedulers

Rule = Literal["bptt", "online"]
Loss = Literal["membrane", "rate"]

# Validation and test images are encoded by keys of their own, the same in every epoch.
HELD_OUT = -1


def chance_of(index: Tensor, seed: int, epoch: int, device: torch.device) -> torch.Generator:
    """The randomness of a batch, by its first sample: the same after a resume, and none is hidden."""
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
        """Refuse what would fail later on: of all hooks of a run, this one is the first."""
        if self.trainer.state.fn == TrainerFn.FITTING:
            check_fit(self.trainer, self)
        return []

    def setup(self, stage: str) -> None:
        """Refuse images that are not what the network takes, before anything is learned."""
        if self.batch_kind is ImageBatch:
            check_images(getattr(self.trainer, "datamodule", None), self.network)

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
        scheduler = build_scheduler(self.lr_scheduler, optimizer, self.lr_interval, self.trainer)
        if not self.automatic_optimization:
            scheduler.pop("monitor", None)  # the scheduler itself says it; Lightning warns that it would be ignored
        return {"optimizer": optimizer, "lr_scheduler": scheduler}

    def _clips_in_mixed_precision(self) -> bool:
        trainer = self._trainer
        return trainer is not None and bool(trainer.gradient_clip_val) and str(trainer.precision).endswith("-mixed")


class LitSpiking(LitModule):
    """Base class: trains ``network`` by one of the two rules.

    Under ``bptt``, optimization is automatic. Under ``online`` it is manual, with an update at every time step.

    Args:
        rule: ``bptt`` or ``online`` (the paper's).
        num_steps: T.
        max_rate: probability of an input spike per step for a value of 1.
        code: how rates become the network's input spikes: ``poisson``, ``low-discrepancy`` or ``even``
            (:mod:`snn_synth.encoding`); hidden maps that an audiocoder learns are of Poisson spikes always.
        loss: ``membrane``, the paper's; or, under ``bptt``, ``rate``, which fires at the targets' mean rates where
            they are uncertain (:func:`snn_synth.functional.rate_loss`).
        mask: False trains on the error of every output neuron (the paper's figure 4A).
        chunk: under ``bptt``, time steps whose activations are kept at once, to save memory; all T if not given.
        truncate: under ``bptt``, let no gradient pass from one chunk to the one before.
        precision: under ``bptt``, of products with spikes: ``float32``, or faster where the machine computes in
            bfloat16, ``mixed`` (backward only) and ``bfloat16`` (which flips spikes).
        fresh_moments: under ``online``, forget the optimizer's state at each batch, as the paper does.
        neuron_share: learning rate of leaks and thresholds that are learned, as a share of the weights'; weight decay
            does not pull at them.
        traces: under ``online``, what a trace is of: the input since the neuron's last spike (``reset``, the paper's),
            all the input so far (``leaky``), or that of the time step alone (``instant``)
            (:func:`snn_synth.learning.online_step`).
        seed: of the input spikes, which are a function of (seed, epoch, sample).
        optimizer: makes the optimizer of the parameters; AdamW if not given.
        lr_scheduler: makes the scheduler; one that takes ``total_steps`` steps after each batch, a
            ``lightning.pytorch.cli.ReduceLROnPlateau`` at the end of each epoch.
        lr_interval: when other schedulers step: after each batch (``step``), or at the end of each ``epoch``.

    Raises:
        InputError: for an unknown rule, code, loss, precision, interval or kind of traces, ``num_steps`` or ``chunk``
            below 1, ``max_rate`` outside (0, 1], a ``neuron_share`` that is not above 0, ``truncate`` without a chunk,
            a chunk with ``online``, or the loss ``rate`` with ``online``, a chunk or without the mask.
    """

    fixed: ClassVar[set[str]] = {"network", "rule"}

    def __init__(
        self,
        rule: Rule = "bptt",
        num_steps: int = 15,
        max_rate: float = 1.0,
        code: RateCode = "poisson",
        loss: Loss = "membrane",
        mask: bool = True,
        chunk: int | None = None,
        truncate: bool = False,
        precision: Precision = "float32",
        fresh_moments: bool = True,
        neuron_share: float = 1.0,
        traces: Traces = "reset",
        seed: int = 0,
        optimizer: OptimizerCallable | None = None,
        lr_scheduler: LRSchedulerCallable | None = None,
        lr_interval: Interval = "step",
    ) -> None:
        """Check and keep the settings."""
        if rule not in ("bptt", "online"):
            raise InputError(f"Expected `rule` to be 'bptt' or 'online', got {rule!r}")
        if num_steps < 1:
            raise InputError(f"Expected `num_steps` to be at least 1, got {num_steps}")
        if not 0 < max_rate <= 1:
            raise InputError(f"Expected `max_rate` in (0, 1], got {max_rate}")
        check_code(code)
        if not neuron_share > 0:
            raise InputError(f"Expected `neuron_share` above 0, got {neuron_share}")
        if precision not in get_args(Precision):
            raise InputError(f"Expected `precision` of {list(get_args(Precision))}, got {precision!r}")
        if (chunk is not None and chunk < 1) or (truncate and chunk is None):
            raise InputError(f"Expected a `chunk` of at least 1 (to truncate at), got {chunk} and truncate={truncate}")
        if rule == "online" and chunk is not None:
            raise InputError(
                "Expected `chunk` with rule 'bptt' alone, got rule='online', which keeps one step at a time"
            )
        if loss not in get_args(Loss):
            raise InputError(f"Expected `loss` of {list(get_args(Loss))}, got {loss!r}")
        if loss == "rate" and (rule == "online" or chunk is not None or not mask):
            raise InputError(
                "Expected the loss 'rate' with rule 'bptt', all time steps at once and no change of the mask, "
                f"got rule={rule!r}, chunk={chunk} and mask={mask}"
            )
        if traces not in get_args(Traces):
            raise InputError(f"Expected `traces` of {list(get_args(Traces))}, got {traces!r}")
        if lr_interval not in get_args(Interval):
            raise InputError(f"Expected `lr_interval` of {list(get_args(Interval))}, got {lr_interval!r}")
        super().__init__(optimizer, lr_scheduler)
        self.rule, self.num_steps, self.max_rate, self.loss, self.mask = rule, num_steps, max_rate, loss, mask
        self.chunk, self.truncate, self.precision, self.code = chunk, truncate, precision, code
        self.fresh_moments, self.traces, self.seed, self.lr_interval = fresh_moments, traces, seed, lr_interval
        self.neuron_share = neuron_share
        self.automatic_optimization = rule == "bptt"

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Each forward pass has been looked at, which takes less time."""

    def parameter_groups(self, network: nn.Module) -> Any:
        """Weights, and if they are learned, leaks and thresholds."""
        numbers = [p for m in network.modules() if isinstance(m, SigmoidLeaky) for p in m.parameters()]
        if not numbers:
            return network.parameters()
        learned = set(numbers)  # of the tensors themselves, not their values
        weights = [p for p in network.parameters() if p not in learned]
        return [{"params": weights}, {"params": numbers, "share": self.neuron_share, "weight_decay": 0.0}]

    def encode(self, values: Tensor, index: Tensor, epoch: int, num_steps: int | None = None) -> Tensor:
        """Spikes ``[T, B, N]`` of values ``[B, ...]``, by the keys (seed, epoch, index)."""
        keys = sample_keys(self.seed, epoch, index)
        steps = num_steps or self.num_steps
        return kernels.encode(values.flatten(1), steps, self.max_rate, keys=keys, code=self.code)

    def learn(self, spikes: Tensor, targets: Tensor) -> Tensor:
        """One batch by the rule; returns the loss, which Lightning minimizes under ``bptt``."""
        with kernels.precision(self.precision):
            if self.loss == "rate":
                out = self.network(spikes)
                loss = rate_loss(out.spikes, targets)
                if readable(loss):
                    check_forward(self.network, spikes, targets, [*out.hidden_membranes, out.membrane], loss)
            elif self.rule == "bptt":
                loss = bptt_loss(self.network, spikes, targets, self.mask, self.chunk, self.truncate)
            else:
                loss = self._learn_online(spikes, targets)
        if self.rule == "online":
            step_schedulers(self.trainer)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def _learn_online(self, spikes: Tensor, targets: Tensor) -> Tensor:
        optimizer = Uncounted(self.optimizers(), self.trainer.strategy, counted=len(spikes))
        settings = self.fresh_moments, self.mask
        if not unwatched(self, LitSpiking):
            return online_step(self.network, spikes, targets, optimizer, *settings, self.manual_backward, self.traces)
        with optimizer.as_one_step() as plain:
            return online_step(self.network, spikes, targets, plain, *settings, traces=self.traces)
