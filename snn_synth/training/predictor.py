"""Training a hybrid network that predicts spikes."""

from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor
from torchmetrics import Metric

from snn_synth.errors import InputError
from snn_synth.functional import score_function_loss
from snn_synth.metrics import Mean
from snn_synth.models import HybridPredictor, PredictorOutput
from snn_synth.training.base import HELD_OUT, LitModule, batch_generator
from snn_synth.training.hybrid import check_bottleneck
from snn_synth.training.sequences import DriftingBlobsData, SequenceBatch


class LitHybridPredictor(LitModule):
    r"""Trains a network to tell at each step which inputs fire some steps later, or fired some steps before.

    .. math:: \mathcal L = \mathbb E_{z \sim p(z \| x)} \frac1T \sum_t \Bigl[ -\log q(y[t] \mid z[t-w+1], \dots, z[t])
        + \frac{\beta}{N} \sum_i \log \frac{p(z_i[t] \mid x_{\le t}, z_{<t})}{r(z_i[t])} \Bigr]

    The decoder learns by its gradient, the encoder by the score function. What is drawn at step t answers for the w
    losses that read it; what it does to later ones through the neurons' own feedback is left out.

    Logs ``train/loss``; ``val/loss`` and ``test/loss``, the decoder's cross-entropy; ``.../accuracy``;
    ``.../rate``, the share of the code that fires.

    Args:
        network: the predictor.
        beta: :math:`\beta`.
        reference_rate: of the reference r, which fires at random.
        draws: codes of each training sequence, at least 2.
        seed: of the codes.
        optimizer: makes the optimizer of the parameters; AdamW if not given.
        lr_scheduler: makes the scheduler, stepped once per batch.

    Raises:
        InputError: for a network that does not fit the data, a negative beta, a reference rate outside (0, 1), or fewer
            than two draws.

    Source:
        Skatchkovsky, Simeone & Jang 2021 (predictive coding); the baseline of the score function is ours.

    Example:
        >>> LitHybridPredictor(HybridPredictor()).hparams["reference_rate"]
        0.2
    """

    network: HybridPredictor
    batch_kind = SequenceBatch

    def __init__(
        self,
        network: HybridPredictor,
        beta: float = 1e-2,
        reference_rate: float = 0.2,
        draws: int = 2,
        seed: int = 0,
        optimizer: OptimizerCallable | None = None,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        """Check and keep the settings."""
        check_bottleneck(beta, reference_rate, draws)
        super().__init__(optimizer, lr_scheduler)
        self.network = network
        self.beta, self.reference_rate, self.draws, self.seed = beta, reference_rate, draws, seed
        for stage in ("val", "test"):
            for name in ("loss", "accuracy", "rate"):
                setattr(self, f"{stage}_{name}", Mean())

    def setup(self, stage: str) -> None:
        """Check that the decoder can tell all pairs of the data's neurons apart."""
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        if isinstance(data, DriftingBlobsData):
            expected, found = (data.neurons, data.pairs), (self.network.inputs, self.network.decoder.outputs)
            if expected != found:
                raise InputError(
                    f"Expected a network of {expected[0]} inputs and {expected[1]} outputs, the data's neurons and "
                    f"their pairs, got {found[0]} and {found[1]}"
                )

    def training_step(self, batch: SequenceBatch, batch_idx: int) -> Tensor:
        """The loss of the decoder, and what estimates the encoder's gradient."""
        generator = batch_generator(batch.index, self.seed, self.current_epoch, batch.spikes.device)
        code, logits = self.network.encode(batch.spikes, generator, self.draws)
        out = PredictorOutput(self.network.decode(code.requires_grad_()), code, logits)
        wrong = self._wrong(out, batch.targets.repeat(1, self.draws))
        (slopes,) = torch.autograd.grad(wrong.sum(), code, retain_graph=True)
        wrong = F.pad(wrong, (0, 0, self.network.window - 1, 0))  # [T, draws * B]
        losses = wrong.detach() + self.beta * out.information(self.reference_rate).detach()
        blamed = losses_ahead(losses, self.network.window)
        # Each step is a sample of its own: [draws, T * B], and [1, draws, T * B, N].
        steps = (len(losses), self.draws, len(batch.index))
        blamed = blamed.view(steps).transpose(0, 1).flatten(1)
        by_draw = [of.view(*steps, -1).transpose(0, 1).flatten(1, 2)[None] for of in (slopes, logits, code.detach())]
        encoder = score_function_loss(blamed, *by_draw)
        self.log("train/loss", losses.mean(), prog_bar=True)
        return wrong.mean() + encoder

    def validation_step(self, batch: SequenceBatch, batch_idx: int) -> dict[str, Any]:
        """Measure, and hand the spikes to the callbacks."""
        return self._measure("val", batch)

    def test_step(self, batch: SequenceBatch, batch_idx: int) -> dict[str, Any]:
        """Measure, and hand the spikes to the callbacks."""
        return self._measure("test", batch)

    def predict_step(self, batch: SequenceBatch, batch_idx: int = 0) -> Tensor:
        """The most probable configuration at each step from the first full window on, ``[B, T - window + 1]``."""
        return self._draw(batch).scores.argmax(2).T

    def _wrong(self, out: PredictorOutput, targets: Tensor) -> Tensor:
        """Cross-entropy of each full window, ``[T - window + 1, B]``."""
        told = targets[self.network.window - 1 :]
        return F.cross_entropy(out.scores.flatten(0, 1), told.flatten(), reduction="none").view(told.shape)

    def _draw(self, batch: SequenceBatch) -> PredictorOutput:
        """The output, always by the same random numbers."""
        generator = batch_generator(batch.index, self.seed, HELD_OUT, batch.spikes.device)
        out: PredictorOutput = self.network(batch.spikes, generator)
        return out

    def _measure(self, stage: str, batch: SequenceBatch) -> dict[str, Any]:
        out = self._draw(batch)
        right = out.scores.argmax(2) == batch.targets[self.network.window - 1 :]
        measured = {
            "loss": self._wrong(out, batch.targets).mean(0),
            "accuracy": right.float().mean(0),
            "rate": out.code.mean((0, 2)),
        }
        for name, values in measured.items():
            metric: Metric = getattr(self, f"{stage}_{name}")
            metric.update(values)
            self.log(f"{stage}/{name}", metric, prog_bar=name == "accuracy")
        return {"spikes": {"input": batch.spikes, "code": out.code}}


def losses_ahead(losses: Tensor, window: int) -> Tensor:
    r"""Sum of the losses that read what is drawn at each step, :math:`\sum_{k=0}^{w-1} \ell[t+k]`.

    Shape:
        ``[T, B]``; the result has it too.

    Example:
        >>> losses_ahead(torch.tensor([[1.0], [10.0], [100.0]]), 2).flatten()
        tensor([ 11., 110., 100.])
    """
    return F.pad(losses, (0, 0, 0, window - 1)).unfold(0, window, 1).sum(2)
