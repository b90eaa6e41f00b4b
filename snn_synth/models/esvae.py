"""ESVAE: a convolutional spiking variational autoencoder whose code fires at random."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from snn_synth.errors import InputError
from snn_synth.functional import sampled_spikes
from snn_synth.functional.encoding import unit_interval
from snn_synth.functional.inputs import as_values
from snn_synth.models.pretrained import Pretrained
from snn_synth.models.spiking_layer import SpikingLayer, weighted_over_time
from snn_synth.models.wanted import check_count


@dataclass(frozen=True, eq=False)
class ESVAEOutput:
    """What an ESVAE makes of images.

    Example:
        >>> out = ESVAE(side=8, channels=(4, 4), latent=3, num_steps=4)(torch.rand(2, 1, 8, 8))
        >>> out.images.shape, out.rates.shape, out.code.shape
        (torch.Size([2, 1, 8, 8]), torch.Size([2, 3]), torch.Size([4, 2, 3]))
    """

    images: Tensor
    """``[B, 1, side, side]`` in [0, 1]."""
    rates: Tensor
    """Of the code, ``[B, latent]``."""
    code: Tensor
    """Spikes, ``[T, B, latent]``."""


class ESVAE(Pretrained):
    r"""Convolutional spiking autoencoder; the encoder's firing rates are the probabilities of its code's spikes.

    .. math:: r = \frac1T \sum_t e[t], \qquad z_i[t] \sim \operatorname{Bernoulli}(r_i), \qquad
        \hat x = \tfrac12 \Bigl(1 + \tanh \sum_t 0.8^{\,T-1-t}\, y[t]\Bigr)

    New images come from rates of the prior, :math:`r_p = \sigma(W n + b)` with :math:`n \sim \mathcal N(0, I)`.

    Args:
        side: of the images.
        channels: of the encoder's layers, each of which halves the image; the decoder has the same backwards.
        latent: neurons of the code.
        num_steps: T.
        alpha: leak of all neurons; the authors keep a quarter of the membrane.

    Shape:
        images ``[B, 1, side, side]`` in [0, 1] to an :class:`ESVAEOutput`.

    Raises:
        InputError: for sizes below 1, images of another shape, or values outside [0, 1].

    Source:
        Zhan et al. 2023 (ESVAE), on FSVAE (Kamata, Mukuta & Harada 2022). Smaller than theirs (32-64-128-256, T=16, on
        32 x 32 pixels), and with the paper's sigmoid surrogate, centred on the threshold, instead of a box around 0.

    Example:
        >>> vae = ESVAE(side=8, channels=(4, 4), latent=3, num_steps=4)
        >>> vae(torch.rand(2, 1, 8, 8)).images.shape
        torch.Size([2, 1, 8, 8])
        >>> vae.eval().sample(5, torch.Generator().manual_seed(0)).shape
        torch.Size([5, 1, 8, 8])
    """

    def __init__(
        self,
        side: int = 28,
        channels: Sequence[int] = (16, 32, 64),
        latent: int = 32,
        num_steps: int = 8,
        alpha: float = 0.75,
    ) -> None:
        """Make encoder, decoder and prior."""
        super().__init__()
        if not channels or min(side, *channels, latent, num_steps) < 1:
            raise InputError(
                f"Expected sizes of at least 1 and at least one layer, got {side}, {list(channels)}, {latent} "
                f"and {num_steps}"
            )
        self.side, self.num_steps, self.latent = side, num_steps, latent
        sides = [side]
        for _ in channels:
            sides.append(-(-sides[-1] // 2))
        self.small = (channels[-1], sides[-1], sides[-1])
        size = channels[-1] * sides[-1] ** 2
        self.encoder = nn.ModuleList(
            SpikingLayer(nn.Conv2d(before, after, 3, 2, 1, bias=False), after, alpha)
            for before, after in pairwise([1, *channels])
        )
        self.to_code = SpikingLayer(nn.Linear(size, latent, bias=False), latent, alpha)
        self.prior = nn.Linear(latent, latent)
        self.from_code = SpikingLayer(nn.Linear(latent, size, bias=False), size, alpha)
        backwards = [*reversed(channels), channels[0]]
        self.decoder = nn.ModuleList(
            SpikingLayer(
                nn.ConvTranspose2d(before, after, 3, 2, 1, output_padding=1 - wanted % 2, bias=False), after, alpha
            )
            for (before, after), wanted in zip(pairwise(backwards), sides[-2::-1], strict=True)
        )
        self.draw = nn.Conv2d(channels[0], 1, 3, padding=1)

    def encode(self, images: Tensor) -> Tensor:
        """Rates of the code, ``[B, latent]``."""
        images = as_values(images, self.draw.weight, "images")
        if images.shape[1:] != (1, self.side, self.side):
            raise InputError(f"Expected images of shape [B, 1, {self.side}, {self.side}], got {list(images.shape)}")
        images = unit_interval(images)
        first, *others = self.encoder
        assert isinstance(first, SpikingLayer)
        spikes = first.constant(2 * images - 1, self.num_steps)
        for layer in others:
            spikes = layer(spikes)
        rates: Tensor = self.to_code(spikes.flatten(2)).mean(0)
        return rates

    def decode(self, code: Tensor) -> Tensor:
        """Images of spikes ``[T, B, latent]``."""
        if code.dim() != 3 or (code.shape[0], code.shape[2]) != (self.num_steps, self.latent):
            raise InputError(f"Expected spikes of shape [{self.num_steps}, B, {self.latent}], got {list(code.shape)}")
        spikes = self.from_code(code).unflatten(2, self.small)
        for layer in self.decoder:
            spikes = layer(spikes)
        # The last operator is linear: it may come after the sum over time.
        membrane: Tensor = self.draw(weighted_over_time(spikes))
        return (membrane.tanh() + 1) / 2

    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> ESVAEOutput:
        """Draw a code of each image and decode it."""
        rates = self.encode(images)
        code = sampled_spikes(rates, self.num_steps, generator)
        return ESVAEOutput(self.decode(code), rates, code)

    @torch.no_grad()
    def reconstruct(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Images ``[B, 1, side, side]`` through a code and back; in training mode they depend on each other."""
        drawn: Tensor = self(images, generator).images
        return drawn

    def prior_rates(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Rates of new codes, ``[count, latent]``."""
        check_count(count)
        like = self.prior.weight
        noise = torch.randn(count, self.latent, dtype=like.dtype, device=like.device, generator=generator)
        rates: Tensor = self.prior(noise).sigmoid()
        return rates

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """New images, ``[count, 1, side, side]``; in training mode they depend on each other."""
        rates = self.prior_rates(count, generator)
        return self.decode(sampled_spikes(rates, self.num_steps, generator))
