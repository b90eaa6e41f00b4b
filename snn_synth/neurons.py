"""The paper's neuron as a subclass of ``snn.Leaky``."""

from collections.abc import Callable
from typing import Any

import snntorch as snn
import torch
from torch import Tensor, nn

from snn_synth import functional
from snn_synth.errors import InputError
from snn_synth.functional.inputs import as_constant, as_values, number, shown
from snn_synth.functional.lif import Reset, check_reset, check_scan, next_membrane, of_dtype
from snn_synth.kernels import lif_scan, lif_scan_loss, lif_spikes, neuron_spikes
from snn_synth.kernels.dispatch import backend, constant, has_hooks
from snn_synth.surrogate import SigmoidCentered

__all__ = ["SigmoidLeaky", "reset_states"]

_OURS = {
    "beta": "alpha (beta = 1 - alpha)",
    "spike_grad": "slope, or to assign another surrogate to `neuron.spike_grad`",
    "reset_mechanism": "reset",
}
_CONSTANTS = ("beta", "threshold", "graded_spikes_factor", "reset_mechanism_val")


class SigmoidLeaky(snn.Leaky):  # type: ignore[misc]
    r"""Leaky integrate-and-fire neuron of the paper: fires at the threshold itself, then starts again from 0.

    .. math::
        V[t] = (1-\alpha)\,V[t-1]\,(1-A[t-1]) + Z[t], \qquad A[t] = [V[t] \ge V_{th}]

    With ``reset="subtract"`` it keeps what exceeds the threshold:
    :math:`V[t] = (1-\alpha)\,V[t-1] + Z[t] - V_{th} A[t-1]`. Learned, leak and threshold are parameters like any.

    It is called like ``snn.Leaky``: ``spk, mem = neuron(current, mem)``, where ``mem`` is V before its reset. Unlike
    there, calling it without ``mem`` starts from rest, and no state is kept, unless ``init_hidden=True``. Every option
    of ``snn.Leaky``, and what it does here: docs/neuron.md.

    Args:
        alpha: leak, one number or one for each neuron; 0 integrates without loss. snnTorch's ``beta`` is ``1 - alpha``.
        threshold: :math:`V_{th}`, one number or one for each neuron.
        slope: steepness of the surrogate's sigmoid.
        reset: what a spike does to V: back to ``zero``, the paper's, or ``subtract`` the threshold.
        **leaky: further arguments of ``snn.Leaky``: ``init_hidden``, ``output``, ``learn_beta``, ...

    Shape:
        one step: ``[B, ...]``; :meth:`scan`: ``[T, B, ...]``. The results have the dtype of the input.

    Raises:
        InputError: for ``alpha`` outside [0, 1], a threshold that is not positive, what is no finite number, or
            arguments that would make it another neuron.

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

    mem: Tensor

    def __init__(
        self,
        alpha: float | Tensor = 0.1,
        threshold: float | Tensor = 1.0,
        slope: float = 1.0,
        reset: Reset = "zero",
        **leaky: Any,
    ) -> None:
        """Check everything before snnTorch registers the neuron."""
        check_reset(reset)
        leak, height = as_constant("alpha", alpha), as_constant("threshold", threshold)
        if not ((leak >= 0) & (leak <= 1)).all():
            raise InputError(f"Expected `alpha` in [0, 1], got {shown(alpha)}")
        if not (height > 0).all():
            raise InputError(f"Expected `threshold` to be positive, got {shown(threshold)}")
        for name, instead in _OURS.items():
            if name in leaky:
                raise InputError(f"SigmoidLeaky sets `{name}` itself: expected {instead}, got {name}={leaky[name]!r}")
        surrogate = SigmoidCentered(slope)
        # Learned, they are parameters like any; constants stay float64, so that a double model sees alpha exactly.
        numbers = {"beta": 1 - leak, "threshold": height}
        if "graded_spikes_factor" in leaky:
            numbers["graded_spikes_factor"] = as_constant("graded_spikes_factor", leaky.pop("graded_spikes_factor"))
        for name, value in numbers.items():
            if leaky.get(f"learn_{name}"):
                numbers[name] = value.to(torch.get_default_dtype())
        device = torch.get_default_device()
        try:
            with torch.device("cpu"):  # snnTorch reads values, which there are none of on `meta`
                super().__init__(spike_grad=surrogate, reset_mechanism=reset, **numbers, **leaky)
        except TypeError as error:
            raise InputError(f"Expected the arguments of snntorch.Leaky, got {sorted(leaky)} ({error})") from None
        if not self.init_hidden:  # snnTorch's registry would keep the neuron alive for ever
            snn.SpikingNeuron.instances[:] = [n for n in snn.SpikingNeuron.instances if n is not self]
        self.to(device)

    @property
    def slope(self) -> float:
        """Steepness of the surrogate's sigmoid.

        Raises:
            InputError: if another surrogate has been assigned, which has none.
        """
        slope = getattr(self.spike_grad, "slope", None)
        if slope is None:
            got = getattr(self.spike_grad, "__qualname__", type(self.spike_grad).__name__)
            raise InputError(f"Expected a surrogate with a slope, SigmoidCentered, got {got}: see `neuron.spike_grad`")
        return float(slope)

    @property
    def decay(self) -> Tensor:
        """Share of the membrane potential that is left after a step, ``1 - alpha``."""
        beta: Tensor = self.beta
        return beta.clamp(0, 1) if "beta" in self._parameters else beta

    @property
    def plain(self) -> bool:
        """Whether a step is the equation above and nothing else, for which there are kernels.

        No option changes it, no subclass, no other surrogate, and no hook waits for each step.
        """
        return (
            getattr(self.forward, "__func__", None) is SigmoidLeaky.forward
            and type(self).scan is SigmoidLeaky.scan
            and type(self.spike_grad) is SigmoidCentered
            and not (self.inhibition or self.state_quant or self.surrogate_disable)
            and bool(self.reset_delay)
            and not (has_hooks(self) or has_hooks(self.spike_grad))
        )

    def forward(self, input_: Tensor, mem: Tensor | None = None) -> Any:
        """One time step, as ``snn.Leaky``: ``(spk, mem)``, or ``spk`` alone with ``init_hidden`` and not ``output``."""
        input_ = as_values(input_, name="currents")
        if self.init_hidden:
            if mem is not None:
                raise TypeError("`mem` should not be passed as an argument while `init_hidden=True`")
            mem = self.mem if self.mem.shape == input_.shape else None
        elif mem is not None and mem.numel() == 0:  # snnTorch's reset_mem() gives an empty tensor
            mem = None
        if mem is None:
            mem = torch.zeros_like(input_)
        elif mem.shape != input_.shape:
            raise InputError(f"Expected `mem` of shape {list(input_.shape)}, got {list(mem.shape)}")
        spikes, mem = self._step(input_, mem)
        if self.init_hidden or self._forward_hooks:  # a monitor reads it; else the caller holds the state and its graph
            self.mem = mem
        return spikes if self.init_hidden and not self.output else (spikes, mem)

    def mem_reset(self, mem: Tensor) -> Tensor:
        """1 where a neuron starts again from 0 after the membrane potential ``mem``, a constant."""
        return self._fire(mem - of_dtype(self.threshold, mem)).detach()

    def reset_mem(self) -> Tensor:
        """Forget the hidden state; the empty tensor starts from rest, with any batch size."""
        self.mem = torch.zeros_like(self.mem) if self.init_hidden else self.mem.new_zeros(0)
        return self.mem

    def scan(self, currents: Tensor, mem: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """All time steps: ``[T, B, ...]`` to ``(spikes, membrane)`` of that shape, membrane before reset.

        The same as one call per step, from rest or from ``mem``. Hooks see each step, for which a neuron that has some
        gives up its kernel.
        """
        currents = as_values(currents, name="currents")
        if self.plain:
            spikes, membranes = lif_scan(currents, mem, self.decay, self.threshold, self.slope, self.reset_mechanism)
            return self._graded(spikes), membranes
        if self.init_hidden:
            raise InputError(
                "Expected a plain neuron in `scan` with init_hidden=True, got hooks, another surrogate or an option "
                "that changes its step: call it step by step"
            )
        check_scan(currents, mem)
        steps = []
        for current in currents:
            spikes, mem = self(current, mem)
            steps.append((spikes, mem))
        self.reset_mem()
        spikes, membranes = (torch.stack(every) for every in zip(*steps, strict=True))
        return spikes, membranes

    def spikes_alone(self, currents: Tensor) -> Tensor | None:
        """The spikes of a :meth:`scan` from rest, by a kernel that writes no membranes; None where there is none."""
        if torch.is_grad_enabled() or not self.plain or backend(currents) == "reference":
            return None
        return self._graded(lif_spikes(currents, self.decay, self.threshold, self.reset_mechanism))

    def spikes_through(self, spikes: Tensor, weight: Tensor) -> Tensor | None:
        """The spikes of a :meth:`scan` of ``spikes @ weight.T``, whose currents are not written; None as above."""
        numbers = self.decay, self.threshold, self.graded_spikes_factor
        if (
            torch.is_grad_enabled()
            or backend(spikes) == "reference"
            or not self.plain
            or not all(map(constant, numbers))
        ):
            return None
        if number(self.graded_spikes_factor) != 1 or self.reset_mechanism != "zero":
            return None
        return neuron_spikes(spikes, weight, number(self.decay), number(self.threshold))

    def scan_loss(self, currents: Tensor, targets: Tensor, mask: bool = True) -> Tensor:
        """Masked membrane loss of a :meth:`scan` from rest against target spikes, both ``[T, B, ...]``, in one pass."""
        if not self.plain:
            return self.membrane_loss(self.scan(currents)[1], targets, mask)
        currents = as_values(currents, name="currents")
        targets = as_values(targets, currents, "targets")
        return lif_scan_loss(currents, targets, self.decay, self.threshold, mask, self.reset_mechanism)

    def membrane_loss(self, membranes: Tensor, targets: Tensor, mask: bool = True) -> Tensor:
        """The same loss of membranes that :meth:`scan` returned."""
        if self.inhibition or not self.reset_delay:
            raise InputError(
                "Expected an output neuron without inhibition and with reset_delay=True, as the membrane loss takes V "
                "before its reset and fires wherever V reaches the threshold: use a loss of its spikes"
            )
        return functional.membrane_loss(membranes, targets, self.threshold, mask)

    def _step(self, current: Tensor, mem: Tensor) -> tuple[Tensor, Tensor]:
        reset = self.mem_reset(mem)
        mem = next_membrane(current, mem, reset, self.decay, self.threshold, self.reset_mechanism)  # eq. 1
        if self.state_quant:
            mem = self.state_quant(mem)
        above = mem - of_dtype(self.threshold, mem)
        fired = self._fire(above)  # eq. 2
        if self.inhibition:  # of the neurons of a sample, the one with the highest potential alone
            fired = fired * torch.zeros_like(fired).scatter(1, above.argmax(1, keepdim=True), 1)
        if not self.reset_delay:
            taken = mem if self.reset_mechanism == "zero" else of_dtype(self.threshold, mem)
            mem = mem - (fired - reset) * taken
        return self._graded(fired), mem

    def _fire(self, above: Tensor) -> Tensor:
        fired: Tensor = self.spike_grad(above)
        return fired.to(above.dtype)  # snnTorch's surrogates give float32

    def _graded(self, spikes: Tensor) -> Tensor:
        factor = self.graded_spikes_factor
        if backend(spikes) != "reference" and constant(factor) and number(factor) == 1:
            return spikes
        return spikes * of_dtype(factor, spikes)

    @staticmethod
    def _surrogate_bypass(above: Tensor) -> Tensor:
        """With ``surrogate_disable``: snnTorch's own fires above the threshold alone, and always in float32."""
        return (above >= 0).to(above.dtype)

    def __setattr__(self, name: str, value: Any) -> None:
        """Take a function as another surrogate too; PyTorch takes nothing but a module in a module's place."""
        if name == "reset_mechanism":
            check_reset(value)
        if name == "spike_grad" and not isinstance(value, nn.Module):
            self._modules.pop(name, None)
        super().__setattr__(name, value)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "SigmoidLeaky":
        # Constants follow to another device, but keep their dtype, and their values on `meta` and back.
        constants = {name: x for name in _CONSTANTS if (x := self._buffers.pop(name, None)) is not None}
        super()._apply(fn, recurse)
        device = self.mem.device
        for name, x in constants.items():
            if device.type == "mps" and x.dim() > 0:  # it has no float64, and takes one number from the CPU
                x = x.float().to(device)
            elif device.type not in ("mps", "meta"):
                x = x.to(device)
            self._buffers[name] = x
        return self

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        reset = state_dict.get(f"{prefix}reset_mechanism_val")
        if reset is not None and int(reset) != self.reset_dict[self.reset_mechanism]:
            mechanism = {value: name for name, value in self.reset_dict.items()}.get(int(reset))
            raise InputError(
                f"Expected the state of neurons with reset={self.reset_mechanism!r}, got {mechanism!r} in "
                f"{prefix or 'it'}"
            )
        super()._load_from_state_dict(state_dict, prefix, *args)


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
