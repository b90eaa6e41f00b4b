"""Audio to image: an audiocoder, then the decoder of an autoencoder."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from snn_synth.encoding import poisson_encode
from snn_synth.errors import InputError
from snn_synth.functional.inputs import as_tensor
from snn_synth.models.audiocoder import Audiocoder
from snn_synth.models.autoencoder import AESNN
from snn_synth.models.pretrained import Pretrained


class Synthesis(NamedTuple):
    """Every stage from a spectrogram to its image, ``[T, B, neurons]`` for spikes."""

    input_spikes: Tensor
    hidden: Tensor
    output_spikes: Tensor
    images: Tensor
    """Firing rates of the output, ``[B, *image_shape]`` in [0, 1]."""


class AudioToImage(Pretrained):
    """The paper's synthesis model: spectrogram spikes, to a hidden spike map, to an image.

    Args:
        audiocoder: maps a spectrogram's spikes to the hidden spikes of an image.
        autoencoder: its decoder draws the image from them.
        image_shape: shape of an image.
        front_end: configuration of the front end that makes its spectrograms, for those who start from sound; see
            :func:`snn_synth.data.build_front_end`.

    Shape:
        :meth:`synthesize`: ``[B, C, F]`` or ``[B, C * F]`` to ``[B, *image_shape]``.

    Raises:
        InputError: if the audiocoder's output is not of the size of the autoencoder's code.

    Source:
        Roy, Panda & Roy 2019, section 4.2 and figure 8.

    Example:
        >>> from snn_synth.models.audiocoder import ACSNN
        >>> a2i = AudioToImage(ACSNN(3900, 64, 196), AESNN(784, 196))
        >>> a2i.synthesize(torch.zeros(2, 39, 100), num_steps=30, generator=torch.Generator().manual_seed(0)).shape
        torch.Size([2, 1, 28, 28])
    """

    def __init__(
        self,
        audiocoder: Audiocoder,
        autoencoder: AESNN,
        image_shape: Sequence[int] = (1, 28, 28),
        front_end: dict[str, Any] | None = None,
    ) -> None:
        """Put the two together."""
        super().__init__()
        if audiocoder.code != autoencoder.sizes[1]:
            raise InputError(
                f"Expected an audiocoder with {autoencoder.sizes[1]} outputs, one per hidden neuron of the "
                f"autoencoder, got {audiocoder.code}"
            )
        if min(image_shape, default=0) < 1 or torch.Size(image_shape).numel() != autoencoder.sizes[-1]:
            raise InputError(f"Expected an image shape of {autoencoder.sizes[-1]} pixels, got {list(image_shape)}")
        self.audiocoder = audiocoder
        self.autoencoder = autoencoder
        self.image_shape = tuple(image_shape)
        self.front_end = front_end

    def synthesize(
        self,
        spectrograms: Tensor,
        num_steps: int = 30,
        generator: torch.Generator | None = None,
        keys: Tensor | None = None,
        max_rate: float = 1.0,
    ) -> Tensor:
        """Draw an image for each spectrogram.

        Args:
            spectrograms: values in [0, 1], ``[B, C, F]`` or ``[B, C * F]``.
            num_steps: T.
            generator: draws the input spikes.
            keys: one per spectrogram instead, as in :func:`~snn_synth.encoding.poisson_encode`.
            max_rate: probability of an input spike per step for a value of 1; that of the training.

        Returns:
            Images ``[B, *image_shape]`` in [0, 1].

        Raises:
            InputError: for a wrong shape, values outside [0, 1] or ``num_steps < 1``.
        """
        stages: Synthesis = self(spectrograms, num_steps, generator, keys, max_rate)
        return stages.images

    @torch.no_grad()
    def forward(
        self,
        spectrograms: Tensor,
        num_steps: int = 30,
        generator: torch.Generator | None = None,
        keys: Tensor | None = None,
        max_rate: float = 1.0,
    ) -> Synthesis:
        """As :meth:`synthesize`, with the spikes of every stage."""
        spectrograms = as_tensor(spectrograms, "spectrograms")
        flat = spectrograms.flatten(1) if spectrograms.dim() > 1 else spectrograms
        inputs = self.audiocoder.inputs
        if flat.dim() != 2 or flat.shape[1] != inputs:
            raise InputError(
                f"Expected spectrograms of shape [B, C, F] with C * F = {inputs}, got {list(spectrograms.shape)}"
            )
        input_spikes = poisson_encode(flat, num_steps, max_rate, generator, keys)
        hidden = self.audiocoder(input_spikes).spikes
        output_spikes = self.autoencoder.decode(hidden)
        images = output_spikes.mean(0).reshape(-1, *self.image_shape)
        return Synthesis(input_spikes, hidden, output_spikes, images)
