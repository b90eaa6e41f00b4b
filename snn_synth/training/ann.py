"""Training the conventional counterparts, on pixels and hidden vectors instead of spikes."""

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from snn_synth import kernels
from snn_synth.codec import quantize
from snn_synth.data import SpectrogramAugmentation
from snn_synth.encoding import sample_keys
from snn_synth.metrics import StandardizedMSE
from snn_synth.models import ACANN, AEANN, ConvACANN, ConvAEANN
from snn_synth.training.audiocoder import augmented
from snn_synth.training.base import HELD_OUT, LitModule
from snn_synth.training.loaders import ImageBatch, SpeechBatch


def fed(values: Tensor, index: Tensor, num_steps: int | None, seed: int, epoch: int) -> Tensor:
    """What a conventional network is shown of values ``[B, ...]``, flat.

    The values; or with ``num_steps``, the rates of the Poisson spikes that a spiking network would be shown of them, by
    the keys (seed, epoch, index).
    """
    if num_steps is None:
        return values.flatten(1)
    return kernels.encode(values.flatten(1), num_steps, keys=sample_keys(seed, epoch, index)).mean(0)


class LitAutoencoderANN(LitModule):
    r"""Trains an AE-ANN to regenerate its pixels, by the loss of its spiking counterpart.

    .. math:: L = \frac{1}{2B} \sum_{b,i} (y_{b,i} - x_{b,i})^2

    Logs ``train/loss``, ``val/standardized_mse`` and ``test/standardized_mse``, as :class:`LitAutoencoder` does.

    Args:
        network: the autoencoder.
        optimizer: makes the optimizer; AdamW if not given.
        lr_scheduler: makes the scheduler, stepped once per batch.
        num_steps: T of Poisson spikes, whose rates it is shown instead of the pixels, for a comparison on equal input;
            the pixels if not given.
        seed: of these spikes, which are those of :class:`LitAutoencoder`.

    Source:
        Roy, Panda & Roy 2019, section 4.1 (AE-ANN).

    Example:
        >>> module = LitAutoencoderANN(AEANN(784, 196), num_steps=15)
        >>> batch = ImageBatch(torch.rand(2, 1, 28, 28), torch.tensor([7, 2]), torch.tensor([0, 1]))
        >>> module.predict_step(batch).shape
        torch.Size([2, 1, 28, 28])
    """

    network: AEANN | ConvAEANN
    redraws = True

    def __init__(
        self,
        network: AEANN | ConvAEANN,
        optimizer: OptimizerCallable | None = None,
        lr_scheduler: LRSchedulerCallable | None = None,
        num_steps: int | None = None,
        seed: int = 0,
    ) -> None:
        """Keep the network and the settings."""
        super().__init__(optimizer, lr_scheduler)
        self.network, self.num_steps, self.seed = network, num_steps, seed
        self.val_standardized_mse, self.test_standardized_mse = StandardizedMSE(), StandardizedMSE()

    def training_step(self, batch: ImageBatch, batch_idx: int) -> Tensor:
        """Half the squared errors, summed over the pixels: SGD's learning rate depends on that scale."""
        shown = fed(batch.images, batch.index, self.num_steps, self.seed, self.current_epoch)
        loss: Tensor = 0.5 * (self.network(shown) - batch.images.flatten(1)).square().sum(1).mean()
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: ImageBatch, batch_idx: int) -> dict[str, Tensor]:
        """Measure, and hand the images to the callbacks."""
        return self._measure("val", batch, self.val_standardized_mse)

    def test_step(self, batch: ImageBatch, batch_idx: int) -> dict[str, Tensor]:
        """Measure, and hand the images to the callbacks."""
        return self._measure("test", batch, self.test_standardized_mse)

    def predict_step(self, batch: ImageBatch, batch_idx: int = 0) -> Tensor:
        """Reconstructed images, ``[B, C, H, W]`` in [0, 1]."""
        shown = fed(batch.images, batch.index, self.num_steps, self.seed, HELD_OUT)
        return self.network.reconstruct(shown).reshape(batch.images.shape)

    def _measure(self, stage: str, batch: ImageBatch, mse: StandardizedMSE) -> dict[str, Tensor]:
        images = self.predict_step(batch)
        mse.update(images, batch.images)
        self.log(f"{stage}/standardized_mse", mse, prog_bar=True)
        return {"images": images, "targets": batch.images}


class LitAudiocoderANN(LitModule):
    r"""Trains an AC-ANN to give the hidden vector of the paired image, by the loss of its spiking counterpart.

    .. math:: L = \frac{1}{2B} \sum_{b,i} (y_{b,i} - h_{b,i})^2

    Args:
        network: the audiocoder.
        autoencoder: a trained AE-ANN.
        gallery: the paired images ``[M, 1, H, W]``, to which a batch's ``image`` points.
        bits: of an element of the hidden vector, see :func:`snn_synth.codec.quantize`; not quantized if not given.
        augmentation: varies the spectrograms in training, by (seed, epoch, sample); none if not given.
        seed: of the augmentation and the spikes.
        optimizer: makes the optimizer; AdamW if not given.
        lr_scheduler: makes the scheduler, stepped once per batch.
        num_steps: T of Poisson spikes, whose rates it is shown instead of the spectrogram's values, as in
            :class:`LitAutoencoderANN`.

    Source:
        Roy, Panda & Roy 2019, section 4.2.3 (AC-ANN).

    Example:
        >>> module = LitAudiocoderANN(ACANN(3900, 64, 196), AEANN(784, 196), gallery=torch.rand(10, 1, 28, 28), bits=15)
        >>> labels, index = torch.tensor([7, 2]), torch.tensor([0, 1])
        >>> module.predict_step(SpeechBatch(torch.rand(2, 39, 100), labels, index, image=labels)).shape
        torch.Size([2, 784])
    """

    batch_kind = SpeechBatch
    rebuilds = False  # a gallery is no plain data

    def __init__(
        self,
        network: ACANN | ConvACANN,
        autoencoder: AEANN,
        gallery: Tensor,
        bits: int | None = None,
        augmentation: SpectrogramAugmentation | None = None,
        seed: int = 0,
        optimizer: OptimizerCallable | None = None,
        lr_scheduler: LRSchedulerCallable | None = None,
        num_steps: int | None = None,
    ) -> None:
        """Encode the gallery."""
        super().__init__(optimizer, lr_scheduler)
        self.network = network
        self.autoencoder = autoencoder.requires_grad_(False)
        self.augmentation, self.num_steps, self.seed = augmentation, num_steps, seed
        with torch.no_grad():
            codes = autoencoder.encode(gallery.flatten(1))
            self.codes = nn.Buffer(codes if bits is None else quantize(codes, bits))

    def training_step(self, batch: SpeechBatch, batch_idx: int) -> Tensor:
        """Half the squared errors, summed over the hidden vector."""
        values = augmented(self.augmentation, batch, self.seed, self.current_epoch)
        shown = fed(values, batch.index, self.num_steps, self.seed, self.current_epoch)
        wrong = self.network(shown) - self.codes[batch.image]
        loss: Tensor = 0.5 * wrong.square().sum(1).mean()
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def predict_step(self, batch: SpeechBatch, batch_idx: int = 0) -> Tensor:
        """Drawn images, flat, cut to [0, 1]."""
        shown = fed(batch.spectrograms, batch.index, self.num_steps, self.seed, HELD_OUT)
        drawn: Tensor = self.autoencoder.decode(self.network(shown))
        return drawn.clamp(0, 1)
