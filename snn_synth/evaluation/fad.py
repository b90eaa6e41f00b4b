"""The Frechet autoencoder distance (FAD), which papers on spiking variational autoencoders publish."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snn_synth.errors import InputError
from snn_synth.functional import gaussian_frechet_distance, mean_and_covariance
from snn_synth.functional.encoding import unit_interval
from snn_synth.functional.inputs import as_values

SIDE = 32  # pixels
BATCH = 128
CHANNELS = (32, 64, 128, 256)
FEATURES = 64


class FADNetwork(nn.Module):
    """The encoder of the autoencoder in whose code the distance is measured.

    Args:
        weights: the published state dict; what it has besides the encoder is left aside.

    Shape:
        images ``[B, 1, 32, 32]`` in [-1, 1] to features ``[B, 64]``.

    Raises:
        InputError: if a weight is missing, or has another shape.

    Source:
        Kamata, Mukuta & Harada 2022 (FSVAE); four convolutions of stride 2, each with batch normalization and a leaky
        ReLU, and a linear layer.

    Example:
        >>> FADNetwork(FADNetwork().state_dict())(torch.zeros(2, 1, 32, 32)).shape
        torch.Size([2, 64])
    """

    def __init__(self, weights: Mapping[str, Tensor] | None = None) -> None:
        """Make the layers, untrained without ``weights``."""
        super().__init__()
        before = (1, *CHANNELS)
        self.encoder = nn.ModuleList(
            nn.Sequential(nn.Conv2d(one, two, 3, 2, 1), nn.BatchNorm2d(two))
            for one, two in zip(before, CHANNELS, strict=False)
        )
        self.latent_layer = nn.Linear(CHANNELS[-1] * (SIDE // 2 ** len(CHANNELS)) ** 2, FEATURES)
        if weights is not None:
            for name, own in self.state_dict().items():
                found = weights.get(name)
                if not isinstance(found, Tensor) or found.shape != own.shape or not bool(found.isfinite().all()):
                    got = f"shape {list(found.shape)}" if isinstance(found, Tensor) else "none"
                    raise InputError(f"Expected finite weights {name} of shape {list(own.shape)}, got {got}")
            self.load_state_dict({name: weights[name] for name in self.state_dict()})
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor, batch_statistics: bool = True) -> Tensor:
        """Features, normalized by the batch's statistics or by those of the training; the network stays as it is."""
        for block in self.encoder:
            assert isinstance(block, nn.Sequential)
            convolution, norm = block
            assert isinstance(norm, nn.BatchNorm2d)
            mean, variance = (None, None) if batch_statistics else (norm.running_mean, norm.running_var)
            images = convolution(images)
            images = F.batch_norm(images, mean, variance, norm.weight, norm.bias, batch_statistics, eps=norm.eps)
            images = F.leaky_relu(images)
        features: Tensor = self.latent_layer(images.flatten(1))
        return features


class FAD:
    r"""Frechet autoencoder distance: that of samples' features to those of a test set; 0 is best.

    The published numbers leave the network in training mode, so that each batch of 128 images is normalized by its own
    statistics. Compare with papers by this one; the other mode normalizes by the statistics of the training, and
    does not depend on the order of the samples. Fewer than 5,000 samples score higher.

    Args:
        network: that gives the features.
        mean: of the test set's features, ``[64]``.
        covariance: of the test set's features, ``[64, 64]``.

    Raises:
        InputError: for other shapes of mean and covariance.

    Source:
        Kamata, Mukuta & Harada 2022; Zhan et al. 2023 (ESVAE).

    Example:
        >>> fad = FAD(FADNetwork(), torch.zeros(64), torch.eye(64))  # `snn_synth.data.load_fad` has the published one
        >>> fad(torch.rand(6, 1, 28, 28)) > 0
        True
    """

    def __init__(self, network: FADNetwork, mean: Tensor, covariance: Tensor) -> None:
        """Keep them."""
        if mean.shape != (FEATURES,) or covariance.shape != (FEATURES, FEATURES):
            raise InputError(
                f"Expected a mean [{FEATURES}] and a covariance [{FEATURES}, {FEATURES}], got {list(mean.shape)} and "
                f"{list(covariance.shape)}"
            )
        self.network, self.mean, self.covariance = network, mean, covariance

    @torch.no_grad()
    def features(self, images: Tensor, batch_statistics: bool = True) -> Tensor:
        """Features ``[n, 64]`` of images ``[n, 1, H, W]`` in [0, 1], which are resized to 32 x 32 pixels."""
        images = as_values(images, self.network.latent_layer.weight, "images")
        if images.dim() != 4 or images.shape[1] != 1 or len(images) < 2:
            raise InputError(f"Expected at least two images of shape [n, 1, H, W], got {list(images.shape)}")
        images = unit_interval(images)
        if images.shape[2:] != (SIDE, SIDE):
            images = F.interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True)
        parts = images.split(BATCH)  # type: ignore[no-untyped-call]
        return torch.cat([self.network(2 * part - 1, batch_statistics) for part in parts])

    def __call__(self, images: Tensor, batch_statistics: bool = True) -> float:
        """The distance.

        Args:
            images: generated ones ``[n, 1, H, W]`` in [0, 1], 5,000 to compare with papers.
            batch_statistics: the published way, or with the statistics of the network's training.

        Raises:
            InputError: for images of another shape, fewer than two, or values outside [0, 1].
        """
        found = mean_and_covariance(self.features(images, batch_statistics))
        return float(gaussian_frechet_distance(*found, self.mean, self.covariance))
