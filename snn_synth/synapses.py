"""Weights that spikes pass through."""

from torch import Tensor, nn

from snn_synth.kernels import spike_linear


class SpikeLinear(nn.Linear):
    r"""An ``nn.Linear`` without bias for spikes, which are zeros and ones: :func:`snn_synth.kernels.spike_linear`.

    .. math:: Z = A\,W^T

    Args:
        in_features: neurons of the layer below.
        out_features: neurons of this layer.

    Shape:
        ``[..., in_features]`` to ``[..., out_features]``.

    Source:
        Roy, Panda & Roy 2019, eq. 1.

    Example:
        >>> import torch
        >>> SpikeLinear(3, 2)(torch.ones(4, 1, 3)).shape
        torch.Size([4, 1, 2])
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        """Make the weights with PyTorch's default initialisation."""
        super().__init__(in_features, out_features, bias=False)

    def forward(self, spikes: Tensor) -> Tensor:
        """Currents of the spikes."""
        return spike_linear(spikes, self.weight)
