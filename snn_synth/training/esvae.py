"""Training an ESVAE."""

from typing import Any

from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torchmetrics import Metric

from snn_synth.errors import InputError
from snn_synth.functional import pixel_mse, rbf_mmd
from snn_synth.metrics import Mean
from snn_synth.models import ESVAE, ESVAEOutput
from snn_synth.training.base import HELD_OUT, LitModule, batch_generator
from snn_synth.training.loaders import ImageBatch
from snn_synth.training.parameter_groups import check_share, with_share


class LitESVAE(LitModule):
    r"""Trains an ESVAE to repeat its images, and its prior to give the rates that images have.

    .. math:: L = \overline{(2 x - 2 \hat x)^2} + \lambda\,\operatorname{MMD}^2(r_q, r_p)

    Logs ``train/loss``; ``val/pixel_mse`` and ``test/pixel_mse``, the mean square error of the pixels in [0, 1];
    ``.../mmd``; ``.../rate``, the share of the code that fires.

    Args:
        network: the autoencoder.
        mmd_weight: :math:`\lambda`.
        seed: of the codes and of the prior.
        prior_share: learning rate of the prior, as a share of the optimizer's: it learns from the second term alone.
        optimizer: makes the optimizer of the parameters; AdamW if not given.
        lr_scheduler: makes the scheduler, stepped once per batch.

    Raises:
        InputError: for a negative ``mmd_weight``, or a ``prior_share`` that is not above 0.

    Source:
        Zhan et al. 2023 (ESVAE); the loss of images in [-1, 1] and the prior's tenfold rate are theirs.

    Example:
        >>> LitESVAE(ESVAE(channels=(4, 4), latent=3)).hparams["network"]["init_args"]["latent"]
        3
    """

    network: ESVAE
    redraws = True

    def __init__(
        self,
        network: ESVAE,
        mmd_weight: float = 1e-3,
        seed: int = 0,
        prior_share: float = 10.0,
        optimizer: OptimizerCallable | None = None,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        """Check and keep the settings."""
        if not mmd_weight >= 0:
            raise InputError(f"Expected `mmd_weight` to be at least 0, got {mmd_weight}")
        check_share("prior_share", prior_share)
        super().__init__(optimizer, lr_scheduler)
        self.network, self.mmd_weight, self.prior_share, self.seed = network, mmd_weight, prior_share, seed
        for stage in ("val", "test"):
            for name in ("pixel_mse", "mmd", "rate"):
                setattr(self, f"{stage}_{name}", Mean())

    def parameter_groups(self, network: nn.Module) -> Any:
        """Autoencoder and prior."""
        return with_share(network, self.network.prior.parameters(), self.prior_share)

    def training_step(self, batch: ImageBatch, batch_idx: int) -> Tensor:
        """The loss of one batch."""
        out, mmd = self._run(batch, self.current_epoch)
        loss = 4 * (out.images - batch.images).square().mean() + self.mmd_weight * mmd
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: ImageBatch, batch_idx: int) -> dict[str, Any]:
        """Measure, and hand the images to the callbacks."""
        return self._measure("val", batch)

    def test_step(self, batch: ImageBatch, batch_idx: int) -> dict[str, Any]:
        """Measure, and hand the images to the callbacks."""
        return self._measure("test", batch)

    def predict_step(self, batch: ImageBatch, batch_idx: int = 0) -> Tensor:
        """Reconstructed images, ``[B, 1, H, W]`` in [0, 1]."""
        return self._run(batch, HELD_OUT)[0].images

    def _run(self, batch: ImageBatch, epoch: int) -> tuple[ESVAEOutput, Tensor]:
        """Output, and how far the prior is from the rates of these images: not told of a single one."""
        generator = batch_generator(batch.index, self.seed, epoch, batch.images.device)
        out: ESVAEOutput = self.network(batch.images, generator)
        if len(out.rates) < 2:
            return out, out.rates.new_zeros(())
        return out, rbf_mmd(out.rates, self.network.prior_rates(len(out.rates), generator))

    def _measure(self, stage: str, batch: ImageBatch) -> dict[str, Any]:
        out, mmd = self._run(batch, HELD_OUT)
        measured = {
            "pixel_mse": pixel_mse(out.images, batch.images),
            "mmd": mmd.expand(len(batch.images)),
            "rate": out.rates.mean(1),
        }
        for name, values in measured.items():
            metric: Metric = getattr(self, f"{stage}_{name}")
            metric.update(values)
            self.log(f"{stage}/{name}", metric, prog_bar=name == "pixel_mse")
        return {"images": out.images, "targets": batch.images, "spikes": {"code": out.code}}
