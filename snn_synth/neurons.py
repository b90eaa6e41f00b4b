"""The paper's neuron as a subclass of ``snn.Leaky``."""

from collections.abc import Callable
from typing import Any

import snntorch as snn
import torch
from torch import Tensor, nn

from snn_synth.errors import InputError
from snn_synth.kernels import lif_scan, lif_scan_loss
from snn_synth.surrogate import SigmoidCentered

_OURS = {
    "beta": "alpha (beta = 1 - alpha)",
    "spike_grad": "slope",
    "reset_mechanism": "alpha and threshold alone",
}


class SigmoidLeaky(snn.Leaky):  # type: ignore[misc]
    r"""Leaky integrate-and-fire neuron of the paper: fires at the threshold itself, then starts again from 0.

    .. math::
        V[t] = (1-\alpha)\,V[t-1]\,(1-A[t-1]) + Z[t], \qquad A[t] = [V[t] \ge V_{th}]

    It is called like ``snn.Leaky``: ``spk, mem = neuron(current, mem)``, where ``mem`` is V before its reset. Unlike
    there, calling it without ``mem`` starts from rest, and no state is kept, unless ``init_hidden=True``.

    Args:
        alpha: leak; 0 integrates without loss. snnTorch's ``beta`` is ``1 - alpha``.
        threshold: :math:`V_{th}`.
        slope: steepness of the surrogate's sigmoid.
        **leaky: further arguments of ``snn.Leaky``: ``init_hidden``, ``output``, ``learn_beta``, ...

    Shape:
        one step: ``[B, ...]``; :meth:`scan`: ``[T, B, ...]``.

    Raises:
        InputError: for ``alpha`` outside [0, 1], a threshold that is not positive, or arguments that would make it
            another neuron.

    Source:
        Roy, Panda & Roy 2019, eq. 1-4.

    Example:
        >>> neuron = SigmoidLeaky(alpha=0.5)
        >>> spk, mem = neuron(torch.tensor([[0.75]]))
        >>> spk, mem = neuron(torch.tensor([[0.75]]), mem)
        >>> spk, mem
        (tensor([[1.]]), tensor([[1.1250]]))
        >>> spk, mem = neuron.scan(torch.full((4, 1, 1), 0.75))
        >>> spk.flatten().tolist()
        [0.0, 1.0, 0.0, 1.0]
    """

    def __init__(
        self, alpha: float | Tensor = 0.1, threshold: float | Tensor = 1.0, slope: float = 1.0, **leaky: Any
    ) -> None:
        """Check everything before snnTorch registers the neuron."""
        leak = torch.as_tensor(alpha, dtype=torch.float64)
        height = torch.as_tensor(threshold, dtype=torch.float64)
        if not ((leak >= 0) & (leak <= 1)).all():
            raise InputError(f"Expected `alpha` in [0, 1], got {alpha}")
        if not (height > 0).all():
            raise InputError(f"Expected `threshold` to be positive, got {threshold}")
        for name, instead in _OURS.items():
            if name in leaky:
                raise InputError(f"SigmoidLeaky sets `{name}` itself: expected {instead}, got {name}={leaky[name]!r}")
        surrogate = SigmoidCentered(slope)
        # Parameters are float32 as everywhere; constants stay float64, so that a double model sees alpha exactly.
        beta = (1 - leak).to(torch.float32 if leaky.get("learn_beta") else torch.float64)
        height = height.to(torch.float32 if leaky.get("learn_threshold") else torch.float64)
        try:
            super().__init__(beta=beta, threshold=height, spike_grad=surrogate, reset_mechanism="zero", **leaky)
        except TypeError as error:
            raise InputError(f"Expected the arguments of snntorch.Leaky, got {sorted(leaky)} ({error})") from None
        if not self.init_hidden:  # snnTorch's registry would keep the neuron alive for ever
            snn.SpikingNeuron.instances[:] = [n for n in snn.SpikingNeuron.instances if n is not self]

    @property
    def slope(self) -> float:
        """Steepness of the surrogate's sigmoid."""
        return float(self.spike_grad.slope)

    @property
    def decay(self) -> Tensor:
        """Share of the membrane potential that is left after a step, ``1 - alpha``."""
        return self.beta.clamp(0, 1) if isinstance(self.beta, nn.Parameter) else self.beta

    def forward(self, input_: Tensor, mem: Tensor | None = None) -> Any:
        """One time step, as ``snn.Leaky``: ``(spk, mem)``, or ``spk`` alone with ``init_hidden`` and not ``output``."""
        if self.init_hidden:
            return super().forward(input_, mem)
        if mem is None or mem.numel() == 0:  # snnTorch's reset_mem() gives an empty tensor
            mem = torch.zeros_like(input_)
        elif mem.shape != input_.shape:
            raise InputError(f"Expected `mem` of shape {list(input_.shape)}, got {list(mem.shape)}")
        result = super().forward(input_, mem)
        self.mem = input_.new_zeros(0)  # the caller holds the state, and with it the graph
        return result

    def scan(self, currents: Tensor, mem: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """All time steps: ``[T, B, ...]`` to ``(spikes, membrane)`` of that shape, membrane before reset."""
        self._check_plain()
        spikes, membranes = lif_scan(currents, mem, self.decay, self.threshold, self.slope)
        factor = self.graded_spikes_factor
        return (spikes if not factor.requires_grad and factor == 1 else spikes * factor), membranes

    def scan_loss(self, currents: Tensor, targets: Tensor, mask: bool = True) -> Tensor:
        """Masked membrane loss of a :meth:`scan` from rest against target spikes, both ``[T, B, ...]``, in one pass."""
        self._check_plain()
        return lif_scan_loss(currents, targets, self.decay, self.threshold, mask)

    def _check_plain(self) -> None:
        if self.inhibition or self.state_quant or not self.reset_delay or self.surrogate_disable:
            raise InputError("Expected a plain neuron in `scan`; call it step by step with inhibition or state_quant")

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "SigmoidLeaky":
        # Scalar constants follow to another device, and stay float64 whatever the dtype of the module.
        names = [n for n in ("beta", "threshold") if (b := self._buffers.get(n)) is not None and b.dim() == 0]
        exact = {name: self._buffers.pop(name) for name in names}
        super()._apply(fn, recurse)
        device = self.graded_spikes_factor.device
        for name, constant in exact.items():  # MPS has no float64, and takes a scalar from the CPU
            self._buffers[name] = constant if device.type == "mps" or constant is None else constant.to(device)
        return self


def reset_states(module: nn.Module) -> None:
    """Forget the hidden state of every spiking neuron inside ``module``, however deep, and of no other.

    ``snntorch.utils.reset`` of 1.0.0 misses nested neurons and resets those of other networks.

    Args:
        module: a network with ``init_hidden=True`` neurons.

    Example:
        >>> net = nn.Sequential(nn.Sequential(SigmoidLeaky(init_hidden=True)))
        >>> (
        ...     net(torch.tensor([[0.5]])).item(),
        ...     net(torch.tensor([[0.5]])).item(),
        ...     net(torch.tensor([[0.5]])).item(),
        ... )
        (0.0, 0.0, 1.0)
        >>> reset_states(net)
        >>> net(torch.tensor([[0.5]])).item()
        0.0
    """
    for neuron in module.modules():
        if callable(reset := getattr(neuron, "reset_mem", None)):
            reset()
