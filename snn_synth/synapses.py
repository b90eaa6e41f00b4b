"""Weights that spikes pass through: each operator takes ``[..., in_features]`` to ``[..., out_features]``."""

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from snn_synth.errors import InputError
from snn_synth.kernels import spike_linear

__all__ = ["BatchNormed", "SpikeConv2d", "SpikeConvTranspose2d", "SpikeLinear"]

# Of the currents at first, with a threshold of 1 and a leak of 0.1: neurons fire, and few at every step.
_SCALE, _SHIFT = 0.4, 0.15


class SpikeLinear(nn.Linear):
    r"""An ``nn.Linear`` for spikes, which are zeros and ones: :func:`snn_synth.kernels.spike_linear`.

    .. math:: Z = A\,W^T + b

    Args:
        in_features: neurons of the layer below.
        out_features: neurons of this layer.
        bias: whether there is a b, a current that always flows.

    Shape:
        ``[..., in_features]`` to ``[..., out_features]``.

    Source:
        Roy, Panda & Roy 2019, eq. 1, which has no b.

    Example:
        >>> SpikeLinear(3, 2)(torch.ones(4, 1, 3)).shape
        torch.Size([4, 1, 2])
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = False) -> None:
        """Make the weights with PyTorch's default initialisation."""
        super().__init__(in_features, out_features, bias=bias)

    @property
    def fan_out(self) -> int:
        """Synapses of each neuron of the layer below."""
        return self.out_features

    def forward(self, spikes: Tensor) -> Tensor:
        """Currents of the spikes."""
        currents = spike_linear(spikes, self.weight)
        return currents if self.bias is None else currents + self.bias


class SpikeConv2d(nn.Conv2d):
    r"""An ``nn.Conv2d`` from flat spikes to flat currents, as fully connected layers have them.

    Neurons are counted row by row, and in each place by their feature map: PyTorch's ``channels_last``, in which
    convolutions take the least time. So a picture of one map is simply flattened.

    .. math:: Z_{iju} = b_u + \sum_{k,l,c} W_{uckl}\, A_{is_1+k-p_1,\,js_2+l-p_2,\,c}

    Args:
        size: rows and columns of the layer below.
        in_channels: its feature maps.
        out_channels: feature maps of this layer.
        kernel_size: rows and columns of W, which is padded by half of it, p.
        stride: s.
        bias: whether there is a b, a current that always flows.

    Shape:
        ``[..., size[0] * size[1] * in_channels]`` to ``[..., out_size[0] * out_size[1] * out_channels]``.

    Example:
        >>> conv = SpikeConv2d((39, 100), 1, 20, kernel_size=(5, 7), stride=(2, 4))
        >>> conv.out_size, conv(torch.zeros(15, 2, 3900)).shape
        ((20, 25), torch.Size([15, 2, 10000]))
    """

    def __init__(
        self,
        size: Sequence[int],
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, int],
        stride: tuple[int, int],
        bias: bool = False,
    ) -> None:
        """Make the weights with PyTorch's default initialisation."""
        padding = kernel_size[0] // 2, kernel_size[1] // 2
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, bias=bias)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.size = size[0], size[1]
        rows, columns = (
            (n + 2 * p - k) // s + 1 for n, p, k, s in zip(size, padding, kernel_size, stride, strict=True)
        )
        self.out_size = rows, columns
        self.in_features, self.out_features = math.prod(self.size) * in_channels, rows * columns * out_channels

    @property
    def fan_out(self) -> Tensor:
        """Synapses of each neuron of the layer below, ``[in_features]``: those at an edge have fewer."""
        each = torch.ones(1, self.out_channels, *self.out_size, device=self.weight.device)
        size = 1, self.in_channels, *self.size
        weight = torch.ones_like(self.weight)
        reached: Tensor = torch.nn.grad.conv2d_input(size, weight, each, self.stride, self.padding)  # type: ignore[attr-defined]
        return reached[0].permute(1, 2, 0).flatten()

    def forward(self, spikes: Tensor) -> Tensor:
        """Currents of the spikes."""
        maps = spikes.reshape(-1, *self.size, self.in_channels).permute(0, 3, 1, 2)
        currents: Tensor = super().forward(maps)
        return currents.permute(0, 2, 3, 1).reshape(*spikes.shape[:-1], self.out_features)


class SpikeConvTranspose2d(nn.ConvTranspose2d):
    r"""The way back of a :class:`SpikeConv2d`: from its ``out_size`` to its ``size``, in the same order of neurons.

    .. math:: Z_{iju} = b_u + \sum_{i',j',c} W_{c\,u\,(i - s_1 i' + p_1)(j - s_2 j' + p_2)}\, A_{i'j'c}

    Args:
        size: rows and columns of the layer below.
        in_channels: its feature maps.
        out_channels: feature maps of this layer.
        kernel_size: rows and columns of W, of whose result half is cut off, p.
        stride: s.
        out_size: rows and columns of this layer.
        bias: whether there is a b, a current that always flows.

    Shape:
        ``[..., size[0] * size[1] * in_channels]`` to ``[..., out_size[0] * out_size[1] * out_channels]``.

    Raises:
        InputError: for an ``out_size`` that the stride does not lead to.

    Example:
        >>> up = SpikeConvTranspose2d((7, 7), 8, 1, kernel_size=(5, 5), stride=(2, 2), out_size=(14, 14))
        >>> up(torch.zeros(15, 2, 392)).shape
        torch.Size([15, 2, 196])
    """

    def __init__(
        self,
        size: Sequence[int],
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, int],
        stride: tuple[int, int],
        out_size: Sequence[int],
        bias: bool = False,
    ) -> None:
        """Make the weights with PyTorch's default initialisation."""
        padding = kernel_size[0] // 2, kernel_size[1] // 2
        missing = [
            n - ((m - 1) * s - 2 * p + k)
            for n, m, s, p, k in zip(out_size, size, stride, padding, kernel_size, strict=True)
        ]
        if not all(0 <= m < s for m, s in zip(missing, stride, strict=True)):
            raise InputError(
                f"Expected an `out_size` that a stride of {list(stride)} leads to from {list(size)}, "
                f"got {list(out_size)}"
            )
        rest = missing[0], missing[1]
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, rest, bias=bias)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.size, self.out_size = (size[0], size[1]), (out_size[0], out_size[1])
        self.in_features = math.prod(self.size) * in_channels
        self.out_features = math.prod(self.out_size) * out_channels

    @property
    def fan_out(self) -> Tensor:
        """Synapses of each neuron of the layer below, ``[in_features]``: those at an edge have fewer."""
        each = torch.ones(1, self.out_channels, *self.out_size, device=self.weight.device)
        weight, stride, padding = torch.ones_like(self.weight), self.stride, self.padding
        reached: Tensor = nn.functional.conv2d(each, weight, None, stride, padding)
        return reached[0].permute(1, 2, 0).flatten()

    def forward(self, spikes: Tensor) -> Tensor:  # type: ignore[override]
        """Currents of the spikes."""
        maps = spikes.reshape(-1, *self.size, self.in_channels).permute(0, 3, 1, 2)
        currents: Tensor = super().forward(maps)
        return currents.permute(0, 2, 3, 1).reshape(*spikes.shape[:-1], self.out_features)


class BatchNormed(nn.Module):
    r"""Batch norm on the currents of an operator: over time, samples and, of a convolution, places.

    .. math:: \hat Z = \gamma\,\frac{W A - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta

    In evaluation :math:`\mu` and :math:`\sigma` are running means of the training, and :meth:`folded` is the same
    operator as weights and a constant current.

    Args:
        operator: W, without a bias.

    Shape:
        that of the operator.

    Raises:
        InputError: in training, for a batch with one value of each neuron, which has no variance.

    Source:
        Ioffe & Szegedy 2015. Among the operators over time: Zheng et al. 2021 (tdBN).

    Example:
        >>> layer = BatchNormed(SpikeLinear(3, 2)).eval()
        >>> spikes = torch.ones(4, 1, 3)
        >>> torch.allclose(layer.folded()(spikes), layer(spikes))
        True
    """

    def __init__(self, operator: SpikeLinear | SpikeConv2d) -> None:
        """Start from currents that let the neurons fire."""
        super().__init__()
        self.operator = operator
        self.norm = nn.BatchNorm1d(operator.weight.shape[0])
        nn.init.constant_(self.norm.weight, _SCALE)
        nn.init.constant_(self.norm.bias, _SHIFT)

    @property
    def in_features(self) -> int:
        """Neurons of the layer below."""
        return self.operator.in_features

    @property
    def fan_out(self) -> int | Tensor:
        """Synapses of each neuron of the layer below."""
        return self.operator.fan_out

    def forward(self, spikes: Tensor) -> Tensor:
        """Normalized currents of the spikes."""
        currents: Tensor = self.operator(spikes)
        rows = currents.reshape(-1, self.norm.num_features)
        if self.norm.training and len(rows) == 1:
            raise InputError("Expected more than one time step or sample to train with batch norm, got 1 of each")
        normed: Tensor = self.norm(rows)
        return normed.view(currents.shape)

    def folded(self) -> SpikeLinear | SpikeConv2d:
        """The operator that this one is in evaluation: weights and a bias."""
        operator, norm = copy.deepcopy(self.operator).eval(), copy.deepcopy(self.norm).eval()
        if isinstance(operator, SpikeConv2d):
            return fuse_conv_bn_eval(operator, norm)
        return fuse_linear_bn_eval(operator, norm)
