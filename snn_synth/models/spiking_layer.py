"""A layer of spiking neurons under an operator with batch normalization, and how spikes are read at the end."""

import torch
from torch import Tensor, nn

from snn_synth.neurons import SigmoidLeaky

_READOUT = 0.8  # what a step weighs, of the next


class SpikingLayer(nn.Module):
    r"""An operator, batch normalization over all time steps, and neurons.

    Args:
        operator: from ``[B, ...]`` to ``[B, C, ...]``.
        channels: C.
        alpha: leak of the neurons.

    Shape:
        ``[T, B, ...]`` to spikes ``[T, B, C, ...]``.

    Source:
        Zheng et al. 2021 (tdBN): with the threshold 1 it is batch normalization.

    Example:
        >>> SpikingLayer(nn.Conv2d(1, 2, 3), 2)(torch.ones(4, 1, 1, 5, 5)).shape
        torch.Size([4, 1, 2, 3, 3])
    """

    def __init__(self, operator: nn.Module, channels: int, alpha: float = 0.75) -> None:
        """Keep the operator."""
        super().__init__()
        self.operator = operator
        self.norm = nn.BatchNorm2d(channels) if not isinstance(operator, nn.Linear) else nn.BatchNorm1d(channels)
        self.neuron = SigmoidLeaky(alpha)

    def forward(self, spikes: Tensor) -> Tensor:
        """All time steps."""
        currents = self.norm(self.operator(spikes.flatten(0, 1)))
        return self._fire(currents.unflatten(0, spikes.shape[:2]))

    def constant(self, values: Tensor, num_steps: int) -> Tensor:
        """The same for an input that is the same at every step: ``[B, ...]`` to ``[T, B, C, ...]``."""
        currents = self.norm(self.operator(values))
        return self._fire(currents.expand(num_steps, *currents.shape))

    def _fire(self, currents: Tensor) -> Tensor:
        spikes: Tensor = self.neuron.scan(currents.contiguous())[0]
        return spikes


def weighted_over_time(spikes: Tensor) -> Tensor:
    r"""What a neuron that never fires would hold at the last step, of spikes that a later layer reads.

    .. math:: \sum_{t=1}^T 0.8^{\,T-t}\, s[t]

    Shape:
        ``[T, ...]`` to ``[...]``.

    Source:
        Kamata, Mukuta & Harada 2022 (FSVAE), the readout of images.

    Example:
        >>> weighted_over_time(torch.tensor([1.0, 0.0, 1.0]))
        tensor(1.6400)
    """
    weights = _READOUT ** torch.arange(len(spikes) - 1, -1, -1, dtype=spikes.dtype, device=spikes.device)
    return torch.einsum("t,t...->...", weights, spikes)
