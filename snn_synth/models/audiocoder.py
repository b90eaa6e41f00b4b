"""Audiocoders: a spectrogram's spikes to the hidden spikes of an image; and the conventional counterpart."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Self

from torch import Tensor, nn

from snn_synth.errors import InputError
from snn_synth.functional.lif import Reset
from snn_synth.models.pretrained import Pretrained
from snn_synth.models.stack import SpikingStack, StackOutput, folded, layer, neurons, run_layers
from snn_synth.synapses import SpikeConv2d, SpikeLinear


class Audiocoder(Pretrained, ABC):
    """Interface of the spiking audiocoders, for :class:`AudioToImage` and ``LitAudiocoder``.

    To be trained by :mod:`snn_synth.learning`, one has ``.layers`` besides.

    Example:
        >>> isinstance(ACSNN(3900, 64, 196), Audiocoder), isinstance(ConvACSNN(widths=[4, 8], code=196), Audiocoder)
        (True, True)
    """

    inputs: int
    """Values of a spectrogram."""
    code: int
    """Neurons of the output, one for each hidden neuron of the autoencoder."""
    neurons: int
    """Of all layers together."""

    @abstractmethod
    def forward(self, spikes: Tensor) -> StackOutput:
        """Run all time steps of a spectrogram's spikes ``[T, B, inputs]`` from rest."""


class ACSNN(SpikingStack, Audiocoder):
    """Spiking audiocoder of fully connected layers, the paper's.

    Args:
        inputs: values of the spectrogram; 39 x 1500 in the paper.
        hidden: neurons of the layer between; 2048 in the paper.
        code: neurons of the autoencoder's hidden layer.
        alpha: leak.
        threshold: firing threshold.
        slope: steepness of the surrogate's sigmoid.
        norm: batch norm on the currents, which the paper has not; see :class:`SpikingStack`.
        bias: a constant current into each neuron.
        reset: what a spike does to V: back to ``zero``, the paper's, or ``subtract`` the threshold.
        learned: learn the leak and the threshold of each neuron; see :class:`SpikingStack`.

    Shape:
        ``[T, B, inputs]`` to ``out.spikes``, ``out.membrane`` ``[T, B, code]`` and ``out.hidden`` ``[T, B, hidden]``.

    Source:
        Roy, Panda & Roy 2019, section 4.2.

    Example:
        >>> import torch
        >>> ACSNN(3900, 64, 196)(torch.zeros(15, 2, 3900)).spikes.shape
        torch.Size([15, 2, 196])
    """

    def __init__(
        self,
        inputs: int = 58500,
        hidden: int = 2048,
        code: int = 196,
        alpha: float = 0.1,
        threshold: float = 1.0,
        slope: float = 1.0,
        norm: bool = False,
        bias: bool = False,
        reset: Reset = "zero",
        learned: bool = False,
    ) -> None:
        """Make the two layers."""
        super().__init__([inputs, hidden, code], alpha, threshold, slope, norm, bias, reset, learned)
        self.inputs, self.code, self.neurons = inputs, code, hidden + code


def _convolutions(
    channels: int, frames: int, widths: Sequence[int], code: int
) -> list[tuple[int, int, tuple[int, int], tuple[int, int]]]:
    """Of each convolution: feature maps before and after it, kernel and stride; the sizes are checked."""
    if min(channels, frames, code, len(widths), *widths) < 1:
        raise InputError(
            "Expected `channels`, `frames`, `code` and at least one of `widths` to be at least 1, "
            f"got {channels}, {frames}, {code} and {list(widths)}"
        )
    first, *others = pairwise([1, *widths])
    return [(*first, (5, 7), (2, 4)), *((*maps, (3, 3), (2, 2)) for maps in others)]


class ConvACSNN(Audiocoder):
    """Spiking audiocoder of convolutions over channels and time, which find a word wherever it lies.

    A convolution of 5 x 7, stride 2 x 4, others of 3 x 3, stride 2 x 2, and a fully connected layer; by default
    0.47 million weights.

    Args:
        channels: rows of the spectrogram.
        frames: its columns.
        widths: feature maps of each convolution.
        code: neurons of the autoencoder's hidden layer.
        alpha: leak.
        threshold: firing threshold.
        slope: steepness of the surrogate's sigmoid.
        norm: batch norm on the currents of each layer, see :class:`SpikingStack`.
        bias: a constant current into each neuron.
        reset: what a spike does to V: back to ``zero``, the paper's, or ``subtract`` the threshold.
        learned: learn the leak and the threshold of each neuron; see :class:`SpikingStack`.

    Shape:
        ``[T, B, channels * frames]`` to a :class:`StackOutput` with ``[T, B, code]``; each hidden layer flat.

    Raises:
        InputError: for sizes below 1, both ``norm`` and ``bias``, or spikes of a wrong shape.

    Example:
        >>> import torch
        >>> net = ConvACSNN(widths=[4, 8], code=196)
        >>> out = net(torch.zeros(15, 2, 3900))
        >>> out.spikes.shape, out.hidden.shape
        (torch.Size([15, 2, 196]), torch.Size([15, 2, 1040]))
    """

    def __init__(
        self,
        channels: int = 39,
        frames: int = 100,
        widths: Sequence[int] = (20, 40, 64),
        code: int = 196,
        alpha: float = 0.1,
        threshold: float = 1.0,
        slope: float = 1.0,
        norm: bool = True,
        bias: bool = False,
        reset: Reset = "zero",
        learned: bool = False,
    ) -> None:
        """Make the layers with PyTorch's default initialisation."""
        convolutions = _convolutions(channels, frames, widths, code)
        super().__init__()
        operators: list[SpikeConv2d | SpikeLinear] = []
        size = channels, frames
        for before, after, kernel, stride in convolutions:
            operators.append(convolution := SpikeConv2d(size, before, after, kernel, stride, bias))
            size = convolution.out_size
        operators.append(SpikeLinear(operators[-1].out_features, code, bias))
        self.layers = nn.ModuleList(
            layer(one, neurons(one.out_features, alpha, threshold, slope, reset, learned), norm) for one in operators
        )
        self.inputs, self.code = channels * frames, code
        self.neurons = sum(operator.out_features for operator in operators)

    def forward(self, spikes: Tensor) -> StackOutput:
        """Run all time steps from rest."""
        return run_layers(self.layers, spikes, self.inputs)

    def folded(self) -> Self:
        """The same network in evaluation, with a bias current instead of batch norm."""
        result: Self = folded(self)
        return result


class ACANN(Pretrained):
    r"""Conventional audiocoder of the size of an AC-SNN: a spectrogram to the hidden vector of an AE-ANN.

    .. math:: h = \operatorname{relu}(W_1 x + b_1), \qquad y = W_2 h + b_2

    Args:
        inputs: values of the spectrogram.
        hidden: units of the layer between.
        code: units of the autoencoder's hidden layer.

    Shape:
        ``[B, inputs]`` to ``[B, code]``.

    Source:
        Roy, Panda & Roy 2019, section 4.2.3 (AC-ANN).

    Example:
        >>> import torch
        >>> ACANN(3900, 64, 196)(torch.zeros(2, 3900)).shape
        torch.Size([2, 196])
    """

    def __init__(self, inputs: int = 58500, hidden: int = 2048, code: int = 196) -> None:
        """Make the two layers."""
        super().__init__()
        if min(inputs, hidden, code) < 1:
            raise InputError(f"Expected sizes of at least 1, got {inputs}, {hidden} and {code}")
        self.sizes = [inputs, hidden, code]
        self.layers = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, code))

    def forward(self, spectrograms: Tensor) -> Tensor:
        """Hidden vectors of flat spectrograms."""
        result: Tensor = self.layers(spectrograms)
        return result


class ConvACANN(Pretrained):
    """Conventional audiocoder of the size of a :class:`ConvACSNN`: convolutions with batch norm and ReLU.

    Args:
        channels: rows of the spectrogram.
        frames: its columns.
        widths: feature maps of each convolution.
        code: units of the autoencoder's hidden layer.

    Shape:
        ``[B, channels * frames]`` to ``[B, code]``.

    Raises:
        InputError: for sizes below 1.

    Example:
        >>> import torch
        >>> ConvACANN(widths=[4, 8], code=196)(torch.zeros(2, 3900)).shape
        torch.Size([2, 196])
    """

    def __init__(
        self, channels: int = 39, frames: int = 100, widths: Sequence[int] = (20, 40, 64), code: int = 196
    ) -> None:
        """Make the layers."""
        convolutions = _convolutions(channels, frames, widths, code)
        super().__init__()
        self.inputs = channels * frames
        layers: list[nn.Module] = [nn.Unflatten(1, (1, channels, frames))]
        rows, columns = channels, frames
        for before, after, kernel, stride in convolutions:
            padding = kernel[0] // 2, kernel[1] // 2
            layers += [nn.Conv2d(before, after, kernel, stride, padding, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
            rows, columns = (rows - 1) // stride[0] + 1, (columns - 1) // stride[1] + 1
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(rows * columns * widths[-1], code))

    def forward(self, spectrograms: Tensor) -> Tensor:
        """Hidden vectors of flat spectrograms."""
        result: Tensor = self.layers(spectrograms)
        return result
