"""Training a SpikingVQDiffusion: first its autoencoder, then the denoiser of its tokens."""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from snn_synth import kernels
from snn_synth.errors import InputError
from snn_synth.functional import pixel_mse
from snn_synth.functional.absorbing import mask_tokens, token_loss, token_nats
from snn_synth.kernels import Precision
from snn_synth.metrics import Mean
from snn_synth.models import SpikingVQDiffusion, VQOutput
from snn_synth.training.base import HELD_OUT, LitModule, batch_generator
from snn_synth.training.checks import check_unused_parameters
from snn_synth.training.loaders import ImageBatch
from snn_synth.training.schedulers import build_scheduler

_COMMITMENT = 0.25
_DECAY = 0.99  # of the moving averages of images and of tokens, of a batch


class LitVQDiffusion(LitModule):
    r"""Trains the autoencoder for some epochs, and the denoiser of its tokens for the others.

    .. math:: L_1 = \frac{\overline{(x - \hat x)^2}}{\operatorname{Var} x} + 0.25\,\overline{(c - e_k)^2},
        \qquad L_2 = \frac{2}{B N} \sum_b (1 - u_b) \sum_{i\ \text{masked}} -\log p(k_i \mid x_u, y_b)

    Each token is masked with the probability :math:`u_b \sim \mathcal U(0, 1)` of its image; the class y is left out of
    some images, so that the denoiser knows both.

    Logs ``train/loss``; ``val/pixel_mse`` and ``test/pixel_mse``, of the autoencoder; ``.../nats``, the mean of -log p
    over masked tokens, which means something once the denoiser is trained.

    Args:
        network: both networks.
        autoencoder_epochs: of the first stage; the rest of the run is the second.
        denoiser_share: of the learning rate, for the denoiser.
        condition_dropout: share of the images whose class is left out.
        precision: of products with spikes, see :func:`snn_synth.kernels.precision`.
        seed: of the masks.
        optimizer: makes the optimizer of the parameters; AdamW if not given.
        lr_scheduler: makes the scheduler, stepped once per batch; OneCycleLR runs once in each stage.

    Raises:
        InputError: for settings out of range, or a run that ends within the first stage.

    Source:
        Liu et al. 2023 (Spiking-Diffusion). Their first loss has a term for a spike generator, which ours learns from
        the images alone; dropped conditions are Ho & Salimans 2022.

    Example:
        >>> from snn_synth.models import SpikingTokenDenoiser, SpikingVQAE
        >>> network = SpikingVQDiffusion(SpikingVQAE(8, (4, 4), 3, 5), SpikingTokenDenoiser(5, 4, hidden=8))
        >>> LitVQDiffusion(network, autoencoder_epochs=2).hparams["autoencoder_epochs"]
        2
    """

    network: SpikingVQDiffusion
    redraws = True
    fixed: ClassVar[set[str]] = {"network", "autoencoder_epochs"}

    def __init__(
        self,
        network: SpikingVQDiffusion,
        autoencoder_epochs: int = 4,
        denoiser_share: float = 1.0,
        condition_dropout: float = 0.1,
        precision: Precision = "float32",
        seed: int = 0,
        optimizer: OptimizerCallable | None = None,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        """Check and keep the settings."""
        if autoencoder_epochs < 1 or not 0 < denoiser_share < float("inf") or not 0 <= condition_dropout <= 1:
            raise InputError(
                "Expected autoencoder_epochs of at least 1, a denoiser_share above 0 and a condition_dropout in "
                f"[0, 1], got {autoencoder_epochs}, {denoiser_share} and {condition_dropout}"
            )
        super().__init__(optimizer, lr_scheduler)
        self.network, self.autoencoder_epochs = network, autoencoder_epochs
        self.denoiser_share, self.condition_dropout = denoiser_share, condition_dropout
        self.precision, self.seed = precision, seed
        denoiser = network.denoiser
        self.moments: Tensor = nn.Buffer(torch.tensor([0.5, 0.5]))  # of pixels: mean, and mean square
        self.frequencies: Tensor = nn.Buffer(torch.full((denoiser.places, denoiser.tokens), 1 / denoiser.tokens))
        for stage in ("val", "test"):
            for name in ("pixel_mse", "nats"):
                setattr(self, f"{stage}_{name}", Mean())

    @property
    def first_stage(self) -> bool:
        """Whether the autoencoder is trained."""
        return self.current_epoch < self.autoencoder_epochs

    def parameter_groups(self, network: nn.Module) -> Any:
        """Those of both networks: each is trained in its stage, and gets no gradient in the other."""
        return [
            {"params": [*self.network.autoencoder.parameters()]},
            {"params": [*self.network.denoiser.parameters()], "share": self.denoiser_share},
        ]

    def scheduler_of(self, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """One that starts anew with the second stage, if it is of a given length."""
        return build_scheduler(self.lr_scheduler, optimizer, self.lr_interval, self.trainer, self.autoencoder_epochs)

    def on_fit_start(self) -> None:
        """Check that there is a second stage, and that several processes may leave out the weights of one network."""
        last = self.trainer.max_epochs
        if not self.trainer.fast_dev_run and last is not None and 0 <= last <= self.autoencoder_epochs:  # type: ignore[attr-defined]
            raise InputError(
                f"Expected `max_epochs` above the {self.autoencoder_epochs} `autoencoder_epochs`, for the denoiser is "
                f"trained in those that are left, got {last}"
            )
        check_unused_parameters(self.trainer, "each stage leaves the other's weights out")

    def training_step(self, batch: ImageBatch, batch_idx: int) -> Tensor:
        """The loss of one batch, of the stage's network."""
        self.network.autoencoder.train(self.first_stage)
        generator = batch_generator(batch.index, self.seed, self.current_epoch, self.device)
        if self.first_stage:
            loss = self._autoencoder_loss(batch, generator)
        else:
            if self.current_epoch == self.autoencoder_epochs and batch_idx == 0:
                self.network.denoiser.bias.data.copy_(self.frequencies.clamp(min=1e-6).log())
            loss = self._denoiser_loss(batch, generator)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: ImageBatch, batch_idx: int) -> dict[str, Any]:
        """Measure, and hand the images to the callbacks."""
        return self._measure("val", batch)

    def test_step(self, batch: ImageBatch, batch_idx: int) -> dict[str, Any]:
        """Measure, and hand the images to the callbacks."""
        return self._measure("test", batch)

    def predict_step(self, batch: ImageBatch, batch_idx: int = 0) -> Tensor:
        """Reconstructed images, ``[B, 1, side, side]`` in [0, 1]."""
        return self.network.autoencoder.reconstruct(batch.images)

    def _autoencoder_loss(self, batch: ImageBatch, generator: torch.Generator) -> Tensor:
        out: VQOutput = self.network.autoencoder(batch.images)
        images, vectors = batch.images, self.network.autoencoder.codebook.vectors[out.tokens]
        now = torch.stack([images.mean(), images.square().mean()])
        self.moments.lerp_(now.to(self.moments.dtype), 1 - _DECAY)
        variance = (self.moments[1] - self.moments[0].square()).clamp(min=1e-4)
        loss = (out.images - images).square().mean() / variance
        loss = loss + _COMMITMENT * (out.codes - vectors).square().mean()
        self.network.autoencoder.codebook.follow(out.codes.flatten(0, 1), out.tokens.flatten(), generator)
        taken = F.one_hot(out.tokens, self.network.denoiser.tokens).to(self.frequencies.dtype)
        self.frequencies.lerp_(taken.mean(0), 1 - _DECAY)
        return loss

    def _denoiser_loss(self, batch: ImageBatch, generator: torch.Generator) -> Tensor:
        denoiser = self.network.denoiser
        with torch.no_grad():
            tokens = self.network.autoencoder.encode(batch.images)
        share = torch.rand(len(tokens), device=self.device, generator=generator)
        seen = mask_tokens(tokens, share, denoiser.masked, generator)
        kept = torch.rand(len(tokens), 1, device=self.device, generator=generator) >= self.condition_dropout
        with kernels.precision(self.precision):
            logits = denoiser(seen, self._condition(batch) * kept)
            return 2 * token_loss(logits, tokens, seen == denoiser.masked, share)

    def _condition(self, batch: ImageBatch) -> Tensor:
        """The class of each image; none where there are no labels."""
        denoiser, labels = self.network.denoiser, batch.labels
        if (labels >= denoiser.conditions).any():
            raise InputError(
                f"Expected labels below the {denoiser.conditions} `conditions` of the denoiser, got {int(labels.max())}"
            )
        return denoiser.one_hot(labels.clamp(min=0)) * (labels >= 0)[:, None]

    def _measure(self, stage: str, batch: ImageBatch) -> dict[str, Any]:
        out: VQOutput = self.network.autoencoder(batch.images)
        denoiser = self.network.denoiser
        generator = batch_generator(batch.index, self.seed, HELD_OUT, self.device)
        share = torch.rand(len(out.tokens), device=self.device, generator=generator)
        seen = mask_tokens(out.tokens, share, denoiser.masked, generator)
        nats = token_nats(denoiser(seen, self._condition(batch)), out.tokens)[seen == denoiser.masked]
        for name, values in (("pixel_mse", pixel_mse(out.images, batch.images)), ("nats", nats)):
            metric: Mean = getattr(self, f"{stage}_{name}")
            metric.update(values)
            self.log(f"{stage}/{name}", metric, prog_bar=True)
        return {"images": out.images, "targets": batch.images}
