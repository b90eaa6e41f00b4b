"""Layers from spike times to spike times: each neuron fires at most once."""

import torch
from torch import Tensor, nn

from snn_synth.errors import InputError
from snn_synth.functional.inputs import as_values, positive
from snn_synth.kernels import alpha_spike_times, if_spike_times

__all__ = ["AlphaTTFSLinear", "TTFSIFLinear"]


class AlphaTTFSLinear(nn.Module):
    r"""Fully connected neurons with alpha-shaped potentials, from the times of their inputs' spikes to their own.

    Beside its inputs a layer has pulses: spikes at learned times, the same for every sample. Call :meth:`keep_pulses`
    after each update. A neuron that stays silent has no gradient: add
    :func:`~snn_synth.functional.silent_penalty` to the loss.

    Args:
        in_features: inputs.
        out_features: neurons.
        n_pulses: P; they start evenly spread over (0, 1), the inputs' span.
        decay_rate: K; a potential peaks 1/K after its spike.
        threshold: :math:`\theta`.
        clip: of the partial derivatives, see :func:`~snn_synth.functional.alpha_spike_times`.
        init_mean: mean of the initial weights, in their standard deviations :math:`\sqrt{2 / (in + out + P)}`.
        init_pulse_mean: the same of the pulses' weights.

    Shape:
        ``[B, in]`` to ``[B, out]``; inf is a neuron that does not fire.

    Raises:
        InputError: for sizes below 1, times of another shape, negative or NaN, a pulse before 0, or a batch without any
            spike to fire upon.

    Source:
        Comsa, Versari, Fischbacher & Alakuijala 2021, section 2.

    Example:
        >>> layer = AlphaTTFSLinear(3, 2, n_pulses=1)
        >>> torch.nn.init.constant_(layer.weight, 2.0).shape, layer.pulse_times
        (torch.Size([2, 4]), Parameter containing:
        tensor([0.5000], requires_grad=True))
        >>> layer(torch.tensor([[0.2, 0.4, torch.inf]]))
        tensor([[0.5068, 0.5068]], grad_fn=<_AlphaSpikeTimesBackward>)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        n_pulses: int = 10,
        *,
        decay_rate: float = 0.2,
        threshold: float = 0.8,
        clip: float = 300.0,
        init_mean: float = 0.5,
        init_pulse_mean: float = 0.5,
    ) -> None:
        """Draw the weights and spread the pulses."""
        super().__init__()
        if min(in_features, out_features) < 1 or n_pulses < 0:
            raise InputError(
                f"Expected at least one input and one neuron and no fewer than 0 pulses, "
                f"got {in_features}, {out_features} and {n_pulses}"
            )
        self.in_features, self.out_features = in_features, out_features
        self.decay_rate, self.threshold = positive("decay_rate", decay_rate), positive("threshold", threshold)
        self.clip = clip
        deviation = (2 / (in_features + out_features + n_pulses)) ** 0.5
        means = torch.cat([torch.full((in_features,), init_mean), torch.full((n_pulses,), init_pulse_mean)])
        self.weight = nn.Parameter(deviation * (means + torch.randn(out_features, in_features + n_pulses)))
        self.pulse_times = nn.Parameter(torch.arange(1, n_pulses + 1) / (n_pulses + 1))

    def forward(self, times: Tensor) -> Tensor:
        """Times of the neurons' spikes."""
        times = _checked(times, self.in_features, self.weight)
        if bool((self.pulse_times < 0).any()):
            raise InputError(
                f"Expected no pulse before the time 0, got {self.pulse_times.min():.4g}: call `keep_pulses()` after "
                "each update"
            )
        pulses = self.pulse_times.to(times.dtype).expand(len(times), -1)
        every = torch.cat([times, pulses], 1)
        if len(every) and not every.isfinite().any():
            raise InputError("Expected a batch with a spike to fire upon, got none from inputs or pulses")
        return alpha_spike_times(every, self.weight, self.decay_rate, self.threshold, self.clip)

    def extra_repr(self) -> str:
        """Sizes and the neurons' settings."""
        return (
            f"{self.in_features}, {self.out_features}, n_pulses={len(self.pulse_times)}, "
            f"decay_rate={self.decay_rate:.4g}, threshold={self.threshold:.4g}"
        )

    @torch.no_grad()
    def keep_pulses(self) -> None:
        """After an update: no pulse before the time 0."""
        self.pulse_times.clamp_(min=0)


class TTFSIFLinear(nn.Module):
    r"""Fully connected neurons that integrate without a leak, from the steps of their inputs' spikes to their own.

    Where few inputs fire, as of MNIST's pixels a fifth, most neurons are silent at first: a larger gain or spread lets
    them fire, and :func:`~snn_synth.functional.homeostatic_loss` keeps them firing.

    Args:
        in_features: inputs.
        out_features: neurons.
        num_steps: T, which means that a neuron does not fire.
        threshold: :math:`\theta`.
        gain: mean of the initial weights, in :math:`\theta` / inputs: if all inputs fired, the potentials would end at
            gain times the threshold on average.
        spread: their standard deviation, in :math:`\theta / \sqrt{inputs}`: that of those potentials, in thresholds.
        pulse: give the neurons one more input, which always fires at the step 0.
        smoothing: of the gradient, in steps; see :func:`~snn_synth.functional.if_spike_times`.

    Shape:
        ``[B, in]`` to ``[B, out]``, whole numbers from 0 to T.

    Raises:
        InputError: for sizes below 1, times of another shape, and what
            :func:`~snn_synth.functional.if_spike_times` refuses.

    Source:
        Kheradpisheh & Masquelier 2020, who draw the initial weights uniformly from 0.

    Example:
        >>> layer = TTFSIFLinear(3, 2, num_steps=8)
        >>> torch.nn.init.constant_(layer.weight, 0.4).shape
        torch.Size([2, 3])
        >>> layer(torch.tensor([[0.0, 3.0, 5.0]]))
        tensor([[6., 6.]], grad_fn=<_IFSpikeTimesBackward>)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        num_steps: int = 256,
        threshold: float = 1.0,
        gain: float = 2.0,
        spread: float = 0.5,
        pulse: bool = False,
        smoothing: float | None = None,
    ) -> None:
        """Draw the weights."""
        super().__init__()
        if min(in_features, out_features, num_steps) < 1:
            raise InputError(
                f"Expected at least one input, one neuron and one step, "
                f"got {in_features}, {out_features} and {num_steps}"
            )
        self.in_features, self.out_features = in_features, out_features
        self.threshold = positive("threshold", threshold)
        self.num_steps, self.pulse, self.smoothing = num_steps, pulse, smoothing
        inputs = in_features + pulse
        noise = torch.randn(out_features, inputs)
        self.weight = nn.Parameter(self.threshold * (gain / inputs + spread / inputs**0.5 * noise))

    def forward(self, times: Tensor) -> Tensor:
        """Steps of the neurons' spikes."""
        times = _checked(times, self.in_features, self.weight)
        if self.pulse:
            times = torch.cat([times, times.new_zeros(len(times), 1)], 1)
        return if_spike_times(times, self.weight, self.threshold, self.num_steps, self.smoothing)

    def extra_repr(self) -> str:
        """Sizes and the neurons' settings."""
        return (
            f"{self.in_features}, {self.out_features}, num_steps={self.num_steps}, threshold={self.threshold:.4g}, "
            f"pulse={self.pulse}, smoothing={self.smoothing}"
        )


def _checked(times: Tensor, in_features: int, weight: Tensor) -> Tensor:
    times = as_values(times, weight, "times")
    if times.dim() != 2 or times.shape[1] != in_features:
        raise InputError(f"Expected times of shape [B, {in_features}], got {list(times.shape)}")
    return times
