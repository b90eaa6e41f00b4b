"""AE-SNN of convolutions, and its conventional counterpart."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from snn_synth.errors import InputError
from snn_synth.functional.lif import Reset
from snn_synth.models.autoencoder import SpikingAutoencoder
from snn_synth.models.flatten import flatten_images
from snn_synth.models.pretrained import Pretrained
from snn_synth.models.stack import neurons
from snn_synth.synapses import SpikeConv2d, SpikeConvTranspose2d

KERNEL, STRIDE = (5, 5), (2, 2)
GAIN = 2.0  # of a spiking network's initial weights, over PyTorch's, with which few spikes reach the last layers


Operators = list[SpikeConv2d | SpikeConvTranspose2d]


def _operators(size: Sequence[int], widths: Sequence[int], bias: bool) -> Operators:
    """Convolutions of the encoder, and those of the decoder, which lead back through the same sizes."""
    if len(size) != 2 or min(len(widths), *size, *widths) < 1:
        raise InputError(
            "Expected a `size` of rows and columns and at least one of `widths`, all at least 1, "
            f"got {list(size)} and {list(widths)}"
        )
    maps, sizes = [1, *widths], [(size[0], size[1])]
    operators: Operators = []
    for before, after in pairwise(maps):
        operators.append(down := SpikeConv2d(sizes[-1], before, after, KERNEL, STRIDE, bias))
        sizes.append(down.out_size)
    for i in reversed(range(len(widths))):
        operators.append(SpikeConvTranspose2d(sizes[i + 1], maps[i + 1], maps[i], KERNEL, STRIDE, sizes[i], bias))
    return operators


class ConvAESNN(SpikingAutoencoder):
    """Spiking autoencoder of convolutions of 5 x 5, stride 2, and as many transposed ones back.

    Args:
        size: rows and columns of an image, of one channel.
        widths: feature maps of each convolution; the last ones are the code.
        alpha: leak.
        threshold: firing threshold.
        slope: steepness of the surrogate's sigmoid.
        reset: what a spike does to V: back to ``zero``, the paper's, or ``subtract`` the threshold.
        learned: learn the leak and the threshold of each neuron; see :class:`SpikingStack`.

    Shape:
        ``[T, B, rows * columns]`` to the same; the code, ``[T, B, code]``, place by place.

    Raises:
        InputError: for sizes below 1, or spikes of a wrong shape.

    Example:
        >>> import torch
        >>> ae = ConvAESNN(widths=[16, 8])
        >>> out = ae(torch.zeros(15, 2, 784))
        >>> out.spikes.shape, ae.code_of(out).shape
        (torch.Size([15, 2, 784]), torch.Size([15, 2, 392]))
    """

    def __init__(
        self,
        size: Sequence[int] = (28, 28),
        widths: Sequence[int] = (16, 8),
        alpha: float = 0.1,
        threshold: float = 1.0,
        slope: float = 1.0,
        reset: Reset = "zero",
        learned: bool = False,
    ) -> None:
        """Make the layers with twice the weights of PyTorch's default initialisation."""
        operators = _operators(size, widths, bias=False)
        super().__init__()
        for operator in operators:
            operator.weight.data *= GAIN
        self.layers = nn.ModuleList(
            nn.ModuleList([one, neurons(one.out_features, alpha, threshold, slope, reset, learned)])
            for one in operators
        )
        self.inputs, self.code = operators[0].in_features, operators[len(widths)].in_features
        self.depth, self.neurons = len(widths), sum(operator.out_features for operator in operators)


class ConvAEANN(Pretrained):
    """Conventional autoencoder of the size of a :class:`ConvAESNN`: ReLU between the layers, biases, a linear output.

    Args:
        size: rows and columns of an image, of one channel.
        widths: feature maps of each convolution; the last ones are the code.

    Shape:
        ``[B, rows * columns]`` to the same.

    Raises:
        InputError: for sizes below 1.

    Example:
        >>> import torch
        >>> ConvAEANN(widths=[16, 8])(torch.zeros(2, 784)).shape
        torch.Size([2, 784])
    """

    def __init__(self, size: Sequence[int] = (28, 28), widths: Sequence[int] = (16, 8)) -> None:
        """Make the layers with PyTorch's default initialisation."""
        operators = _operators(size, widths, bias=True)
        super().__init__()
        self.inputs, self.code = operators[0].in_features, operators[len(widths)].in_features
        layers: list[nn.Module] = [module for operator in operators for module in (operator, nn.ReLU())]
        self.encode = nn.Sequential(*layers[: len(operators)])
        self.decode = nn.Sequential(*layers[len(operators) : -1])

    def forward(self, images: Tensor) -> Tensor:
        """Reconstruct flat images."""
        result: Tensor = self.decode(self.encode(images))
        return result

    @torch.no_grad()
    def reconstruct(self, images: Tensor) -> Tensor:
        """Reconstruct images of any shape with ``inputs`` pixels each; the results are cut to [0, 1]."""
        result: Tensor = self(flatten_images(images, self.inputs)).clamp(0, 1)
        return result.reshape(images.shape)
