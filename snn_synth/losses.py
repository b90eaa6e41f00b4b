"""The masked membrane loss in the calling convention of ``snntorch.functional``."""

from snntorch.functional.loss import LossFunctions
from torch import Tensor

from snn_synth.functional import membrane_loss


class masked_membrane_loss(LossFunctions):  # type: ignore[misc]  # noqa: N801  (snnTorch names its losses so)
    r"""Squared membrane error of the output neurons that fired wrongly.

    .. math::
        L = \frac{1}{TB}\sum_{t,b} \tfrac12 \lVert m \odot (V_{th} X - V) \rVert^2, \qquad m = X \oplus [V \ge V_{th}]

    Args:
        threshold: :math:`V_{th}` of the output neurons.
        mask: False keeps the error of every neuron (the paper's figure 4A).

    Shape:
        ``mem_out`` (V before reset) and ``targets`` (X, zeros and ones): ``[T, B, neurons]``; the result is a scalar.

    Source:
        Roy, Panda & Roy 2019, eq. 5-9.

    Example:
        >>> import torch
        >>> mem_out = torch.tensor([[[0.25, 1.5, 0.25]]])
        >>> masked_membrane_loss()(mem_out, torch.tensor([[[1.0, 1.0, 0.0]]]))  # only the first neuron is wrong
        tensor(0.2812)
    """

    def __init__(self, threshold: float = 1.0, mask: bool = True) -> None:
        """Keep the threshold and whether to mask."""
        super().__init__(reduction="mean", weight=None)
        self.threshold = threshold
        self.mask = mask
        self.__name__ = "masked_membrane_loss"

    def _compute_loss(self, mem_out: Tensor, targets: Tensor) -> Tensor:
        return membrane_loss(mem_out, targets, self.threshold, self.mask)
