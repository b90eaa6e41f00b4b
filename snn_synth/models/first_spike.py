"""A classifier in which each neuron fires at most once, and the first output to fire decides."""

from dataclasses import dataclass

import torch
from torch import Tensor

from snn_synth.encoding import step_times
from snn_synth.errors import InputError
from snn_synth.functional import normalize_gradient
from snn_synth.models.flatten import flatten_images
from snn_synth.models.pretrained import Pretrained
from snn_synth.ttfs import TTFSIFLinear


@dataclass(frozen=True, eq=False)
class FirstSpikeOutput:
    """Steps of the spikes of a network in which each neuron fires at most once; T where it does not.

    Example:
        >>> inputs, hidden, times = torch.tensor([[0, 2, 8]]), torch.tensor([[1, 6]]), torch.tensor([[8, 4]])
        >>> out = FirstSpikeOutput(8, inputs, hidden, times)
        >>> out.labels, out.decision, out.spikes  # of two inputs, a hidden neuron, and the output that decides
        (tensor([1]), tensor([4]), tensor([4]))
    """

    num_steps: int
    """T."""
    inputs: Tensor
    """``[B, inputs]``."""
    hidden: Tensor
    """``[B, hidden]``."""
    times: Tensor
    """Of the output neurons, ``[B, classes]``."""

    @property
    def labels(self) -> Tensor:
        """The output that fires first, the lower one of two; -1 if none fires: ``[B]``."""
        return torch.where(self.decision < self.num_steps, self.times.argmin(1), -1)

    @property
    def decision(self) -> Tensor:
        """The step of the first output's spike, T if none fires: ``[B]``."""
        return self.times.min(1).values

    @property
    def spikes(self) -> Tensor:
        """How many spikes there are in the whole network until the decision, ``[B]``."""
        until = self.decision[:, None]
        decided = (self.times <= until) & (self.times < self.num_steps)
        return (self.inputs < until).sum(1) + (self.hidden < until).sum(1) + decided.sum(1)


class FirstSpikeClassifier(Pretrained):
    """Neurons that integrate without a leak and fire at most once; the first output to fire is the class.

    Args:
        inputs: pixels.
        hidden: neurons between.
        classes: output neurons.
        num_steps: T.
        smoothing: of the gradients, see :func:`~snn_synth.functional.if_spike_times`; None is S4NN, which then also
            gives each sample's error the same length in the hidden layer.

    Shape:
        steps ``[B, inputs]`` to a :class:`FirstSpikeOutput`.

    Raises:
        InputError: for what the layers refuse, or a batch without any spike to fire upon.

    Source:
        Kheradpisheh & Masquelier 2020 (S4NN); Kotariya & Ganguly 2021 measure it with their aggressive loss.

    Example:
        >>> out = FirstSpikeClassifier(4, 3, 2, num_steps=8)(torch.tensor([[0.0, 1.0, 2.0, 8.0]]))
        >>> out.times.shape, out.labels.shape, bool((out.decision <= 8).all())
        (torch.Size([1, 2]), torch.Size([1]), True)
    """

    def __init__(
        self,
        inputs: int = 784,
        hidden: int = 400,
        classes: int = 10,
        num_steps: int = 64,
        smoothing: float | None = 64.0,
    ) -> None:
        """Make the two layers."""
        super().__init__()
        self.inputs, self.num_steps, self.smoothing = inputs, num_steps, smoothing
        self.hidden = TTFSIFLinear(inputs, hidden, num_steps, gain=0.5, spread=1.5, smoothing=smoothing)
        self.output = TTFSIFLinear(hidden, classes, num_steps, smoothing=smoothing)

    def forward(self, times: Tensor) -> FirstSpikeOutput:
        """Steps of all spikes."""
        if len(times) and not (times < self.num_steps).any():
            raise InputError("Expected a batch with a spike to fire upon, got none")
        hidden = self.hidden(times)
        read = normalize_gradient(hidden) if self.smoothing is None else hidden
        return FirstSpikeOutput(self.num_steps, times, hidden, self.output(read))

    @torch.no_grad()
    def classify(self, images: Tensor) -> Tensor:
        """Labels of images in [0, 1], ``[B, ...]`` with ``inputs`` pixels each."""
        flat = flatten_images(images, self.inputs)
        out: FirstSpikeOutput = self(step_times(flat, self.num_steps))
        return out.labels
