"""Audio to image: an audiocoder, then the decoder of an autoencoder."""

import contextlib
import reprlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from snn_synth.errors import InputError
from snn_synth.functional import fit_temperature, gallery_mse, label_probabilities
from snn_synth.functional.encoding import RateCode
from snn_synth.functional.inputs import as_tensor
from snn_synth.kernels import encode
from snn_synth.models.audiocoder import Audiocoder
from snn_synth.models.autoencoder import SpikingAutoencoder
from snn_synth.models.pretrained import Pretrained

TEMPERATURE = 0.2  # until it is fitted: the first shipped pair's is 0.14 for voices it knows, 0.27 for others
_LONGEST = 100  # characters of a label


class Synthesis(NamedTuple):
    """Every stage from a spectrogram to its image, ``[T, B, neurons]`` for spikes.

    Example:
        >>> from snn_synth.models import ACSNN, AESNN
        >>> out = AudioToImage(ACSNN(700, 64, 196), AESNN(784, 196)).draw(torch.zeros(50, 2, 700))
        >>> out.hidden.shape, torch.equal(out.images.flatten(1), out.output_spikes.mean(0))
        (torch.Size([50, 2, 196]), True)
    """

    input_spikes: Tensor
    hidden: Tensor
    output_spikes: Tensor
    images: Tensor
    """Firing rates of the output, ``[B, *image_shape]`` in [0, 1]."""


class AudioToImage(Pretrained):
    """The paper's synthesis model: spectrogram spikes, to hidden spikes, to an image.

    Args:
        audiocoder: maps a spectrogram's spikes to the hidden spikes of an image.
        autoencoder: its decoder draws the image from them.
        image_shape: shape of an image.
        front_end: configuration of the front end that makes its spectrograms, for those who start from sound; see
            :func:`snn_synth.data.build_front_end`.
        labels: names of what can be said, for :meth:`recognize`; the buffer ``gallery`` ``[L, *image_shape]`` then
            holds the image that each is to become, in [0, 1], zeros at first, and travels with the weights.

    Shape:
        :meth:`synthesize`: ``[B, C, F]`` or ``[B, C * F]`` to ``[B, *image_shape]``.
        :meth:`recognize`: ``[B, *image_shape]`` to ``[B, L]``.

    Raises:
        InputError: if the audiocoder's output is not of the size of the autoencoder's code, or for labels that are not
            at least two different names.

    Source:
        Roy, Panda & Roy 2019, section 4.2 and figure 8.

    Example:
        >>> from snn_synth.models import ACSNN, AESNN
        >>> a2i = AudioToImage(ACSNN(3900, 64, 196), AESNN(784, 196))
        >>> a2i.synthesize(torch.zeros(2, 39, 100), num_steps=30, generator=torch.Generator().manual_seed(0)).shape
        torch.Size([2, 1, 28, 28])
    """

    gallery: Tensor
    temperature: Tensor

    def __init__(
        self,
        audiocoder: Audiocoder,
        autoencoder: SpikingAutoencoder,
        image_shape: Sequence[int] = (1, 28, 28),
        front_end: dict[str, Any] | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        """Put the two together."""
        super().__init__()
        if audiocoder.code != autoencoder.code:
            raise InputError(
                f"Expected an audiocoder with {autoencoder.code} outputs, one per hidden neuron of the "
                f"autoencoder, got {audiocoder.code}"
            )
        if min(image_shape, default=0) < 1 or torch.Size(image_shape).numel() != autoencoder.inputs:
            raise InputError(f"Expected an image shape of {autoencoder.inputs} pixels, got {list(image_shape)}")
        self.audiocoder = audiocoder
        self.autoencoder = autoencoder
        self.image_shape = tuple(image_shape)
        self.front_end = front_end
        self.labels = None if labels is None else tuple(labels)
        if self.labels is not None:
            check_labels(self.labels)
            self.gallery = nn.Buffer(torch.zeros(len(self.labels), *self.image_shape))
            self.temperature = nn.Buffer(torch.tensor(TEMPERATURE))

    def synthesize(
        self,
        spectrograms: Tensor,
        num_steps: int = 30,
        generator: torch.Generator | None = None,
        keys: Tensor | None = None,
        max_rate: float = 1.0,
        code: RateCode = "poisson",
    ) -> Tensor:
        """Draw an image for each spectrogram.

        Args:
            spectrograms: values in [0, 1], ``[B, C, F]`` or ``[B, C * F]``.
            num_steps: T.
            generator: draws the input spikes.
            keys: one per spectrogram instead, as in :func:`~snn_synth.encoding.poisson_encode`.
            max_rate: probability of an input spike per step for a value of 1; that of the training.
            code: how rates become input spikes; that of the training.

        Returns:
            Images ``[B, *image_shape]`` in [0, 1].

        Raises:
            InputError: for a wrong shape, values outside [0, 1] or ``num_steps < 1``.
        """
        stages: Synthesis = self(spectrograms, num_steps, generator, keys, max_rate, code)
        return stages.images

    @torch.no_grad()
    def recognize(self, images: Tensor) -> Tensor:
        """Probability of each label, by how far drawn images are from its image.

        They are right as often as they say for words like those of :meth:`calibrate`, and surer than right for voices
        further from the training's.

        Args:
            images: drawn by :meth:`synthesize`.

        Returns:
            ``[B, L]``, in the order of ``labels``; all alike for a blank image.

        Raises:
            InputError: without labels, or for images of another shape.

        Source:
            Guo et al. 2017, see :func:`snn_synth.functional.fit_temperature`.

        Example:
            >>> from snn_synth.models import ACSNN, AESNN
            >>> a2i = AudioToImage(ACSNN(60, 8, 4), AESNN(9, 4), (1, 3, 3), labels=["yes", "no"])
            >>> a2i.gallery.copy_(torch.stack([torch.eye(3), 1 - torch.eye(3)])[:, None])
            tensor(...)
            >>> a2i.recognize(torch.eye(3).reshape(1, 1, 3, 3)).round(decimals=3)
            tensor([[1., 0.]])
        """
        return label_probabilities(self._errors(images), self.temperature)

    @torch.no_grad()
    def calibrate(self, images: Tensor, labels: Tensor) -> None:
        """Fit the temperature of :meth:`recognize`, so that it is right as often as it says.

        Args:
            images: drawn of words that were not trained on, ``[N, *image_shape]``.
            labels: of these words, places in ``labels``, ``[N]``.

        Raises:
            InputError: as :meth:`recognize`, and without words.
        """
        self.temperature.copy_(fit_temperature(self._errors(images), labels))

    def _errors(self, images: Tensor) -> Tensor:
        """Standardized MSE of each image against each label's, ``[B, L]``."""
        if self.labels is None:
            raise InputError("Expected a model with `labels`, to recognize what was said, got one without")
        errors = gallery_mse(images, self.gallery)
        if not errors.isfinite().all():
            raise InputError("Expected finite images, and a gallery of finite images in the model, got others")
        return errors

    @torch.no_grad()
    def forward(
        self,
        spectrograms: Tensor,
        num_steps: int = 30,
        generator: torch.Generator | None = None,
        keys: Tensor | None = None,
        max_rate: float = 1.0,
        code: RateCode = "poisson",
    ) -> Synthesis:
        """As :meth:`synthesize`, with the spikes of every stage; :meth:`draw` starts from spikes.

        Batch norm is in evaluation, whatever the mode: an image depends on its word alone, and nothing is learned.
        """
        spectrograms = as_tensor(spectrograms, "spectrograms")
        flat = spectrograms.flatten(1) if spectrograms.dim() > 1 else spectrograms
        inputs = self.audiocoder.inputs
        if flat.dim() != 2 or flat.shape[1] != inputs:
            raise InputError(
                f"Expected spectrograms of shape [B, C, F] with C * F = {inputs}, got {list(spectrograms.shape)}"
            )
        return self.draw(encode(flat, num_steps, max_rate, generator, keys, code))

    @torch.no_grad()
    def draw(self, input_spikes: Tensor) -> Synthesis:
        """As :meth:`forward`, of words that are spikes already: ``[T, B, inputs]``, such as those of SHD.

        Example:
            >>> from snn_synth.models import ACSNN, AESNN
            >>> a2i = AudioToImage(ACSNN(700, 64, 196), AESNN(784, 196))
            >>> a2i.draw(torch.zeros(50, 2, 700)).images.shape
            torch.Size([2, 1, 28, 28])
        """
        with _evaluating(self.audiocoder):
            hidden = self.audiocoder(input_spikes).spikes
        output_spikes = self.autoencoder.decode(hidden)
        images = output_spikes.mean(0).reshape(-1, *self.image_shape)
        return Synthesis(input_spikes, hidden, output_spikes, images)


@contextlib.contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode inside a ``with`` block; each module has its own mode again after it."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def check_labels(labels: Sequence[str]) -> None:
    """Raise InputError for names that cannot be told apart, or that no terminal should be given."""
    plain = all(isinstance(name, str) and name.isprintable() and 0 < len(name) <= _LONGEST for name in labels)
    if not plain or len(labels) < 2 or len(set(labels)) < len(labels):
        raise InputError(
            f"Expected `labels` of at least two different names of 1 to {_LONGEST} printable characters, got "
            f"{reprlib.repr(list(labels))}"
        )
