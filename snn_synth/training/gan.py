"""Training a Spiking-GAN."""

from typing import Any, Literal, get_args

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from snn_synth.errors import InputError
from snn_synth.functional import (
    class_energy_distance,
    homeostatic_loss,
    matching_loss,
    normalize_gradient,
    normalized_timing_loss,
    relative_targets,
    softmax_timing_loss,
)
from snn_synth.functional.matching import class_sums
from snn_synth.metrics import Mean
from snn_synth.models import SpikingGAN
from snn_synth.models.first_spike import FirstSpikeOutput
from snn_synth.training.base import HELD_OUT, LitModule, batch_generator
from snn_synth.training.checks import check_unused_parameters
from snn_synth.training.loaders import ImageBatch
from snn_synth.training.manual import Uncounted
from snn_synth.training.schedulers import step_schedulers

TimingLoss = Literal["softmax", "relative"]
GOALS = (0.75, 0.5)  # shares of T around which homeostasis keeps hidden neurons, and the discriminator's outputs
MARGIN = 1 / 8  # of T: between the right output and the others; also the softmax's temperature


class LitSpikingGAN(LitModule):
    r"""Trains generator and discriminator of a Spiking-GAN in turn, under manual optimization.

    The discriminator learns to let the output of an image's class fire first, and of a drawn image the last output. The
    generator learns that the class it was asked for fires first, and that its images are distributed as those of that
    class are, or have their means:

    .. math:: L_G = L(D(G(z)), c) + \eta\,D(G(z), x) + \lambda \frac{1}{2C} \sum_c \lVert \bar f_c - m_c \rVert^2,
        \qquad f(x) = (x, x^2)

    with D of two arguments the :func:`~snn_synth.functional.class_energy_distance` of drawn images and real ones, and
    :math:`m_c` the means of all training images so far. The error that comes from the discriminator has the same
    length for every drawn image.

    Logs ``train/loss`` (the discriminator's), ``train/generator``; ``val/fooled`` and ``test/fooled``, the share of
    drawn images that the discriminator takes for their class; ``.../named``, the share of real ones.

    Args:
        network: both networks.
        loss: of the first spikes: ``softmax``, of their times, or ``relative``, S4NN's relative targets.
        advance: with ``relative``, steps by which the right output is always pulled earlier: 0 is the ordinary loss,
            above 0 the aggressive one, see :func:`~snn_synth.functional.relative_targets`.
        matching: :math:`\lambda`.
        adversarial: weight of the discriminator's loss; 0 leaves only the feature matching.
        homeostasis: see :func:`~snn_synth.functional.homeostatic_loss`.
        seed: of the noise.
        energy: :math:`\eta`, of the energy distance within the classes.
        repulsion: of that distance, see :func:`~snn_synth.functional.class_energy_distance`.
        optimizer: makes the optimizer of each network; AdamW if not given.
        lr_scheduler: makes the scheduler of each, stepped once per batch.

    Raises:
        InputError: for an unknown loss, weights below 0, an ``advance`` without ``relative``, or several processes by a
            strategy that expects all weights in each update.

    Source:
        Kotariya & Ganguly 2021, of which only abstract and introduction could be read: the losses' formulas, classes,
        matching, energy distance and homeostasis are our reconstruction.

    Example:
        >>> LitSpikingGAN(SpikingGAN(side=4, hidden=8)).hparams["matching"]
        200.0
    """

    network: SpikingGAN

    def __init__(
        self,
        network: SpikingGAN,
        loss: TimingLoss = "softmax",
        advance: float = 0.0,
        matching: float = 200.0,
        adversarial: float = 1.0,
        homeostasis: float = 0.03,
        seed: int = 0,
        energy: float = 0.0,
        repulsion: float = 1.0,
        optimizer: OptimizerCallable | None = None,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        """Check and keep the settings."""
        if loss not in get_args(TimingLoss):
            raise InputError(f"Expected `loss` of {list(get_args(TimingLoss))}, got {loss!r}")
        if min(advance, matching, adversarial, homeostasis, energy, repulsion) < 0:
            raise InputError(
                "Expected `advance`, `matching`, `adversarial`, `homeostasis`, `energy` and `repulsion` of at least 0, "
                f"got {advance}, {matching}, {adversarial}, {homeostasis}, {energy} and {repulsion}"
            )
        if advance and loss != "relative":
            raise InputError(f"Expected `advance` with the loss 'relative' alone, got {advance} with {loss!r}")
        super().__init__(optimizer, lr_scheduler)
        self.automatic_optimization = False
        self.network, self.loss, self.advance = network, loss, advance
        self.matching, self.adversarial, self.homeostasis, self.seed = matching, adversarial, homeostasis, seed
        self.energy, self.repulsion = energy, repulsion
        self.sums: Tensor = nn.Buffer(torch.zeros(network.classes, 2 * network.side**2))
        self.counts: Tensor = nn.Buffer(torch.zeros(network.classes))
        for stage in ("val", "test"):
            for name in ("fooled", "named"):
                setattr(self, f"{stage}_{name}", Mean())

    @property
    def needs_labels(self) -> bool:
        """Whether there are classes to draw."""
        return self.network.classes > 1

    def configure_optimizers(self) -> Any:
        """An optimizer and a scheduler for each network, the discriminator's first."""
        made = [self.optimizer_of(part) for part in (self.network.discriminator, self.network.generator)]
        schedulers = [] if self.lr_scheduler is None else [one["lr_scheduler"] for one in made]
        return [one["optimizer"] for one in made], schedulers

    def on_fit_start(self) -> None:
        """Check that several processes may leave out the weights of one network."""
        check_unused_parameters(self.trainer, "an update of one network leaves the other's weights out")

    def training_step(self, batch: ImageBatch, batch_idx: int) -> None:
        """An update of the discriminator, then one of the generator."""
        gan, classes = self.network, self.network.classes
        labels = self._labels(batch)
        generator = batch_generator(batch.index, self.seed, self.current_epoch, labels.device)
        real = gan.encode(batch.images)
        self._count(real, labels)
        optimizers: Any = self.optimizers()
        by_discriminator, by_generator = Uncounted(optimizers[0], self.trainer.strategy), optimizers[1]

        with torch.no_grad():
            drawn = gan.generate(gan.noise(labels, generator)).times
        out = gan.discriminate(torch.cat([real, drawn]))
        wanted = torch.cat([labels, torch.full_like(labels, classes)])
        discriminator_loss = 2 * self._error(out.times, wanted)
        self._step(by_discriminator, discriminator_loss + self._balance(out, gan.discriminator, GOALS))

        made = gan.generate(gan.noise(labels, generator))
        loss = self._alike(made.times, labels) + self._balance(made, gan.generator, GOALS[:1])
        if self.energy:
            pixels = self._pixels(made.times), self._pixels(real)
            loss = loss + self.energy * class_energy_distance(*pixels, labels, self.repulsion)
        if self.adversarial:
            seen = gan.discriminate(normalize_gradient(made.times)).times
            loss = loss + self.adversarial * self._error(seen, labels)
        self._step(by_generator, loss)
        step_schedulers(self.trainer)
        self.log("train/loss", discriminator_loss, prog_bar=True)
        self.log("train/generator", loss, prog_bar=True)

    def _step(self, optimizer: Any, loss: Tensor) -> None:
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()

    def _error(self, times: Tensor, labels: Tensor) -> Tensor:
        steps = self.network.num_steps
        if self.loss == "softmax":
            return softmax_timing_loss(times, labels, MARGIN * steps)
        targets = relative_targets(times.detach(), labels, MARGIN * steps, self.advance, steps)
        return normalized_timing_loss(times, targets, steps, least=MARGIN * steps)

    def _balance(self, out: FirstSpikeOutput, layers: nn.Sequential, goals: tuple[float, ...]) -> Tensor:
        total, steps = out.times.new_zeros(()), self.network.num_steps
        for times, weight, goal in zip((out.hidden, out.times), layers.parameters(), goals, strict=False):
            total = total + homeostatic_loss(times, weight, goal, steps)
        return self.homeostasis * total

    def _pixels(self, times: Tensor) -> Tensor:
        return 1 - times / self.network.num_steps

    def _features(self, times: Tensor) -> Tensor:
        pixels = self._pixels(times)
        return torch.cat([pixels, pixels.square()], 1)

    def _count(self, real: Tensor, labels: Tensor) -> None:
        found = class_sums(self._features(real), labels, self.network.classes)
        for total, here in zip((self.sums, self.counts), found, strict=True):
            total += self.trainer.strategy.reduce(here, reduce_op="sum")  # of all processes

    def _alike(self, drawn: Tensor, labels: Tensor) -> Tensor:
        means = self.sums / self.counts.clamp(min=1)[:, None]
        return self.matching * matching_loss(self._features(drawn), labels, means, self.counts)

    def validation_step(self, batch: ImageBatch, batch_idx: int) -> dict[str, Any]:
        """Measure, and hand the spikes' steps to the callbacks."""
        return self._measure("val", batch)

    def test_step(self, batch: ImageBatch, batch_idx: int) -> dict[str, Any]:
        """Measure."""
        return self._measure("test", batch)

    def predict_step(self, batch: ImageBatch, batch_idx: int = 0) -> Tensor:
        """New images of the batch's classes, ``[B, 1, side, side]`` in [0, 1]."""
        return self.network.images(self._draw(batch).times)

    def _labels(self, batch: ImageBatch) -> Tensor:
        return batch.labels if self.network.classes > 1 else torch.zeros_like(batch.labels)

    def _draw(self, batch: ImageBatch) -> FirstSpikeOutput:
        labels = self._labels(batch)
        generator = batch_generator(batch.index, self.seed, HELD_OUT, labels.device)
        return self.network.generate(self.network.noise(labels, generator))

    def _measure(self, stage: str, batch: ImageBatch) -> dict[str, Any]:
        gan, labels, drawn = self.network, self._labels(batch), self._draw(batch)
        images = gan.images(drawn.times)
        for name, shown in (("fooled", images), ("named", batch.images)):
            metric: Mean = getattr(self, f"{stage}_{name}")
            metric.update((gan.discriminate(gan.encode(shown)).labels == labels).float())
            self.log(f"{stage}/{name}", metric, prog_bar=True)
        return {"times": {"noise": drawn.inputs, "hidden": drawn.hidden, "pixels": drawn.times}}
