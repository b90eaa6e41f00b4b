"""Callbacks on how much each layer fires: statistics, and warnings about silent or saturated layers."""

import functools
from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from snn_synth.metrics import synaptic_operations
from snn_synth.training.callbacks import given, never


def given_layers(
    callback: Callback, pl_module: LightningModule, outputs: Any
) -> tuple[dict[str, Tensor], Sequence[int | Tensor]]:
    """Spikes of each layer by name, and how many neurons a spike of each but the last reaches, all if not given."""
    layers: dict[str, Tensor] = given(callback, pl_module, outputs, "spikes")
    return layers, outputs.get("fan_out") or [spikes.shape[-1] for spikes in list(layers.values())[1:]]


class SpikeStatistics(Callback):
    """Logs, for each layer of a validated network, how much it fires and what that costs.

    ``spikes/<layer>/rate`` (spikes per neuron and step), ``spikes/<layer>/silent`` and ``.../saturated`` (shares of
    neurons that never or always fire), and ``spikes/synaptic_operations`` (per sample, all layers together). Layers are
    taken as fully connected unless the validation gives their ``fan_out``, for each layer but the last.

    Example:
        >>> trainer = Trainer(callbacks=[SpikeStatistics()], logger=False)
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
        layers, fan_outs = given_layers(self, pl_module, outputs)
        for name, spikes in layers.items():
            self.fired[name] = self.fired.get(name, 0) + spikes.sum((0, 1))
        self.steps, samples = spikes.shape[:2]
        self.samples += samples
        operations = [synaptic_operations(*pair) for pair in zip(list(layers.values())[:-1], fan_outs, strict=True)]
        self.operations += sum(operations) * samples

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

    Example:
        >>> trainer = Trainer(callbacks=[LayerWarning(silent=1e-3)], logger=False)
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
            fires = (times.isfinite() & (times != never(pl_module))).float().mean()
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
