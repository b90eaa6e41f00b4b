"""AC-SNN: the spiking audiocoder, and its conventional counterpart AC-ANN."""

from torch import Tensor, nn

from snn_synth.errors import InputError
from snn_synth.models.pretrained import Pretrained
from snn_synth.models.stack import SpikingStack


class ACSNN(SpikingStack):
    """Spiking audiocoder: a spectrogram's spikes to the hidden spike map of an image.

    Args:
        inputs: values of the spectrogram; 39 x 1500 in the paper.
        hidden: neurons of the layer between; 2048 in the paper.
        code: neurons of the autoencoder's hidden layer.
        alpha: leak.
        threshold: firing threshold.
        slope: steepness of the surrogate's sigmoid.

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
    ) -> None:
        """Make the two layers."""
        super().__init__([inputs, hidden, code], alpha, threshold, slope)


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
