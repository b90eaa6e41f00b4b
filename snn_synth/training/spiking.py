"""What the LightningModules of spiking networks share: input spikes, and the two rules."""

from typing import Any, ClassVar, Literal, get_args

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from snn_synth import kernels
from snn_synth.encoding import sample_keys
from snn_synth.errors import InputError
from snn_synth.functional import rate_loss
from snn_synth.functional.encoding import RateCode, check_code
from snn_synth.kernels import Precision, Traces
from snn_synth.learning import bptt_loss, online_step
from snn_synth.learning.finite import check_forward, readable
from snn_synth.neurons import SigmoidLeaky
from snn_synth.training.base import LitModule
from snn_synth.training.manual import Uncounted, unwatched
from snn_synth.training.parameter_groups import check_share, with_share
from snn_synth.training.schedulers import Interval, step_schedulers

Rule = Literal["bptt", "online"]
Loss = Literal["membrane", "rate"]


class LitSpiking(LitModule):
    """Base class: trains ``network`` by one of the two rules.

    Under ``bptt``, optimization is automatic. Under ``online`` it is manual, with an update at every time step.

    Args:
        rule: ``bptt`` or ``online`` (the paper's).
        num_steps: T; that of the data, where the data gives spikes, as :class:`~snn_synth.training.NMNISTData` does.
        max_rate: probability of an input spike per step for a value of 1.
        code: how rates become the network's input spikes: ``poisson``, ``low-discrepancy`` or ``even``
            (:mod:`snn_synth.encoding`); hidden spikes that an audiocoder learns are those of Poisson spikes always.
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
    of_encoding: ClassVar[dict[str, Any]] = {"code": "poisson", "max_rate": 1.0}
    """Settings of how values become spikes: the only ones that data which gives spikes may come with."""

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
        check_share("neuron_share", neuron_share)
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
        return with_share(network, numbers, self.neuron_share, weight_decay=0.0)

    def encode(self, values: Tensor, index: Tensor, epoch: int, num_steps: int | None = None) -> Tensor:
        """Spikes ``[T, B, N]`` of values ``[B, ...]``, by the keys (seed, epoch, index)."""
        keys = sample_keys(self.seed, epoch, index)
        steps = num_steps or self.num_steps
        return kernels.encode(values.flatten(1), steps, self.max_rate, keys=keys, code=self.code)

    def setup(self, stage: str) -> None:
        """Refuse settings that have no use where the data gives spikes, before anything is learned."""
        super().setup(stage)
        data: Any = getattr(self.trainer, "datamodule", None)
        if not getattr(data, "gives_spikes", False):
            return
        for name, value in self.of_encoding.items():
            if getattr(self, name) != value:
                raise InputError(
                    f"Expected `{name}` {value}, as {type(data).__name__} gives spikes that nothing encodes, got "
                    f"{getattr(self, name)}"
                )
        if data.num_steps != self.num_steps:
            raise InputError(
                f"Expected the same `num_steps` of model and data, whose spikes go in as they are, got "
                f"{self.num_steps} and {data.num_steps}"
            )

    def own_spikes(self, batch: Any) -> Tensor | None:
        """The spikes ``[T, B, N]`` of a batch of events, which go in as they are; None of other batches.

        Raises:
            InputError: if they have other time steps than ``num_steps``.
        """
        spikes: Tensor | None = getattr(batch, "spikes", None)
        if spikes is not None and len(spikes) != self.num_steps:
            raise InputError(f"Expected spikes of `num_steps` {self.num_steps} time steps, got {len(spikes)}")
        return spikes

    def learn(self, spikes: Tensor, targets: Tensor, network: nn.Module | None = None) -> Tensor:
        """One batch by the rule; returns the loss, which Lightning minimizes under ``bptt``.

        ``network`` shares its weights with the module's own, which learns if it is not given.
        """
        network = self.network if network is None else network
        with kernels.precision(self.precision):
            if self.loss == "rate":
                out = network(spikes)
                loss = rate_loss(out.spikes, targets)
                if readable(loss):
                    membranes = [*out.hidden_membranes, out.membrane]
                    check_forward(network, spikes, targets, membranes, loss, list(network.parameters()))
            elif self.rule == "bptt":
                loss = bptt_loss(network, spikes, targets, self.mask, self.chunk, self.truncate)
            else:
                loss = self._learn_online(network, spikes, targets)
        if self.rule == "online":
            step_schedulers(self.trainer)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def _learn_online(self, network: nn.Module, spikes: Tensor, targets: Tensor) -> Tensor:
        optimizer = Uncounted(self.optimizers(), self.trainer.strategy, counted=len(spikes))
        settings = self.fresh_moments, self.mask
        if not unwatched(self, LitSpiking):
            return online_step(network, spikes, targets, optimizer, *settings, self.manual_backward, self.traces)
        with optimizer.as_one_step() as plain:
            return online_step(network, spikes, targets, plain, *settings, traces=self.traces)
