"""Spiking-GAN: a generator and a discriminator in which each neuron fires at most once."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snn_synth.encoding import step_times
from snn_synth.errors import InputError
from snn_synth.functional.encoding import unit_interval
from snn_synth.functional.inputs import as_tensor
from snn_synth.models.first_spike import FirstSpikeOutput
from snn_synth.models.pretrained import Pretrained
from snn_synth.models.wanted import check_count, class_labels
from snn_synth.ttfs import TTFSIFLinear

CANDIDATES = 8
"""Images that the discriminator chooses one of."""


class SpikingGAN(Pretrained):
    r"""Two networks of neurons that integrate without a leak: one draws images of a class, the other names the class.

    The generator's inputs fire at random steps, and one for the class at the step 0; a pixel is bright if its output
    fires early, :math:`x = 1 - t / T`. The discriminator sees each pixel twice, by t and by T - t, so that dark pixels
    fire too. It has an output for each class and one for images that are drawn; the first to fire decides.

    Args:
        side: of the images.
        latent: inputs that fire at random steps.
        hidden: neurons of either network's hidden layer.
        classes: of images; 1 if there are none.
        num_steps: T.
        smoothing: of the gradients, see :func:`~snn_synth.functional.if_spike_times`.

    Raises:
        InputError: for sizes below 1, images with other channels, or labels that are no classes.

    Source:
        Kotariya & Ganguly 2021: both networks spiking, first spikes, neurons without a leak that fire at most once.
        Sizes, the random input, classes, the smoothed gradient, and that a pixel is seen twice are ours.

    Example:
        >>> gan = SpikingGAN(side=4, latent=3, hidden=8, classes=2, num_steps=16)
        >>> images = gan.sample(5, torch.Generator().manual_seed(0))
        >>> images.shape, gan.discriminate(gan.encode(images)).times.shape
        (torch.Size([5, 1, 4, 4]), torch.Size([5, 3]))
    """

    def __init__(
        self,
        side: int = 14,
        latent: int = 64,
        hidden: int = 256,
        classes: int = 10,
        num_steps: int = 64,
        smoothing: float | None = 64.0,
    ) -> None:
        """Make both networks."""
        super().__init__()
        if min(side, latent, hidden, classes, num_steps) < 1:
            raise InputError(f"Expected sizes of at least 1, got {side}, {latent}, {hidden}, {classes} and {num_steps}")
        self.side, self.latent, self.classes, self.num_steps = side, latent, classes, num_steps

        def layer(inputs: int, neurons: int, gain: float, spread: float, pulse: bool = True) -> TTFSIFLinear:
            return TTFSIFLinear(inputs, neurons, num_steps, 1.0, gain, spread, pulse, smoothing)

        pixels = side * side
        self.generator = nn.Sequential(
            layer(latent + classes, hidden, 2.0, 1.0, False), layer(hidden, pixels, 4.0, 0.3)
        )
        self.discriminator = nn.Sequential(layer(2 * pixels, hidden, 0.5, 1.5), layer(hidden, classes + 1, 3.0, 0.3))

    def encode(self, images: Tensor) -> Tensor:
        """Steps of the pixels' spikes, ``[B, pixels]``, of images ``[B, 1, H, W]`` in [0, 1], which are resized."""
        images = as_tensor(images, "images")
        if images.dim() != 4 or images.shape[1] != 1:
            raise InputError(f"Expected images of shape [B, 1, H, W], got {list(images.shape)}")
        images = unit_interval(images)
        return step_times(F.adaptive_avg_pool2d(images, self.side).flatten(1), self.num_steps)

    def images(self, times: Tensor) -> Tensor:
        """Images ``[B, 1, side, side]`` in [0, 1] of pixels' steps."""
        return (1 - times / self.num_steps).view(-1, 1, self.side, self.side)

    def noise(self, labels: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Steps of the generator's inputs, ``[B, latent + classes]``, for images of these classes."""
        if not bool(((labels >= 0) & (labels < self.classes)).all()):
            raise InputError(f"Expected labels from 0 to {self.classes - 1}, got {labels.min()} to {labels.max()}")
        dtype = next(self.parameters()).dtype
        noise = torch.rand(len(labels), self.latent, dtype=dtype, generator=generator, device=labels.device)
        silent = 1 - F.one_hot(labels, self.classes)
        return torch.cat([(noise * self.num_steps).floor(), (silent * self.num_steps).to(noise.dtype)], 1)

    def generate(self, noise: Tensor) -> FirstSpikeOutput:
        """Steps of all spikes; those of the outputs are the pixels'."""
        return _through(self.generator, noise)

    def discriminate(self, times: Tensor) -> FirstSpikeOutput:
        """Steps of all spikes, of pixels' steps ``[B, pixels]``; the last output stands for drawn images."""
        return _through(self.discriminator, torch.cat([times, self.num_steps - times], 1))

    @torch.no_grad()
    def sample(
        self,
        count: int,
        generator: torch.Generator | None = None,
        labels: Tensor | Sequence[int] | None = None,
        candidates: int = CANDIDATES,
    ) -> Tensor:
        """New images ``[count, 1, side, side]`` of these classes, of all in turn if not given.

        Of ``candidates`` that are drawn for each, the discriminator picks the one whose class fires first by the most
        steps, after Azadi et al. 2019 (discriminator rejection sampling).
        """
        check_count(count)
        device = next(self.parameters()).device
        in_turn = torch.arange(count, device=device) % self.classes
        labels = in_turn if labels is None else class_labels(labels, count, self.classes, device)
        if candidates < 1:
            raise InputError(f"Expected `candidates` of at least 1, got {candidates}")
        drawn = self.generate(self.noise(labels.repeat(candidates), generator)).times
        seen = self.discriminate(drawn).times.view(candidates, count, self.classes + 1)
        late = seen.gather(2, labels.expand(candidates, -1)[:, :, None])[:, :, 0] - seen[:, :, -1]
        return self.images(
            drawn.view(candidates, count, self.side**2)[late.argmin(0), torch.arange(count, device=device)]
        )


def _through(layers: nn.Sequential, times: Tensor) -> FirstSpikeOutput:
    first, last = layers
    assert isinstance(first, TTFSIFLinear)
    hidden = first(times)
    return FirstSpikeOutput(first.num_steps, times, hidden, last(hidden))
