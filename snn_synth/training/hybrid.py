"""Training a hybrid variational autoencoder."""

from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torchmetrics import Metric

from snn_synth.encoding import latency_encode, poisson_encode, sample_keys
from snn_synth.errors import InputError
from snn_synth.functional import pixel_mse, score_function_loss
from snn_synth.metrics import Mean
from snn_synth.models import HybridOutput, HybridVAE
from snn_synth.training.base import HELD_OUT, LitModule, batch_generator
from snn_synth.training.events import EventBatch
from snn_synth.training.loaders import ImageBatch
from snn_synth.training.parameter_groups import check_share

Encoding = Literal["rate", "time", "events"]


class LitHybridVAE(LitModule):
    r"""Trains a hybrid variational autoencoder by the directed information bottleneck.

    .. math:: \mathcal L = \mathbb E_{z \sim p(z \| x)} \Bigl[ -\log q(x \mid z)
        + \frac{\beta}{T N} \sum_{t,i} \log \frac{p(z_i[t] \mid x_{\le t}, z_{<t})}{r(z_i[t])} \Bigr]

    with :math:`-\log q` the mean cross-entropy of the pixels. The decoder learns by its gradient, the encoder by the
    score function, with a baseline from the same image's other draws
    (:func:`~snn_synth.functional.score_function_loss`). Hidden neurons learn through the surrogate derivative of their
    spikes.

    Logs ``train/loss``; ``val/loss`` and ``test/loss``, the cross-entropy; ``.../pixel_mse``, the mean square error of
    the pixels in [0, 1]; ``.../rate``, the share of the code that fires.

    Args:
        network: the autoencoder.
        encoding: of the pixels: ``rate``, random spikes at each step, or ``time``, one spike, the earlier the
            brighter. With ``events`` the batch brings its spikes.
        beta: :math:`\beta`.
        reference_rate: of the reference r, which fires at random.
        draws: codes of each training image, at least 2.
        encoder_share: learning rate of the encoder, whose gradient is noisy, as a share of the decoder's.
        seed: of the input spikes and of the codes.
        optimizer: makes the optimizer of the parameters; AdamW if not given.
        lr_scheduler: makes the scheduler, stepped once per batch.

    Raises:
        InputError: for an unknown encoding, a negative beta, a reference rate outside (0, 1), fewer than two draws, or
            no share for the encoder.

    Source:
        Skatchkovsky, Simeone & Jang 2021; the baseline, and surrogate gradients instead of direct feedback alignment,
        are ours.

    Example:
        >>> module = LitHybridVAE(HybridVAE(num_steps=8), encoding="time")
        >>> module.hparams["encoding"]
        'time'
    """

    network: HybridVAE
    redraws = True

    def __init__(
        self,
        network: HybridVAE,
        encoding: Encoding = "rate",
        beta: float = 1e-3,
        reference_rate: float = 0.3,
        draws: int = 4,
        encoder_share: float = 0.15,
        seed: int = 0,
        optimizer: OptimizerCallable | None = None,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        """Check and keep the settings."""
        if encoding not in get_args(Encoding):
            raise InputError(f"Expected `encoding` of {list(get_args(Encoding))}, got {encoding!r}")
        check_bottleneck(beta, reference_rate, draws)
        check_share("encoder_share", encoder_share)
        super().__init__(optimizer, lr_scheduler)
        self.network = network
        self.encoding, self.beta, self.reference_rate = encoding, beta, reference_rate
        self.draws, self.encoder_share, self.seed = draws, encoder_share, seed
        for stage in ("val", "test"):
            for name in ("loss", "pixel_mse", "rate"):
                setattr(self, f"{stage}_{name}", Mean())

    def encode(self, batch: Any, epoch: int) -> Tensor:
        """Input spikes ``[T, B, inputs]``."""
        pixels, outputs = batch.images.shape[1:].numel(), self.network.decoder.outputs
        if pixels != outputs:
            raise InputError(f"Expected a network of {pixels} outputs, the images' pixels, got {outputs}")
        if self.encoding == "events":
            if not isinstance(batch, EventBatch):
                raise InputError(f"Expected batches with spikes, as of MNISTDVSData, got {type(batch).__name__}")
            return batch.spikes
        pixels, steps = batch.images.flatten(1), self.network.num_steps
        if self.encoding == "time":
            return latency_encode(pixels, steps)
        return poisson_encode(pixels, steps, keys=sample_keys(self.seed, epoch, batch.index))

    def parameter_groups(self, network: nn.Module) -> Any:
        """Decoder and encoder."""
        assert isinstance(network, HybridVAE)
        encoder = [*network.hidden.parameters(), *network.readout.parameters()]
        return [{"params": network.decoder.parameters()}, {"params": encoder, "share": self.encoder_share}]

    def training_step(self, batch: ImageBatch, batch_idx: int) -> Tensor:
        """The loss of the decoder, and what estimates the encoder's gradient."""
        spikes = self.encode(batch, self.current_epoch)
        generator = batch_generator(batch.index, self.seed, self.current_epoch, spikes.device)
        code, logits, hidden = self.network.encode(spikes, generator, self.draws)
        out = HybridOutput(self.network.decoder(code.requires_grad_()), code, logits, hidden)
        wrong = cross_entropy(out.pixels, batch.images.repeat(self.draws, 1, 1, 1))
        (slopes,) = torch.autograd.grad(wrong.sum(), code, retain_graph=True)
        losses = wrong.detach() + self.beta * out.information(self.reference_rate).detach()
        shape = (len(code), self.draws, len(batch.index), -1)
        by_draw = [of.view(shape) for of in (slopes, logits, code.detach())]
        encoder = score_function_loss(losses.view(self.draws, -1), *by_draw)
        self.log("train/loss", losses.mean(), prog_bar=True)
        return wrong.mean() + encoder

    def validation_step(self, batch: ImageBatch, batch_idx: int) -> dict[str, Any]:
        """Measure, and hand spikes and images to the callbacks."""
        return self._measure("val", batch)

    def test_step(self, batch: ImageBatch, batch_idx: int) -> dict[str, Any]:
        """Measure, and hand spikes and images to the callbacks."""
        return self._measure("test", batch)

    def predict_step(self, batch: ImageBatch, batch_idx: int = 0) -> Tensor:
        """Reconstructed images, ``[B, 1, H, W]`` in [0, 1]."""
        pixels: Tensor = self._draw(batch)[1].pixels
        return pixels.sigmoid().reshape(batch.images.shape)

    def _draw(self, batch: ImageBatch) -> tuple[Tensor, HybridOutput]:
        """Input spikes and output, always by the same random numbers."""
        spikes = self.encode(batch, HELD_OUT)
        return spikes, self.network(spikes, batch_generator(batch.index, self.seed, HELD_OUT, spikes.device))

    def _measure(self, stage: str, batch: ImageBatch) -> dict[str, Any]:
        spikes, out = self._draw(batch)
        images = out.pixels.sigmoid().reshape(batch.images.shape)
        measured = {
            "loss": cross_entropy(out.pixels, batch.images),
            "pixel_mse": pixel_mse(images, batch.images),
            "rate": out.code.mean((0, 2)),
        }
        for name, values in measured.items():
            metric: Metric = getattr(self, f"{stage}_{name}")
            metric.update(values)
            self.log(f"{stage}/{name}", metric, prog_bar=name == "pixel_mse")
        return {
            "spikes": {"input": spikes, "hidden": out.hidden, "code": out.code},
            "images": images,
            "targets": batch.images,
        }


def cross_entropy(logits: Tensor, images: Tensor) -> Tensor:
    r"""Mean over the pixels of each image, :math:`-x \log \sigma(u) - (1 - x) \log \sigma(-u)`.

    Shape:
        ``logits``: ``[B, N]``; ``images``: ``[B, ...]`` with N pixels; the result ``[B]``.

    Example:
        >>> cross_entropy(torch.zeros(1, 2), torch.tensor([[0.0, 1.0]]))
        tensor([0.6931])
    """
    return F.binary_cross_entropy_with_logits(logits, images.flatten(1), reduction="none").mean(1)


def check_bottleneck(beta: float, reference_rate: float, draws: int) -> None:
    """Raise InputError unless beta is not negative, the rate in (0, 1), and there are two draws or more."""
    if not beta >= 0:
        raise InputError(f"Expected `beta` to be at least 0, got {beta}")
    if not 0 < reference_rate < 1:
        raise InputError(f"Expected `reference_rate` in (0, 1), got {reference_rate}")
    if draws < 2:
        raise InputError(f"Expected `draws` to be at least 2, got {draws}")
