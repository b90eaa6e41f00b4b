"""The masked membrane loss in the calling convention of ``snntorch.functional``."""

from typing import Any, Literal

from snntorch.functional.loss import LossFunctions
from torch import Tensor

from snn_synth.errors import InputError
from snn_synth.functional import membrane_losses
from snn_synth.functional.inputs import as_constant, positive

__all__ = ["masked_membrane_loss"]


class masked_membrane_loss(LossFunctions):  # type: ignore[misc]  # noqa: N801  (snnTorch names its losses so)
    r"""Squared membrane error of the output neurons that fired wrongly.

    .. math::
        L = \frac{1}{TB}\sum_{t,b} \tfrac12 \lVert m \odot (V_{th} X - V) \rVert^2, \qquad m = X \oplus [V \ge V_{th}]

    It takes membranes before their reset. ``snn.Leaky`` returns those, as it resets in the next time step, unless it
    has ``reset_delay=False``; with ``init_hidden=True`` it returns them only if it has ``output=True``.

    Args:
        threshold: :math:`V_{th}` of the output neurons.
        mask: False keeps the error of every neuron (the paper's figure 4A).
        reduction: over the batch: ``mean``, ``sum``, or ``none`` for the loss of each sample. Over time it is the mean,
            as in ``snntorch.functional``.
        weight: of each output neuron in the sum of squares; where there is one neuron for a class, of the classes.

    Shape:
        ``mem_out`` (V before reset) and ``targets`` (X, zeros and ones): ``[T, B, neurons]``; ``weight``:
        ``[neurons]``; the result is a scalar, or ``[B]`` with ``none``. The mean of no sample is NaN, as in
        ``torch.nn.functional.mse_loss``.

    Raises:
        InputError: for a threshold that is not a positive number, another reduction, weights that are no finite
            numbers, or shapes that do not fit.

    Source:
        Roy, Panda & Roy 2019, eq. 5-9.

    Example:
        >>> import torch
        >>> mem_out = torch.tensor([[[0.25, 1.5, 0.25]]])
        >>> masked_membrane_loss()(mem_out, torch.tensor([[[1.0, 1.0, 0.0]]]))  # only the first neuron is wrong
        tensor(0.2812)
    """

    time_var_targets = True  # snntorch.backprop asks: the targets of a step are those of that step

    def __init__(
        self,
        threshold: float = 1.0,
        mask: bool = True,
        reduction: Literal["mean", "sum", "none"] = "mean",
        weight: Tensor | None = None,
    ) -> None:
        """Keep the settings."""
        if isinstance(threshold, Tensor) or isinstance(mask, Tensor):
            raise InputError(
                "Expected numbers to make the loss of, got a tensor: call masked_membrane_loss()(mem_out, targets)"
            )
        if reduction not in ("mean", "sum", "none"):
            raise InputError(f"Expected `reduction` of ['mean', 'sum', 'none'], got {reduction!r}")
        super().__init__(reduction, None if weight is None else as_constant("weight", weight))
        self.threshold = positive("threshold", threshold)
        self.mask = mask
        self.__name__ = "mse_membrane_loss"  # snntorch.backprop knows by this name that it takes membranes

    def __call__(self, mem_out: Any, targets: Any) -> Tensor:
        """The loss; unlike snnTorch's ``sum``, it sums weighted losses too."""
        losses = membrane_losses(mem_out, targets, self.threshold, self.mask, self.weight).mean(0)
        return losses if self.reduction == "none" else getattr(losses, self.reduction)()
