"""Fully connected spiking layers on top of each other."""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self, cast

import torch
from torch import Tensor, nn
from torch.utils._pytree import register_pytree_node

from snn_synth.construction import construct
from snn_synth.errors import InputError
from snn_synth.functional.inputs import as_constant, as_values
from snn_synth.functional.lif import Reset
from snn_synth.kernels import precision, spike_linear, use
from snn_synth.kernels.dispatch import has_hooks
from snn_synth.learning.layers import runs_layers
from snn_synth.models.pretrained import Pretrained
from snn_synth.neurons import SigmoidLeaky
from snn_synth.synapses import BatchNormed, SpikeConv2d, SpikeLinear


class Product:
    """Currents that nobody has asked for yet: of spikes that are not edited, and of the weights as they are now."""

    def __init__(self, spikes: Tensor, weight: Tensor) -> None:
        """Copy the weights, which are few where this is of use."""
        self.spikes, self.weight, self.version = spikes, weight.detach().clone(), _version(spikes)

    @torch.no_grad()
    def __call__(self) -> Tensor:
        """The currents, by the product that the spikes came from.

        Raises:
            InputError: if the hidden spikes have been edited.
        """
        if _version(self.spikes) != self.version:
            raise InputError("Expected hidden spikes as they were for the currents of the last layer, got edited ones")
        with use("numba", "tiles"), precision("float32"):
            return spike_linear(self.spikes, self.weight)


def _version(x: Tensor) -> int | None:
    """How often it was written to; PyTorch does not count in inference mode."""
    return None if x.is_inference() else x._version


@dataclass(eq=False)
class StackOutput:
    """What a spiking stack did over time: each entry ``[T, B, neurons]``.

    The last layer's neurons run when their spikes or membrane are first asked for: a loss may take ``currents`` instead
    and run them in the same pass as its gradient. Those that no kernel runs have run already. Without gradients it is
    the other way round where that is faster: the spikes are there, and currents are computed if they are asked for.
    PyTorch sees the tensors inside (``torch.export``, ``torch.func.vmap``, ...).

    Example:
        >>> from snn_synth.models import AESNN
        >>> out = AESNN(784, 196)(torch.ones(15, 2, 784))
        >>> out.hidden.shape, out.spikes.shape, torch.equal(out.spikes, (out.membrane >= 1).float())
        (torch.Size([15, 2, 196]), torch.Size([15, 2, 784]), True)
    """

    hidden_spikes: tuple[Tensor, ...]
    """Spikes of every layer but the last."""
    given: "Tensor | Product"
    """Input currents of the last layer, or what they are the product of."""
    neuron: SigmoidLeaky | None
    """The last layer's."""
    ran: tuple[Tensor, Tensor] | None = None
    """Its spikes and membrane, once it has run."""
    hidden_membranes: tuple[Tensor, ...] = ()
    """Membranes of every layer but the last, which the backward pass needs; none without one."""
    fired: Tensor | None = None
    """Spikes of the last layer, where they were asked for and its membrane was not."""

    @property
    def currents(self) -> Tensor:
        """Input currents of the last layer."""
        if isinstance(self.given, Product):
            self.given = self.given()
        return self.given

    def __getstate__(self) -> dict[str, Any]:
        """What a copy needs, computed."""
        self.given = self.currents
        return self.__dict__

    @property
    def _scan(self) -> tuple[Tensor, Tensor]:
        if self.ran is None:
            self.ran = cast(SigmoidLeaky, self.neuron).scan(self.currents)
        return self.ran

    @property
    def spikes(self) -> Tensor:
        """Spikes of the last layer."""
        if self.ran is None and self.fired is None:
            self.fired = cast(SigmoidLeaky, self.neuron).spikes_alone(self.currents)
        return self._scan[0] if self.fired is None else self.fired

    @property
    def membrane(self) -> Tensor:
        """Membrane potential of the last layer before reset, which the loss reads."""
        return self._scan[1]

    @property
    def layer_spikes(self) -> tuple[Tensor, ...]:
        """Spikes of every layer."""
        return (*self.hidden_spikes, self.spikes)

    @property
    def hidden(self) -> Tensor:
        """Spikes of the layer before the last: an autoencoder's code."""
        return self.hidden_spikes[-1]


def _tensors_of(out: StackOutput) -> tuple[list[Any], None]:
    return [out.hidden_spikes, out.currents, (out.spikes, out.membrane)], None


def _output_of(tensors: Iterable[Any], _: None) -> StackOutput:
    hidden_spikes, currents, ran = tensors
    return StackOutput(tuple(hidden_spikes), currents, None, tuple(ran))


register_pytree_node(StackOutput, _tensors_of, _output_of, serialized_type_name="snn_synth.StackOutput")


def layer(operator: SpikeLinear | SpikeConv2d, neuron: SigmoidLeaky, norm: bool) -> nn.ModuleList:
    """A pair of an operator, with batch norm if there is to be any, and its neurons.

    Raises:
        InputError: for an operator with a bias under batch norm, which has a shift of its own.
    """
    if norm and operator.bias is not None:
        raise InputError("Expected `norm` or `bias`, got both: batch norm shifts the currents itself")
    return nn.ModuleList([BatchNormed(operator) if norm else operator, neuron])


def neurons(
    size: int, alpha: float, threshold: float, slope: float, reset: Reset = "zero", learned: bool = False
) -> SigmoidLeaky:
    """The neurons of a layer; ``learned``, each has a leak and a threshold of its own, parameters as weights are."""
    if not learned:
        return SigmoidLeaky(alpha, threshold, slope, reset)
    leaks, thresholds = as_constant("alpha", alpha).expand(size), as_constant("threshold", threshold).expand(size)
    return SigmoidLeaky(leaks, thresholds, slope, reset, learn_beta=True, learn_threshold=True)


def run_layers(layers: Iterable[Any], spikes: Tensor, inputs: int) -> StackOutput:
    """Run layers, pairs of an operator and its neurons, over all time steps, from rest.

    Raises:
        InputError: unless the spikes are ``[T, B, inputs]``; or if NeuroBench runs the layers by itself.
    """
    *before, (operator, output_neuron) = layers
    first = before[0][0] if before else operator
    _refuse_neurobench(first)
    spikes = as_values(spikes, next(first.parameters(), None), "spikes")
    if spikes.dim() != 3 or spikes.shape[-1] != inputs or len(spikes) == 0:
        raise InputError(f"Expected spikes of shape [T, B, {inputs}], got {list(spikes.shape)} (T >= 1)")
    hidden_spikes, hidden_membranes = [], []
    for hidden_operator, neuron in before:
        fired = _fired(hidden_operator, neuron, spikes)
        if fired is None:
            hidden_currents = _currents(hidden_operator, spikes)
            fired = neuron.spikes_alone(hidden_currents)
        if fired is None:
            fired, membranes = neuron.scan(hidden_currents)
            if membranes.requires_grad:
                hidden_membranes.append(membranes)
        spikes = fired
        hidden_spikes.append(spikes)
    fired = _fired(operator, output_neuron, spikes) if before else None  # spikes of our own, which nobody refills
    if fired is not None:
        given = Product(spikes, operator.weight)
        return StackOutput(tuple(hidden_spikes), given, output_neuron, fired=fired)
    currents = _currents(operator, spikes)
    learned = next(output_neuron.parameters(), None) is not None  # DDP wants to see the use of parameters here
    ran = None if output_neuron.plain and not learned else output_neuron.scan(currents)
    return StackOutput(tuple(hidden_spikes), currents, output_neuron, ran, tuple(hidden_membranes))


def _refuse_neurobench(operator: nn.Module) -> None:
    """NeuroBench's own wrappers pass the batch first, which the network would take for time steps."""
    hooks = getattr(operator, "operator", operator)._forward_pre_hooks.values()
    if any(type(getattr(hook, "__self__", None)).__module__.startswith("neurobench.") for hook in hooks):
        raise InputError(
            "Expected NeuroBench to get `snn_synth.interop.neurobench.neurobench_model(network)`, got its hooks on "
            "the network: it passes the batch first and would count wrongly"
        )


def _fired(operator: nn.Module, neuron: SigmoidLeaky, spikes: Tensor) -> Tensor | None:
    """Spikes of a layer in one pass; None if a gradient, a hook or another operator wants more, or it is no faster."""
    plain = type(operator) is SpikeLinear and operator.bias is None and not has_hooks(operator)
    if not plain or (len(spikes) > 1 and spikes.stride(0) == 0):
        return None
    return neuron.spikes_through(spikes, cast(SpikeLinear, operator).weight)


def _currents(operator: nn.Module, spikes: Tensor) -> Tensor:
    """The product for all time steps at once; only for one where ``expand`` shows them the same input."""
    if len(spikes) > 1 and spikes.stride(0) == 0:
        once: Tensor = operator(spikes[:1])
        return once.expand(len(spikes), *once.shape[1:])
    currents: Tensor = operator(spikes)
    return currents


def folded(network: Any) -> Any:
    """A copy in evaluation of a network with ``.layers``, each batch norm folded into weights and a bias current."""
    if not network.config.get("norm"):
        return copy.deepcopy(network).eval()
    plain = construct(type(network), network.config | {"norm": False, "bias": True}).to(next(network.parameters()))
    for (operator, neuron), (normed, given) in zip(plain.layers, network.layers, strict=True):
        operator.load_state_dict(normed.folded().state_dict())
        neuron.load_state_dict(given.state_dict())
    return plain.eval()


class SpikingStack(Pretrained):
    r"""Fully connected layers of :class:`~snn_synth.neurons.SigmoidLeaky` neurons.

    .. math:: Z_l[t] = W_l A_{l-1}[t], \qquad A_0[t] = X[t]

    Args:
        sizes: neurons of the input and of each layer, such as ``[784, 196, 784]``.
        alpha: leak.
        threshold: firing threshold.
        slope: steepness of the surrogate's sigmoid.
        norm: batch norm on the currents Z of each layer (:class:`~snn_synth.synapses.BatchNormed`); for backpropagation
            through time, as it looks at all time steps at once.
        bias: a constant current into each neuron, such as batch norm leaves when it is folded.
        reset: what a spike does to V: back to ``zero``, the paper's, or ``subtract`` the threshold.
        learned: learn the leak and the threshold of each neuron, from ``alpha`` and ``threshold`` on; not under the
            online rule.

    Shape:
        ``[T, B, sizes[0]]`` to a :class:`StackOutput` with ``[T, B, sizes[-1]]``.

    Raises:
        InputError: for fewer than two sizes, sizes below 1, both ``norm`` and ``bias``, or spikes of a wrong shape.

    Source:
        Roy, Panda & Roy 2019, section 3.2.

    Example:
        >>> import torch
        >>> net = SpikingStack([4, 3, 2])
        >>> out = net(torch.ones(5, 1, 4))
        >>> out.spikes.shape, out.hidden.shape, out.membrane.shape
        (torch.Size([5, 1, 2]), torch.Size([5, 1, 3]), torch.Size([5, 1, 2]))
    """

    def __init__(
        self,
        sizes: Sequence[int],
        alpha: float = 0.1,
        threshold: float = 1.0,
        slope: float = 1.0,
        norm: bool = False,
        bias: bool = False,
        reset: Reset = "zero",
        learned: bool = False,
    ) -> None:
        """Make the layers with PyTorch's default initialisation."""
        if len(sizes) < 2 or min(sizes) < 1:
            raise InputError(
                f"Expected `sizes` of at least two layers with at least one neuron each, got {list(sizes)}"
            )
        super().__init__()
        self.sizes = list(sizes)
        self.layers = nn.ModuleList(
            layer(SpikeLinear(n, m, bias), neurons(m, alpha, threshold, slope, reset, learned), norm)
            for n, m in pairwise(sizes)
        )

    @runs_layers
    def forward(self, spikes: Tensor) -> StackOutput:
        """Run all time steps from rest."""
        return self.run(spikes)

    @runs_layers
    def run(self, spikes: Tensor, first: int = 0, last: int | None = None) -> StackOutput:
        """Run the layers ``first`` to ``last`` (exclusive) alone over all time steps, from rest."""
        return run_layers(list(self.layers)[first:last], spikes, self.sizes[first])

    def folded(self) -> Self:
        """The same network in evaluation, with a bias current instead of batch norm."""
        result: Self = folded(self)
        return result
