import builtins
import sys

import pytest
import torch

from snn_synth.encoding import poisson_encode
from snn_synth.errors import InputError
from snn_synth.evaluation import inference_layers, inference_spikes, layer_costs, total_cost
from snn_synth.interop import neurobench as ours
from snn_synth.models import ACSNN, AESNN, AudioToImage, ConvACSNN, ConvAESNN, SpikingStack, TemporalCodingAE

MODELS = {
    "mnist": lambda: AESNN.from_pretrained("mnist"),
    "mnist-portable": lambda: AESNN.from_pretrained("mnist-portable"),
    "stack": lambda: SpikingStack([784, 30, 20, 5], threshold=0.3, bias=True),
    "norm": lambda: ACSNN(784, 30, 20, norm=True),
    "convolutions": lambda: ConvACSNN(28, 28, [4, 8], code=20),
    "audio to image": lambda: AudioToImage(ConvACSNN(28, 28, [4, 8], code=20), AESNN(9, 20, threshold=0.3), (1, 3, 3)),
    "fsdd": lambda: AudioToImage.from_pretrained("fsdd"),
}


def input_spikes(inputs, steps=6, samples=4):
    generator = torch.Generator().manual_seed(0)
    return poisson_encode(torch.rand(samples, inputs, generator=generator), steps, generator=generator)


def costs_of(model, spikes):
    operators = [operator for operator, _ in inference_layers(model)]
    return layer_costs(inference_spikes(model, spikes), [operator.fan_out for operator in operators])


def test_without_the_package_one_sentence_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def absent(name, *rest, **more):
        if name.startswith("neurobench"):
            raise ModuleNotFoundError(f"No module named {name!r}")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(InputError, match=r"pip install 'snn_synth\[neurobench\]'"):
        ours.neurobench_model(AESNN(9, 4))


class Hook:
    """As those of NeuroBench, by the module that its class is from."""

    __module__ = "neurobench.hooks.layer"

    def see(self, module, inputs):
        pass


@pytest.mark.parametrize("model", [AESNN(9, 4), ACSNN(9, 4, 3, norm=True).eval(), ConvACSNN(3, 3, [2], 4).eval()])
def test_hooks_of_neurobench_without_the_adapter_are_refused(model):
    operator = model.layers[0][0]
    getattr(operator, "operator", operator).register_forward_pre_hook(Hook().see)
    with pytest.raises(
        InputError, match=r"`snn_synth\.interop\.neurobench\.neurobench_model\(network\)`, got its hooks"
    ):
        model(torch.zeros(2, 3, 9))


@pytest.fixture
def neurobench():
    return pytest.importorskip("neurobench.benchmarks")


@pytest.mark.parametrize("name", MODELS)
def test_effective_operations_are_those_of_spiking_cost(neurobench, name):
    torch.manual_seed(0)
    model = MODELS[name]().eval()
    spikes = input_spikes(inference_layers(model)[0][0].in_features)
    fired = inference_spikes(model, spikes)
    output = fired["output"]
    found = ours.measure(model, spikes, torch.zeros(output.shape[1:]))
    costs = costs_of(model, spikes)
    total = total_cost(costs)
    # It sums up a batch in float32, and leaves out weights that are exactly 0.
    assert found["SynapticOperations"]["Effective_ACs"] == pytest.approx(total["operations"], rel=1e-6)
    assert found["SynapticOperations"]["Effective_MACs"] == 0
    assert found["SynapticOperations"]["Dense"] == pytest.approx(len(spikes) * total["macs"], rel=1e-6)
    neurons = sum(one["neurons"] for layer, one in costs.items() if layer != "input")
    fires = sum(one["spikes"] for layer, one in costs.items() if layer != "input")
    assert found["ActivationSparsity"] == pytest.approx(1 - fires / (neurons * len(spikes)))
    by_layer = found["ActivationSparsityByLayer"]
    assert list(by_layer) == list(costs)[1:]
    for layer, share in by_layer.items():
        assert share == pytest.approx(1 - float(fired[layer].mean()), abs=1e-6)
    assert found["MSE"] == pytest.approx(float(output.mean(0).square().mean()), rel=1e-4)
    assert 0 < found["MembraneUpdates"] <= total["updates"]
    assert found["NeuronOperations"]["Neuron Dense Ops"] == 4 * total["updates"]


def test_the_footprint_is_that_of_what_runs(neurobench):
    ae = AESNN(9, 4)
    size = sum(x.numel() * x.element_size() for x in [*ae.parameters(), *ae.buffers()])
    assert ours.measure(ae, input_spikes(9), torch.zeros(4, 9))["Footprint"] == size
    both = AudioToImage(ACSNN(60, 8, 4), ae, (1, 3, 3))
    used = sum(x.numel() for layer in inference_layers(both) for module in layer for x in module.parameters())
    assert ours.measure(both, input_spikes(60), torch.zeros(4, 9))["ParameterCount"] == used == 60 * 8 + 8 * 4 + 4 * 9


def test_a_model_is_as_it_was_after_it_is_measured(neurobench):
    ae = AESNN(9, 4, threshold=0.3)
    spikes = input_spikes(9)
    before = ae(spikes).spikes
    ours.measure(ae, spikes, torch.zeros(4, 9))
    assert torch.equal(ae(spikes).spikes, before)
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in ae.modules())


@pytest.mark.parametrize("wrapper", ["TorchModel", "SNNTorchModel"])
def test_neurobenchs_own_wrappers_are_refused(neurobench, wrapper):
    models = pytest.importorskip("neurobench.models")
    from neurobench.metrics.workload import SynapticOperations

    data = torch.utils.data.TensorDataset(input_spikes(9).transpose(0, 1), torch.zeros(4, 9))
    loader = torch.utils.data.DataLoader(data, batch_size=2)
    benchmark = neurobench.Benchmark(getattr(models, wrapper)(AESNN(9, 4)), loader, [], [], [[], [SynapticOperations]])
    with pytest.raises(InputError, match="neurobench_model"):
        benchmark.run(quiet=True)


def test_what_neurobench_does_not_count_is_refused(neurobench):
    with pytest.raises(InputError, match=r"operators that NeuroBench counts .* got a SpikeConvTranspose2d"):
        ours.neurobench_model(ConvAESNN(size=(8, 8), widths=[2]))
    with pytest.raises(InputError, match="got TemporalCodingAE"):
        ours.neurobench_model(TemporalCodingAE(4, 2))


def test_a_metric_that_fails_is_no_zero(neurobench):
    with pytest.raises(InputError, match="got an error of MSE"):
        ours.measure(AESNN(9, 4), input_spikes(9), torch.zeros(4, 8))
    assert "neurobench" in sys.modules
