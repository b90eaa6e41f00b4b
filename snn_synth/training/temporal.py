"""Training a temporal coding autoencoder."""

import math
from typing import Any

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torchmetrics import Metric

from snn_synth.encoding import sample_keys, spike_times
from snn_synth.errors import InputError
from snn_synth.functional import pixel_mse, silent_penalty, timing_loss
from snn_synth.metrics import Mean
from snn_synth.models import TemporalCodingAE, TTFSOutput
from snn_synth.training.base import LitModule
from snn_synth.training.loaders import ImageBatch
from snn_synth.training.parameter_groups import check_share, with_share

_UNIFORM = 2.0**-31  # of 31 bits of a key


class LitTemporalCodingAE(LitModule):
    r"""Trains a temporal coding autoencoder to repeat the times of its input, ``latency`` later.

    .. math:: L = \frac{1}{2B} \sum_{b,k} (t_{b,k} - \tau - \hat t_{b,k})^2 + c\,(P_{hidden} + P_{output})

    with :math:`\hat t = 1 - x` the times of the clean image, 1 for a black pixel, and P the penalty of silent neurons.

    Logs ``train/loss``; ``val/pixel_mse`` and ``test/pixel_mse``, the mean square error of the pixels in [0, 1];
    ``.../timing``, that of the output's times, where a silent neuron counts as 1; ``.../silent_hidden`` and
    ``.../silent_output``, the shares of neurons that do not fire.

    Args:
        network: the autoencoder.
        penalty: c. A large one inflates Adam's second moments, so that all else learns slowly.
        noise: f, standard deviation and mean of the noise that is added to the input's times; it is part of the data,
            the same in every epoch.
        seed: of the noise.
        pulse_share: learning rate of the pulses' times, as a share of the optimizer's; the authors' best settings
            have 0.009 to 54 at latencies up to 8, and 94 to 173 at 16.
        optimizer: makes the optimizer of the parameters; AdamW if not given.
        lr_scheduler: makes the scheduler, stepped once per batch.

    Raises:
        InputError: for a negative penalty or noise, or a ``pulse_share`` that is not above 0.

    Source:
        Comsa, Versari, Fischbacher & Alakuijala 2021.

    Example:
        >>> module = LitTemporalCodingAE(TemporalCodingAE(784, 32))
        >>> module.hparams["network"]["init_args"]["hidden"]
        32
    """

    network: TemporalCodingAE
    redraws = True

    def __init__(
        self,
        network: TemporalCodingAE,
        penalty: float = 0.3,
        noise: float = 0.0,
        seed: int = 0,
        pulse_share: float = 1.0,
        optimizer: OptimizerCallable | None = None,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        """Keep the network and the settings."""
        for name, value in (("penalty", penalty), ("noise", noise)):
            if not value >= 0:
                raise InputError(f"Expected `{name}` to be at least 0, got {value}")
        check_share("pulse_share", pulse_share)
        super().__init__(optimizer, lr_scheduler)
        self.network = network
        self.penalty, self.noise, self.pulse_share, self.seed = penalty, noise, pulse_share, seed
        for stage in ("val", "test"):
            for name in ("pixel_mse", "timing", "silent_hidden", "silent_output"):
                setattr(self, f"{stage}_{name}", Mean())

    def parameter_groups(self, network: nn.Module) -> Any:
        """Weights, and the times of the pulses."""
        layers = self.network.encoder, self.network.decoder
        return with_share(network, (layer.pulse_times for layer in layers), self.pulse_share)

    def encode(self, batch: ImageBatch) -> Tensor:
        """Spike times of the images, with their noise."""
        times = spike_times(batch.images.flatten(1))
        return noisy(times, self.noise, sample_keys(self.seed, batch.index)) if self.noise else times

    def training_step(self, batch: ImageBatch, batch_idx: int) -> Tensor:
        """The loss of one batch."""
        out, network = self.network(self.encode(batch)), self.network
        loss = timing_loss(out.times, network.latency + _due(batch))
        loss = loss + self.penalty * silent_penalty(out.embedding, network.encoder.weight)
        loss = loss + self.penalty * silent_penalty(out.times, network.decoder.weight)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """No pulse before the time 0, also for the callbacks that follow."""
        super().optimizer_step(*args, **kwargs)
        self.network.encoder.keep_pulses()
        self.network.decoder.keep_pulses()

    def validation_step(self, batch: ImageBatch, batch_idx: int) -> dict[str, Any]:
        """Measure, and hand the images to the callbacks."""
        return self._measure("val", batch)

    def test_step(self, batch: ImageBatch, batch_idx: int) -> dict[str, Any]:
        """Measure, and hand the images to the callbacks."""
        return self._measure("test", batch)

    def predict_step(self, batch: ImageBatch, batch_idx: int = 0) -> Tensor:
        """Reconstructed images, ``[B, 1, H, W]`` in [0, 1]."""
        times: Tensor = self.network(self.encode(batch)).times
        return self.network.images(times).reshape(batch.images.shape)

    def _measure(self, stage: str, batch: ImageBatch) -> dict[str, Any]:
        times = self.encode(batch)
        out: TTFSOutput = self.network(times)
        images = self.network.images(out.times).reshape(batch.images.shape)
        late = torch.where(out.times.isfinite(), out.times - self.network.latency, 1)
        measured = {
            "pixel_mse": pixel_mse(images, batch.images),
            "timing": (late - _due(batch)).square().mean(1),
            "silent_hidden": out.embedding.isinf().float().mean(1),
            "silent_output": out.times.isinf().float().mean(1),
        }
        for name, values in measured.items():
            metric: Metric = getattr(self, f"{stage}_{name}")
            metric.update(values)
            self.log(f"{stage}/{name}", metric, prog_bar=name == "pixel_mse")
        layers = {"input": times, "hidden": out.embedding, "output": out.times}
        return {"images": images, "targets": batch.images, "times": layers}


def _due(batch: ImageBatch) -> Tensor:
    """When the clean pixels fire; black ones count as 1."""
    return 1 - batch.images.flatten(1)


def noisy(times: Tensor, factor: float, keys: Tensor) -> Tensor:
    r"""Spike times with noise; what is late becomes silent, and what was silent may fire.

    .. math:: t' = t + f n, \qquad n \sim \mathcal N(1, 1)

    cut below 0, and silent from 1 on; a silent input counts as 1 first. The mean of 1 is the authors': noise darkens.

    Args:
        times: in [0, 1], or inf.
        factor: f.
        keys: one per sample; the same key gives the same noise.

    Shape:
        ``times``: ``[B, N]``; ``keys``: ``[B]``.

    Source:
        Comsa, Versari, Fischbacher & Alakuijala 2021, their code.

    Example:
        >>> noisy(torch.full((1, 3), 0.25), 0.2, sample_keys(0, torch.arange(1))).shape
        torch.Size([1, 3])
    """
    hashed = sample_keys(keys[:, None].to(times.device), torch.arange(times.shape[1], device=times.device))
    first, second = ((bits.double() + 0.5) * _UNIFORM for bits in (hashed >> 32, hashed & 0x7FFFFFFF))
    normal = (-2 * first.log()).sqrt() * (2 * math.pi * second).cos()  # Box and Muller
    moved = torch.where(times.isfinite(), times, 1) + factor * (1 + normal).to(times.dtype)
    return torch.where(moved < 1, moved.clamp(min=0), torch.inf)
