"""What a network costs by NeuroBench's own count: footprint, sparsity, synaptic operations, and how right it is."""

import contextlib
import io
import re
from typing import Any

import torch
from torch import Tensor, nn

from snn_synth.errors import InputError
from snn_synth.evaluation import inference_layers, inference_spikes, layer_names

__all__ = ["measure", "neurobench_model"]

BATCH = 20  # its hooks keep every layer's currents, spikes and membranes of a batch


def neurobench_model(model: nn.Module) -> Any:
    """A ``NeuroBenchModel`` of a network with ``.layers``, or of an AudioToImage, for NeuroBench's ``Benchmark``.

    It takes input spikes ``[B, T, inputs]`` and gives those of the last layer, ``[B, T, outputs]``. NeuroBench counts
    the layers that an inference passes: of an AudioToImage those of the audiocoder and of the decoder.

    Args:
        model: put into evaluation mode, as by NeuroBench's own wrappers.

    Raises:
        InputError: if NeuroBench is not installed, for a model without ``.layers``, or with an operator that NeuroBench
            does not count.

    Source:
        Yik et al., The neurobench framework for benchmarking neuromorphic computing algorithms and systems, 2025.

    Example:
        >>> from snn_synth.models import AESNN
        >>> neurobench_model(AESNN(784, 196))(torch.zeros(2, 15, 784)).shape
        torch.Size([2, 15, 784])
    """
    _require()
    from neurobench.blocks.layer import STATELESS_LAYERS
    from neurobench.hooks.layer import LayerHook
    from neurobench.hooks.neuron import NeuronHook
    from neurobench.metrics.workload.neuron_operations import neuron_ops_reset_operations
    from neurobench.models import NeuroBenchModel

    class OperatorHook(LayerHook):  # type: ignore[misc]
        """NeuroBench's, told from those of its own wrappers, which the layers refuse."""

    class SpikingModel(NeuroBenchModel):  # type: ignore[misc]
        """The layers of an inference, by their names."""

        def __init__(self) -> None:
            super().__init__()
            self.net = nn.ModuleList(nn.ModuleList(layer) for layer in inference_layers(model)).eval()

        def __call__(self, batch: Tensor) -> Tensor:
            """Time first for the network, samples first for NeuroBench."""
            return list(inference_spikes(model, batch.transpose(0, 1)).values())[-1].transpose(0, 1)

        def __net__(self) -> nn.Module:
            return self.net

        def activation_layers(self) -> list[dict[str, Any]]:
            """Names and neurons of all layers."""
            named = zip(layer_names(model)[1:], inference_layers(model), strict=True)
            return [{"layer_name": name, "layer": neuron} for name, (_, neuron) in named]

        def register_hooks(self) -> None:
            """Watch neurons and operators."""
            self.activation_hooks += [NeuronHook(one["layer"], one["layer_name"]) for one in self.activation_layers()]
            self.connection_hooks += [OperatorHook(operator) for operator in self.connection_layers()]

    for operator, _ in inference_layers(model):
        if not isinstance(getattr(operator, "operator", operator), STATELESS_LAYERS):
            raise InputError(
                "Expected operators that NeuroBench counts (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d), got a "
                f"{type(operator).__name__}"
            )
    # By the name of its class, NeuroBench would take the neuron for an unknown one, with no operations.
    neuron_ops_reset_operations.setdefault("SigmoidLeaky", neuron_ops_reset_operations["Leaky"])
    model.eval()
    return SpikingModel()


def measure(model: nn.Module, spikes: Tensor, targets: Tensor | None = None) -> dict[str, Any]:
    """All that NeuroBench measures of an inference.

    Args:
        model: see :func:`neurobench_model`.
        spikes: of the input, ``[T, B, inputs]``.
        targets: what the firing rates of the output should be, ``[B, outputs]``; without them there is no ``MSE``.

    Returns:
        By the names of NeuroBench's metrics: ``Footprint`` in bytes, ``ConnectionSparsity``, ``ParameterCount``,
        ``ActivationSparsity``, ``ActivationSparsityByLayer``, ``SynapticOperations`` (``Effective_ACs``,
        ``Effective_MACs`` and ``Dense``), ``MembraneUpdates`` and ``NeuronOperations`` of a sample, and ``MSE``.

    Raises:
        InputError: as :func:`neurobench_model`, for targets of another shape, or if a metric of NeuroBench fails, which
            it would count as zero.

    Example:
        >>> from snn_synth.models import AESNN
        >>> found = measure(AESNN(784, 196), torch.zeros(15, 2, 784))
        >>> found["ParameterCount"], found["SynapticOperations"]["Dense"]
        (307328, 4609920.0)
    """
    adapter = neurobench_model(model)
    from neurobench.benchmarks import Benchmark
    from neurobench.metrics import static, workload

    static_metrics = [static.Footprint, static.ConnectionSparsity, static.ParameterCount]
    workload_metrics = [
        workload.ActivationSparsity,
        workload.ActivationSparsityByLayer,
        workload.SynapticOperations,
        workload.MembraneUpdates,
        workload.NeuronOperations,
        *([] if targets is None else [workload.MSE]),
    ]
    by_sample = spikes.transpose(0, 1)
    data = torch.utils.data.TensorDataset(by_sample, by_sample[:, 0] if targets is None else targets)
    loader = torch.utils.data.DataLoader(data, batch_size=BATCH)
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(io.StringIO()):
        benchmark = Benchmark(adapter, loader, [], [lambda fired: fired.mean(1)], [static_metrics, workload_metrics])
        found = benchmark.run()
    failed = re.search(r"Error running workload metric '(\w+)': (.*)", told.getvalue())
    if failed is not None:
        raise InputError(
            f"Expected a model and targets that NeuroBench measures, got an error of {failed[1]}: {failed[2]}"
        )
    adapter.cleanup_hooks()
    return dict(found)


def _require() -> None:
    try:
        import neurobench.models  # noqa: F401
    except ImportError as error:
        raise InputError(
            "Expected the package neurobench (extra `neurobench`) to count by it, got none: "
            f"pip install 'snn_synth[neurobench]' ({error})"
        ) from None
