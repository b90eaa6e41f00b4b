"""A spiking autoencoder whose code is made of tokens: places in a codebook."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from snn_synth.errors import InputError
from snn_synth.functional.encoding import unit_interval
from snn_synth.functional.inputs import as_values
from snn_synth.models.codebook import Codebook
from snn_synth.models.pretrained import Pretrained
from snn_synth.models.spiking_layer import SpikingLayer, weighted_over_time

_SHIFT = 0.5  # of the currents at first: neurons fire from the start


@dataclass(frozen=True, eq=False)
class VQOutput:
    """What a SpikingVQAE makes of images.

    Example:
        >>> out = SpikingVQAE(side=8, channels=(4, 4), features=3, codebook=5)(torch.rand(2, 1, 8, 8))
        >>> out.codes.shape == out.chosen.shape, out.tokens.shape
        (True, torch.Size([2, 4]))
    """

    images: Tensor
    """``[B, 1, side, side]`` in [0, 1]."""
    codes: Tensor
    """Before they are quantized, ``[B, rows * columns, D]``."""
    chosen: Tensor
    """Vectors of the codebook that are nearest to them, of the same shape."""
    tokens: Tensor
    """Places of these vectors, ``[B, rows * columns]``."""


class SpikingVQAE(Pretrained):
    r"""Convolutional spiking autoencoder whose code, at each of 7 x 7 places, is one of K vectors.

    .. math:: c = (1 - a) \sum_t 0.8^{\,T-t} z[t] + a\, \overline{z[t]}, \qquad k = \arg\min_k \lVert c - e_k \rVert,
        \qquad \hat x = \tfrac12 \Bigl(1 + \tanh \sum_t 0.8^{\,T-t}\, y[t]\Bigr)

    with z the spikes of the encoder's last layer and a learned. The decoder sees the vector :math:`e_k` as a constant
    current at each time step.

    Args:
        side: of the images, a multiple of 4.
        channels: of the two layers that halve the image, and, backwards, of the decoder's.
        features: D, of the codebook's vectors.
        codebook: K, number of vectors.
        num_steps: T.
        alpha: leak of all neurons.

    Shape:
        images ``[B, 1, side, side]`` in [0, 1] to a :class:`VQOutput`.

    Raises:
        InputError: for sizes below 1, a side that is no multiple of 4, or images of another shape.

    Source:
        Liu et al. 2023 (Spiking-Diffusion), stage 1. Smaller than theirs (32-64 channels, T=16); the codebook follows
        the codes by moving averages, and the last, linear operator comes after the sum over time.

    Example:
        >>> vae = SpikingVQAE(side=8, channels=(4, 4), features=3, codebook=5)
        >>> out = vae(torch.rand(2, 1, 8, 8))
        >>> out.images.shape, out.tokens.shape
        (torch.Size([2, 1, 8, 8]), torch.Size([2, 4]))
    """

    def __init__(
        self,
        side: int = 28,
        channels: Sequence[int] = (16, 32),
        features: int = 16,
        codebook: int = 128,
        num_steps: int = 4,
        alpha: float = 0.5,
    ) -> None:
        """Make encoder, codebook and decoder."""
        super().__init__()
        if len(channels) != 2 or min(side, *channels, features, codebook, num_steps) < 1 or side % 4:
            raise InputError(
                "Expected a side that is a multiple of 4, two layers' channels and sizes of at least 1, "
                f"got {side}, {list(channels)}, {features}, {codebook} and {num_steps}"
            )
        first, second = channels
        self.side, self.num_steps, self.places, self.tokens = side, num_steps, (side // 4) ** 2, codebook

        def halve(before: int, after: int) -> SpikingLayer:
            return SpikingLayer(nn.Conv2d(before, after, 4, 2, 1, bias=False), after, alpha)

        def same(before: int, after: int, kernel: int) -> SpikingLayer:
            return SpikingLayer(nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=False), after, alpha)

        self.encoder = nn.Sequential(halve(1, first), halve(first, second), same(second, features, 1))
        self.mix = nn.Parameter(torch.tensor(0.5))
        self.codebook = Codebook(codebook, features)
        self.decoder = nn.Sequential(
            same(features, features, 1),
            SpikingLayer(nn.ConvTranspose2d(features, second, 4, 2, 1, bias=False), second, alpha),
            same(second, second, 3),
        )
        self.draw = nn.ConvTranspose2d(second, 1, 6, 2, 2)
        for layer in (*self.encoder, *self.decoder):
            nn.init.constant_(layer.norm.bias, _SHIFT)

    def codes(self, images: Tensor) -> Tensor:
        """What is to be quantized, ``[B, rows * columns, D]``."""
        images = as_values(images, self.draw.weight, "images")
        if images.shape[1:] != (1, self.side, self.side):
            raise InputError(f"Expected images of shape [B, 1, {self.side}, {self.side}], got {list(images.shape)}")
        first, *others = self.encoder
        assert isinstance(first, SpikingLayer)
        spikes = first.constant(2 * unit_interval(images) - 1, self.num_steps)
        for layer in others:
            spikes = layer(spikes)
        mixed = torch.lerp(weighted_over_time(spikes), spikes.mean(0), self.mix)
        return mixed.flatten(2).transpose(1, 2)

    def encode(self, images: Tensor) -> Tensor:
        """Tokens of images, ``[B, rows * columns]``, row by row."""
        tokens: Tensor = self.codebook(self.codes(images))[1]
        return tokens

    def decode(self, tokens: Tensor) -> Tensor:
        """Images of tokens ``[B, rows * columns]``.

        Raises:
            InputError: for tokens of another shape, or that the codebook does not have.
        """
        if tokens.dim() != 2 or tokens.shape[1] != self.places or tokens.is_floating_point():
            raise InputError(f"Expected tokens of shape [B, {self.places}], integers, got {list(tokens.shape)}")
        if tokens.numel() and not 0 <= int(tokens.min()) <= int(tokens.max()) < self.tokens:
            raise InputError(
                f"Expected tokens from 0 to {self.tokens - 1}, got {int(tokens.min())} to {int(tokens.max())}"
            )
        return self.draw_vectors(self.codebook.vectors[tokens.long()])

    def draw_vectors(self, vectors: Tensor) -> Tensor:
        """Images of vectors ``[B, rows * columns, D]``, which need not be of the codebook."""
        rows = self.side // 4
        first, *others = self.decoder
        assert isinstance(first, SpikingLayer)
        spikes = first.constant(
            vectors.transpose(1, 2).reshape(len(vectors), vectors.shape[2], rows, rows), self.num_steps
        )
        for layer in others:
            spikes = layer(spikes)
        # The last operator is linear: it may come after the sum over time.
        membrane: Tensor = self.draw(weighted_over_time(spikes))
        return (membrane.tanh() + 1) / 2

    def forward(self, images: Tensor) -> VQOutput:
        """Quantize and decode."""
        codes = self.codes(images)
        chosen, tokens = self.codebook(codes)
        return VQOutput(self.draw_vectors(chosen), codes, chosen, tokens)

    @torch.no_grad()
    def reconstruct(self, images: Tensor) -> Tensor:
        """Images ``[B, 1, side, side]`` through tokens and back."""
        drawn: Tensor = self(images).images
        return drawn
