"""Conventional networks that read when neurons fired, or as a control only how often."""

from typing import Literal

import torch
from torch import Tensor, nn

from snn_synth.errors import InputError

Decoding = Literal["mlp", "linear", "conv", "rate"]


class TimeDecoder(nn.Module):
    """What is read from a spike train: pixels as logits.

    Args:
        neurons: N.
        num_steps: T.
        outputs: pixels.
        decoding: ``mlp`` and ``linear`` see the whole raster, N x T; ``conv`` convolves over the neurons with the time
            steps as channels; ``rate`` is the control, an ``mlp`` on the number of spikes of each neuron.

    Shape:
        ``[T, B, N]`` to ``[B, outputs]``.

    Raises:
        InputError: for an unknown decoding, ``conv`` of fewer than 7 neurons or 2 steps, or spikes of another T or N.

    Source:
        Skatchkovsky, Simeone & Jang 2021.

    Example:
        >>> TimeDecoder(4, 6, 9, "linear")(torch.zeros(6, 2, 4)).shape
        torch.Size([2, 9])
    """

    def __init__(self, neurons: int, num_steps: int, outputs: int = 784, decoding: Decoding = "mlp") -> None:
        """Make the layers."""
        super().__init__()
        self.neurons, self.num_steps, self.outputs, self.decoding = neurons, num_steps, outputs, decoding
        raster = neurons * num_steps
        if decoding == "linear":
            self.layers = nn.Sequential(nn.Flatten(), nn.Linear(raster, outputs))
        elif decoding == "mlp":
            self.layers = nn.Sequential(
                nn.Flatten(), nn.Linear(raster, raster // 2), nn.ReLU(), nn.Linear(raster // 2, outputs)
            )
        elif decoding == "rate":
            self.layers = nn.Sequential(nn.Linear(neurons, raster // 2), nn.ReLU(), nn.Linear(raster // 2, outputs))
        elif decoding == "conv":
            if neurons < 7 or num_steps < 2:
                raise InputError(f"Expected 7 neurons and 2 steps or more to convolve, got {neurons} and {num_steps}")
            convolutions = nn.Sequential(
                nn.Conv1d(num_steps, num_steps // 2, 3, 2), nn.Conv1d(num_steps // 2, 20, 3, 2), nn.ReLU(), nn.Flatten()
            )
            size = convolutions(torch.zeros(1, num_steps, neurons)).shape[1]
            self.layers = nn.Sequential(*convolutions, nn.Linear(size, outputs))
        else:
            raise InputError(f"Expected `decoding` of ['mlp', 'linear', 'conv', 'rate'], got {decoding!r}")

    def forward(self, spikes: Tensor) -> Tensor:
        """Logits of the pixels."""
        if spikes.dim() != 3 or (spikes.shape[0], spikes.shape[2]) != (self.num_steps, self.neurons):
            raise InputError(
                f"Expected spikes of shape [{self.num_steps}, B, {self.neurons}] for this decoder, "
                f"got {list(spikes.shape)}"
            )
        read = spikes.sum(0) if self.decoding == "rate" else spikes.transpose(0, 1)
        logits: Tensor = self.layers(read)
        return logits
