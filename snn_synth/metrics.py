"""The paper's errors as torchmetrics, which Lightning accumulates over batches and ranks."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from snn_synth.functional.inputs import as_values
from snn_synth.functional.metrics import firing_rate, spike_mse, standardized_mse, synaptic_operations
from snn_synth.functional.recognition import fit_temperature

__all__ = ["Mean", "SpikeMSE", "StandardizedMSE", "Temperature", "firing_rate", "synaptic_operations"]


class Mean(Metric):
    """Mean over all samples.

    torchmetrics' own adds up in place, which fails in a ``fit`` after a ``validate``: its sums then come from inference
    mode.

    Shape:
        ``update(values)``: any, a value for each sample.

    Example:
        >>> metric = Mean()
        >>> metric.update(torch.tensor([1.0, 2.0]))
        >>> metric.update(torch.tensor([6.0]))
        >>> metric.compute()
        tensor(3.)
    """

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, **kwargs: Any) -> None:
        """Start from no samples; ``kwargs`` go to ``torchmetrics.Metric``."""
        super().__init__(**kwargs)
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, values: Tensor) -> None:
        """Add a batch."""
        values = as_values(values)
        self.total = self.total + values.sum()
        self.count = self.count + values.numel()

    def compute(self) -> Tensor:
        """Mean over all samples so far."""
        return self.total / self.count


class StandardizedMSE(Mean):
    r"""The paper's MSE: mean square error after giving each map zero mean and unit variance.

    .. math:: \mathrm{MSE} = \frac1B \sum_b \overline{(z_{out} - z_{img})^2}

    Shape:
        ``update(outputs, images)``: both ``[B, ...]``.

    Source:
        Roy, Panda & Roy 2019, section 4.1; maps as in :func:`snn_synth.functional.standardized_mse`.

    Example:
        >>> metric = StandardizedMSE()
        >>> metric.update(torch.zeros(1, 3), torch.tensor([[0.0, 1.0, 2.0]]))
        >>> print(f"{metric.compute():.3f}")
        1.000
    """

    is_differentiable = True
    higher_is_better = False

    def update(self, outputs: Tensor, images: Tensor) -> None:  # type: ignore[override]
        """Add a batch."""
        super().update(standardized_mse(outputs, images))


class SpikeMSE(StandardizedMSE):
    r"""The paper's Spike-MSE: :class:`StandardizedMSE` of two spike trains summed over time.

    Shape:
        ``update(output_spikes, input_spikes)``: both ``[T, B, ...]``.

    Source:
        Roy, Panda & Roy 2019, section 4.1.

    Example:
        >>> metric = SpikeMSE()
        >>> metric.update(torch.eye(3)[:, None], torch.eye(3)[:, None] * torch.tensor([0.0, 1.0, 1.0]))
        >>> print(f"{metric.compute():.3f}")
        1.000
    """

    def update(self, output_spikes: Tensor, input_spikes: Tensor) -> None:  # type: ignore[override]
        """Add a batch."""
        Mean.update(self, spike_mse(output_spikes, input_spikes))


class Temperature(Metric):
    """The temperature at which recognition is right as often as it says, of all words so far.

    Shape:
        ``update(errors, labels)``: ``[B, L]``, the standardized MSE against each label's image, and ``[B]``.

    Source:
        :func:`snn_synth.functional.fit_temperature`.

    Example:
        >>> metric = Temperature()
        >>> metric.update(torch.tensor([[0.2, 0.4], [0.2, 0.4]]), torch.tensor([0, 0]))
        >>> metric.update(torch.tensor([[0.4, 0.2], [0.3, 0.5]]), torch.tensor([1, 1]))
        >>> print(f"{metric.compute():.3f}")
        0.289
    """

    full_state_update = False
    errors: list[Tensor]
    labels: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        """Start from no words; ``kwargs`` go to ``torchmetrics.Metric``."""
        super().__init__(**kwargs)
        self.add_state("errors", [], dist_reduce_fx="cat")
        self.add_state("labels", [], dist_reduce_fx="cat")

    def update(self, errors: Tensor, labels: Tensor) -> None:
        """Add a batch."""
        self.errors.append(errors)
        self.labels.append(labels)

    def compute(self) -> Tensor:
        """The temperature of maximum likelihood."""
        return fit_temperature(dim_zero_cat(self.errors), dim_zero_cat(self.labels))
