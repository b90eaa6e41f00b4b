"""The paper's surrogate gradient as a module that any snnTorch neuron takes as ``spike_grad``."""

from torch import Tensor, nn

from snn_synth.functional import spike
from snn_synth.functional.inputs import positive

__all__ = ["SigmoidCentered"]


class SigmoidCentered(nn.Module):
    r"""Spike at ``x >= 0``, with the derivative of a sigmoid centred on the threshold.

    .. math:: A = [x \ge 0], \qquad \frac{dA}{dx} \approx k\,\sigma(k x)\,(1-\sigma(k x))

    snnTorch's own surrogates fire at ``x > 0``, and its sigmoid turns to NaN far below the threshold.

    Args:
        slope: steepness k; 1 in the paper.

    Shape:
        any; shape and dtype are preserved.

    Raises:
        InputError: if ``slope`` is not a positive, finite number.

    Source:
        Roy, Panda & Roy 2019, eq. 2-4.

    Example:
        >>> import snntorch as snn, torch
        >>> lif = snn.Leaky(beta=0.9, spike_grad=SigmoidCentered(), reset_mechanism="zero")
        >>> lif(torch.tensor([[1.0]]), torch.zeros(1, 1))  # the threshold itself fires
        (tensor([[1.]]), tensor([[1.]]))
    """

    def __init__(self, slope: float = 1.0) -> None:
        """Check and keep the slope."""
        super().__init__()
        self.slope = positive("slope", slope)

    def forward(self, x: Tensor) -> Tensor:
        """Spikes of ``x``, the membrane potential minus the threshold."""
        return spike(x, self.slope)

    def extra_repr(self) -> str:
        """Show the slope."""
        return f"slope={self.slope}"
