"""A fully connected layer of plain neurons, as the kernels of a whole network take it."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from snn_synth.kernels.dispatch import Backend, backend


class Layer(NamedTuple):
    """Neurons with one fixed leak and threshold, and the weights of their input.

    Example:
        >>> layer = Layer(torch.tensor([[0.5]], requires_grad=True), decay=0.9, threshold=1.0, slope=5.0)
        >>> layer.decay
        0.9
    """

    weight: Tensor
    decay: float
    threshold: float
    slope: float


def backend_of(layers: Sequence[Layer], spikes: Tensor, targets: Tensor) -> Backend:
    """The backend for a network of these layers, ``reference`` too where sizes do not fit or inputs need a gradient.

    Example:
        >>> layer = Layer(torch.ones(2, 3), 0.9, 1.0, 1.0)
        >>> backend_of([layer], torch.ones(5, 1, 3), torch.ones(5, 1, 2))
        'numba'
        >>> backend_of([layer], torch.ones(5, 1, 3), torch.ones(5, 1, 3))
        'reference'
    """
    weights = [layer.weight for layer in layers]
    sizes = [weights[0].shape[1], *(weight.shape[0] for weight in weights)]
    fits = (
        spikes.shape[2:] == (sizes[0],)
        and targets.shape == (*spikes.shape[:2], sizes[-1])
        and [weight.shape[1] for weight in weights] == sizes[:-1]
        and 0 not in (*spikes.shape, *sizes)
    )
    which = backend(spikes, targets, *weights) if fits else "reference"
    if which == "reference" or spikes.requires_grad or targets.requires_grad:
        return "reference"
    return "reference" if torch.is_autocast_enabled(spikes.device.type) else which
