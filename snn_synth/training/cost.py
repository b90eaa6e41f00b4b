"""The cost of an inference, logged while a network is trained."""

import functools
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from snn_synth.evaluation import LayerCosts, layer_costs, total_cost
from snn_synth.training.firing import given_layers


class InferenceCost(Callback):
    """Logs after each validation what one sample takes: the numbers of ``snn-synth energy``.

    ``inference/<layer>/spikes``, ``.../operations`` (synaptic), ``.../updates`` (of membranes) and ``.../macs`` (of a
    conventional network of this size), their sums ``inference/spikes``, ..., and ``inference/energy`` and
    ``inference/conventional_energy`` in nanojoules (:func:`snn_synth.evaluation.energy`). Layers are taken as fully
    connected unless the validation gives their ``fan_out``, for each layer but the last.

    Raises:
        InputError: at the first validation, for a module that gives no ``spikes``.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> trainer = Trainer(callbacks=[InferenceCost()], logger=False)
    """

    def __init__(self) -> None:
        """Start from nothing."""
        super().__init__()
        self.sums: LayerCosts = {}
        self.samples = 0

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the validation before."""
        self.sums, self.samples = {}, 0

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
        samples = next(iter(layers.values())).shape[1]
        for name, cost in layer_costs(layers, fan_outs).items():
            sums = self.sums.setdefault(name, dict.fromkeys(cost, 0.0))
            for key, value in cost.items():
                sums[key] += samples * value
        self.samples += samples

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the means over the samples of all processes."""
        sum_up = functools.partial(trainer.strategy.reduce, reduce_op="sum")
        counted = [float(self.samples), *(value for cost in self.sums.values() for value in cost.values())]
        samples, *values = sum_up(torch.tensor(counted, device=pl_module.device)).tolist()
        means = iter(value / samples for value in values)
        costs = {name: {key: next(means) for key in cost} for name, cost in self.sums.items()}
        for name, cost in costs.items():
            for key in ("spikes", "operations", "updates", "macs"):
                pl_module.log(f"inference/{name}/{key}", cost[key])
        for key, value in total_cost(costs).items():
            if key != "neurons":
                pl_module.log(f"inference/{key}", value)
