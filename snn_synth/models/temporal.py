"""The temporal coding autoencoder: images as spike times, through a few hidden spikes, and back."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from snn_synth.encoding import spike_times, times_to_values
from snn_synth.errors import InputError
from snn_synth.models.flatten import flatten_images
from snn_synth.models.pretrained import Pretrained
from snn_synth.ttfs import AlphaTTFSLinear


@dataclass(frozen=True, eq=False)
class TTFSOutput:
    """Spike times of a network in which each neuron fires at most once; inf where it does not.

    Example:
        >>> out = TemporalCodingAE(4, 2)(torch.tensor([[0.1, 0.5, 0.9, torch.inf]]))  # the last pixel is black
        >>> out.times.shape, out.embedding.shape
        (torch.Size([1, 4]), torch.Size([1, 2]))
    """

    times: Tensor
    """Of the output neurons, ``[B, inputs]``."""
    embedding: Tensor
    """Of the hidden neurons, ``[B, hidden]``."""


class TemporalCodingAE(Pretrained):
    r"""Autoencoder whose code is when each of a few hidden neurons fires.

    A bright pixel fires early: :math:`t = 1 - x`, a black one never. The output is to repeat the input's times,
    ``latency`` later; where it does not fire, or late, the pixel is black.

    Args:
        inputs: pixels.
        hidden: neurons of the code.
        latency: :math:`\tau`, at least 1: all inputs have arrived before an output is due.
        n_pulses: of each layer, see :class:`~snn_synth.ttfs.AlphaTTFSLinear`; so are the others.
        decay_rate: K, :math:`0.4 / (\tau + 1)` if not given. A potential should peak later than the last output is due,
            or neurons would fire long before.
        threshold: :math:`\theta`, :math:`0.4\,(\tau + 1)` if not given: in proportion to a potential's height.
        clip: of the partial derivatives.
        init_mean: of the initial weights.
        init_pulse_mean: of the pulses' weights.

    Shape:
        times ``[B, inputs]`` to a :class:`TTFSOutput`.

    Raises:
        InputError: for a latency below 1, the inputs' span, and what the layers refuse.

    Source:
        Comsa, Versari, Fischbacher & Alakuijala 2021. Settings by default: one hidden layer of 32, latency 1; K, theta
        and the initial weights are not the authors' tuned ones, but such that all neurons fire from the start.

    Example:
        >>> ae = TemporalCodingAE(4, 2)
        >>> ae.reconstruct(torch.tensor([[[[0.0, 0.5], [1.0, 0.2]]]])).shape
        torch.Size([1, 1, 2, 2])
    """

    def __init__(
        self,
        inputs: int = 784,
        hidden: int = 32,
        latency: float = 1.0,
        n_pulses: int = 10,
        decay_rate: float | None = None,
        threshold: float | None = None,
        clip: float = 300.0,
        init_mean: float = 0.5,
        init_pulse_mean: float = 0.5,
    ) -> None:
        """Make the two layers."""
        super().__init__()
        if not latency >= 1:
            raise InputError(f"Expected a `latency` of at least 1, the span of the inputs' times, got {latency}")
        self.inputs, self.latency = inputs, latency
        settings: dict[str, Any] = {
            "n_pulses": n_pulses,
            "decay_rate": 0.4 / (latency + 1) if decay_rate is None else decay_rate,
            "threshold": 0.4 * (latency + 1) if threshold is None else threshold,
            "clip": clip,
            "init_mean": init_mean,
            "init_pulse_mean": init_pulse_mean,
        }
        self.encoder = AlphaTTFSLinear(inputs, hidden, **settings)
        self.decoder = AlphaTTFSLinear(hidden, inputs, **settings)

    def forward(self, times: Tensor) -> TTFSOutput:
        """Times of outputs and code."""
        embedding = self.encoder(times)
        return TTFSOutput(self.decoder(embedding), embedding)

    def images(self, times: Tensor) -> Tensor:
        """Pixels in [0, 1] of the outputs' times."""
        return times_to_values(times - self.latency)

    @torch.no_grad()
    def reconstruct(self, images: Tensor) -> Tensor:
        """Images through the code and back.

        Args:
            images: values in [0, 1], ``[B, ...]`` with ``inputs`` pixels each.

        Returns:
            Images of the same shape.
        """
        flat = flatten_images(images, self.inputs)
        return self.images(self(spike_times(flat)).times).reshape(images.shape)
