"""ONNX graphs in onnxruntime fire as PyTorch does, and as a loop in NumPy."""

import builtins
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import snntorch as snn
import torch

from snn_synth import kernels
from snn_synth.cli.entry import main
from snn_synth.data import FSDD, FashionMNIST, MNISTSubset, build_front_end, spectrograms
from snn_synth.encoding import poisson_encode
from snn_synth.errors import InputError
from snn_synth.interop import onnx_step
from snn_synth.interop.onnx import to_onnx
from snn_synth.models import ACANN, ACSNN, AEANN, AESNN, AudioToImage, ConvACSNN, ConvAESNN, SpikingStack
from snn_synth.models.pretrained import Pretrained
from snn_synth.neurons import SigmoidLeaky
from snn_synth.synapses import BatchNormed

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

PAGE = Path(__file__).parents[2] / "docs" / "onnx.md"
SHIPPED = ["mnist", "mnist-portable", "fashion-mnist", "fashion-mnist-portable", "fsdd"]
# All of these were run by onnxruntime-web 1.30, on wasm.
IN_A_BROWSER = {
    "Add",
    "Cast",
    "Concat",
    "ConstantOfShape",
    "Conv",
    "ConvTranspose",
    "Div",
    "Equal",
    "Gemm",
    "GreaterOrEqual",
    "Mul",
} | {
    *("ReduceMax", "ReduceMean", "ReduceMin", "Reshape", "Scan", "Shape", "Softmax", "Sqrt", "Sub", "Transpose"),
    "Where",
}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def session(model):
    onnx.checker.check_model(model, full_check=True)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def outputs(session, **inputs):
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {k: np.asarray(v) for k, v in inputs.items()}), strict=True))


def run(network, spikes):
    """Every layer's spikes, by the graph of all time steps."""
    found = outputs(session(to_onnx(network)), input_spikes=spikes)
    return [found[name] for name in sorted(found) if name.startswith("spikes_")]


def stepped(network, spikes):
    """The same by the graph of one step, whose state is passed on."""
    graph = session(to_onnx(network, "step"))
    shapes = {x.name: x.shape for x in graph.get_inputs() if x.name.startswith("membrane_")}
    state = {name: np.zeros((spikes.shape[1], shape[1]), np.float32) for name, shape in shapes.items()}
    steps = []
    for now in spikes:
        found = outputs(graph, input_spikes=now, **state)
        state = {name: found[f"next_{name}"] for name in state}
        steps.append([found[f"spikes_{place}"] for place in range(1, len(state) + 1)])
    return [np.stack(every) for every in zip(*steps, strict=True)]


@torch.no_grad()
def torch_spikes(network, spikes):
    if isinstance(network, AudioToImage):
        out = network.audiocoder(spikes)
        return [x.numpy() for x in (*out.layer_spikes, network.autoencoder.decode(out.spikes))]
    return [x.numpy() for x in network(spikes).layer_spikes]


def numpy_spikes(network, spikes):
    """Eq. 1-2 in float32, one step after the other; fully connected layers alone."""
    layers = [
        (operator.weight.T, operator.bias, neuron.decay, neuron.threshold, neuron.reset_mechanism)
        for operator, neuron in network.layers
    ]
    layers = [
        [None if x is None else x if isinstance(x, str) else x.detach().numpy().astype(np.float32) for x in layer]
        for layer in layers
    ]
    state = [np.zeros((spikes.shape[1], layer[0].shape[1]), np.float32) for layer in layers]
    steps = []
    for now in spikes.numpy():
        fired = []
        for place, (weight, bias, decay, threshold, reset) in enumerate(layers):
            before = (state[place] >= threshold).astype(np.float32)
            current = now @ weight if bias is None else now @ weight + bias
            if reset == "zero":
                state[place] = decay * ((1 - before) * state[place]) + current
            else:
                state[place] = decay * state[place] + current - threshold * before
            now = (state[place] >= threshold).astype(np.float32)
            fired.append(now)
        steps.append(fired)
    return [np.stack(every) for every in zip(*steps, strict=True)]


def coarse(network, seed=0):
    """Weights in eighths: sums are exact, and membranes often meet the threshold itself."""
    with torch.no_grad():
        for operator, _ in network.layers:
            for x in operator.parameters():
                x.copy_(torch.randint(-6, 9, x.shape, generator=seeded(seed)) / 8)
    return network.eval()


def equal(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


NETWORKS = {
    "zero": lambda: SpikingStack([12, 9, 7], alpha=0.5),
    "subtract": lambda: SpikingStack([12, 9, 7], alpha=0.5, reset="subtract"),
    "learned": lambda: SpikingStack([12, 9, 7], learned=True),
    "learned, subtract": lambda: SpikingStack([12, 9, 7], reset="subtract", learned=True),
    "no leak": lambda: SpikingStack([12, 9, 7], alpha=0.0),
    "all leak": lambda: SpikingStack([12, 9, 7], alpha=1.0),
    "bias": lambda: SpikingStack([12, 9, 7], alpha=0.3, threshold=0.75, bias=True),
    "one layer": lambda: SpikingStack([12, 9]),
    "ACSNN": lambda: ACSNN(12, 9, 7),
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_spikes_are_those_of_pytorch_and_of_a_loop_in_numpy(kind):
    network = coarse(NETWORKS[kind]())
    for _, neuron in network.layers:
        for x in neuron.parameters():  # learned: another number for each neuron
            x.data = x + 0.05 * torch.randn(x.shape, generator=seeded(1))
    spikes = poisson_encode(torch.rand(6, 12, generator=seeded(2)), 20, generator=seeded(3))
    wanted = numpy_spikes(network, spikes)
    assert all(0.01 < layer.mean() < 0.99 for layer in wanted)
    for found in (torch_spikes(network, spikes), run(network, spikes), stepped(network, spikes)):
        equal(found, wanted)


def test_a_neuron_fires_at_the_threshold_itself():
    network = SpikingStack([1, 1], alpha=0.5)
    network.layers[0][0].weight.data.fill_(0.5)
    spikes = torch.tensor([1.0, 1.0, 0.0, 1.0]).reshape(4, 1, 1)  # V: 0.5, 0.75, 0.375, 0.6875
    assert run(network, spikes)[0].flatten().tolist() == [0, 0, 0, 0]
    network.layers[0][0].weight.data.fill_(1.0)
    assert run(network, spikes)[0].flatten().tolist() == [1, 1, 0, 1]
    assert run(network, 0.5 * spikes[:2])[0].flatten().tolist() == [0, 0]


@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_convolutions_and_batch_norm_are_those_of_pytorch(reset):
    torch.manual_seed(0)
    network = ConvACSNN(9, 20, widths=[3, 4], code=5, reset=reset)
    norms = [operator.norm for operator, _ in network.layers]
    for norm in norms:
        norm.running_mean.uniform_(-0.1, 0.1)
        norm.running_var.uniform_(0.01, 0.1)
    spikes = poisson_encode(torch.rand(4, 180, generator=seeded()), 12, generator=seeded(1))
    before = [norm.running_mean.clone() for norm in norms]
    found = run(network.train(), spikes)  # in evaluation, whatever the mode
    assert all(torch.equal(norm.running_mean, mean) for norm, mean in zip(norms, before, strict=True))
    assert network.training
    assert isinstance(network.layers[0][0], BatchNormed)
    wanted = torch_spikes(network.folded(), spikes)
    assert [layer.shape[2] for layer in found] == [75, 36, 5]
    assert all(0.01 < layer.mean() < 0.99 for layer in wanted)
    equal(found, wanted)
    equal(stepped(network, spikes), wanted)


@pytest.mark.parametrize("bias", [False, True])
def test_transposed_convolutions_are_those_of_pytorch(bias):
    network = ConvAESNN((9, 14), widths=[3, 4], alpha=0.5)
    if bias:
        for operator, _ in network.layers:
            operator.bias = torch.nn.Parameter(torch.zeros(operator.out_channels))
    spikes = poisson_encode(torch.rand(4, 126, generator=seeded()), 12, generator=seeded(1))
    wanted = torch_spikes(coarse(network), spikes)
    assert all(0.01 < layer.mean() < 0.99 for layer in wanted)
    equal(run(network, spikes), wanted)
    equal(stepped(network, spikes), wanted)


@pytest.mark.parametrize("autoencoder", [lambda: AESNN(12, [8, 6]), lambda: ConvAESNN((6, 6), widths=[2, 3])])
def test_a_deep_autoencoder_of_a_pair_gives_its_whole_decoder(autoencoder):
    second = coarse(autoencoder())
    first = coarse(ACSNN(10, 9, second.code), seed=1)
    network = AudioToImage(first, second, (1, 1, second.inputs))
    spikes = poisson_encode(torch.rand(4, 10, generator=seeded()), 12, generator=seeded(1))
    wanted = torch_spikes(network, spikes)
    found = run(network, spikes)
    assert len(found) == 4
    assert 0.01 < wanted[-1].mean() < 0.99
    equal([*found[:2], found[-1]], wanted)


def inputs_of(name, source, count=100):
    """Spikes of so many inputs, 15 steps of images or 30 of words."""
    steps, size = (30, 3900) if name == "fsdd" else (15, 784)
    if source == "random":
        values = torch.rand(count, size, generator=seeded())
    elif name == "fsdd":
        speech = FSDD()
        _, test = speech.official_split()
        front_end = build_front_end(AudioToImage.from_pretrained("fsdd").front_end)
        values = spectrograms(speech, front_end, progress=False)[test[:: len(test) // count]][:count].flatten(1)
    else:
        images = FashionMNIST(train=False) if name.startswith("fashion") else MNISTSubset(train=False)
        values = images.images[:count].flatten(1).float() / 255
    assert len(values) == count
    return poisson_encode(values, steps, generator=seeded(1))


@pytest.mark.parametrize("source", ["random", "real"])
@pytest.mark.parametrize("name", [*SHIPPED[:-1], pytest.param("fsdd", marks=pytest.mark.slow)])
def test_every_spike_of_a_shipped_network_is_the_same(name, source):
    if source == "real" and not name.startswith("mnist") and "SNN_SYNTH_DATA" not in os.environ:
        pytest.skip("SNN_SYNTH_DATA is not set")
    network, spikes = Pretrained.from_pretrained(name), inputs_of(name, source)
    wanted = torch_spikes(network, spikes)
    with kernels.use("reference"):
        equal(torch_spikes(network, spikes), wanted)
    equal(run(network, spikes), wanted)
    equal(stepped(network, spikes), wanted)
    assert sum(layer.size for layer in wanted) == numbers_on_the_page(name)[2]


def test_of_weights_that_float16_does_not_hold_hardly_a_spike_differs():
    network = AESNN.from_pretrained("mnist")
    for x in network.parameters():
        x.data *= 1 + 1e-4 * torch.randn(x.shape, generator=seeded())
    spikes = inputs_of("mnist", "random")
    pairs = list(zip(run(network, spikes), torch_spikes(network, spikes), strict=True))
    differing = sum(int((a != b).sum()) for a, b in pairs)
    assert differing < 1e-5 * sum(a.size for a, _ in pairs)


def test_images_and_probabilities_of_a_word_are_those_of_pytorch():
    network = AudioToImage.from_pretrained("fsdd")
    words = torch.cat([torch.rand(3, 3900, generator=seeded()), torch.zeros(1, 3900)])  # the last says nothing
    network.audiocoder.layers[-1][0].bias.data -= 0.2  # nor do the neurons, by themselves
    drawn = network(words, 30, seeded(1))
    spikes = poisson_encode(words, 30, generator=seeded(1))
    found = outputs(session(to_onnx(network)), input_spikes=spikes)
    np.testing.assert_allclose(found["images"], drawn.images, atol=1e-6)
    np.testing.assert_allclose(found["probabilities"], network.recognize(drawn.images), atol=1e-4)
    assert found["images"].shape == (4, 1, 28, 28)


def test_a_blank_image_may_be_any_label():
    network = AudioToImage(ACSNN(6, 5, 4), AESNN(9, 4), (1, 3, 3), labels=["yes", "no"])
    network.gallery.copy_(torch.stack([torch.eye(3), 1 - torch.eye(3)])[:, None])
    found = outputs(session(to_onnx(network)), input_spikes=torch.zeros(5, 2, 6))
    np.testing.assert_allclose(found["probabilities"], network.recognize(torch.zeros(2, 1, 3, 3)), atol=1e-6)
    unlabelled = AudioToImage(ACSNN(6, 5, 4), AESNN(9, 4), (1, 3, 3))
    assert "probabilities" not in outputs(session(to_onnx(unlabelled)), input_spikes=torch.zeros(5, 2, 6))


def test_rates_are_the_mean_over_time_of_any_or_of_a_fixed_number_of_steps():
    network = coarse(SpikingStack([12, 9]))
    graph = session(to_onnx(network))
    for steps in (1, 7):
        spikes = poisson_encode(torch.rand(2, 12, generator=seeded()), steps, generator=seeded())
        wanted = torch_spikes(network, spikes)[0].mean(0)
        np.testing.assert_allclose(outputs(graph, input_spikes=spikes)["rates"], wanted, atol=1e-6)
    fixed = session(to_onnx(network, num_steps=7))
    assert fixed.get_inputs()[0].shape == [7, "B", 12]
    np.testing.assert_allclose(outputs(fixed, input_spikes=spikes)["rates"], wanted, atol=1e-6)
    with pytest.raises(Exception, match="Expected: 7"):
        outputs(fixed, input_spikes=spikes[:6])


def test_a_file_is_small_old_enough_and_says_what_it_holds():
    network = AudioToImage.from_pretrained("fsdd")
    model = to_onnx(network)
    body = next(node for node in model.graph.node if node.op_type == "Scan").attribute[0].g
    assert {node.op_type for node in (*model.graph.node, *body.node)} <= IN_A_BROWSER
    assert (model.opset_import[0].version, model.ir_version) == (18, 8)
    weights = sum(x.numel() for x in network.audiocoder.parameters())
    weights += network.autoencoder.layers[1][0].weight.numel()
    assert len(model.SerializeToString()) < 2.2 * weights  # float16
    found = session(model).get_modelmeta()
    assert json.loads(found.custom_metadata_map["config"]) == network.describe()
    assert found.producer_name == "snn_synth"


def numbers_on_the_page(name):
    """Bytes of both files, and spikes compared, in the row of docs/onnx.md."""
    row = re.search(rf"^\| `{name}` \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$", PAGE.read_text(), re.M)
    return [int(number.replace(",", "")) for number in row.groups()]


@pytest.mark.parametrize("name", SHIPPED)
def test_the_page_gives_the_sizes_of_the_files(name):
    network = Pretrained.from_pretrained(name)
    sizes = [len(to_onnx(network, form).SerializeToString()) for form in ("run", "step")]
    assert sizes == pytest.approx(numbers_on_the_page(name)[:2], rel=0.001)  # a longer number of a version, say


@pytest.mark.parametrize("form", ["run", "step"])
def test_the_page_gives_every_name_and_shape(form):
    graph, page = session(to_onnx(AudioToImage.from_pretrained("fsdd"), form)), PAGE.read_text()
    table = page.split(f"### `{form}`")[1].split("###")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| `(\[.*?\])`", table, re.M))
    shapes = {x.name: "[" + ", ".join(map(str, x.shape)) + "]" for x in (*graph.get_inputs(), *graph.get_outputs())}
    assert rows == shapes


class Doubled(torch.nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


def with_neuron(neuron):
    network = SpikingStack([3, 2, 2])
    network.layers[1][1] = neuron
    return network


def with_operator(operator):
    network = SpikingStack([3, 2, 2])
    network.layers[0][0] = operator
    return network


def watched():
    network = SpikingStack([3, 2, 2])
    network.layers[1][1].register_forward_hook(print)
    return network


def other_surrogate():
    neuron = SigmoidLeaky()
    neuron.spike_grad = snn.surrogate.atan()
    return with_neuron(neuron)


def broken():
    network = SpikingStack([3, 2, 2])
    network.layers[0][0].weight.data[0, 0] = torch.nan
    return network


SENTENCES = [
    (lambda: with_neuron(SigmoidLeaky(init_hidden=True)), "state is passed in and returned, got .*in layer 2"),
    (lambda: with_neuron(SigmoidLeaky(inhibition=True)), "Expected neurons without hooks.*layer 2"),
    (lambda: with_neuron(SigmoidLeaky(reset_delay=False)), "Expected neurons without hooks.*layer 2"),
    (lambda: with_neuron(SigmoidLeaky(graded_spikes_factor=2.0)), "Expected neurons without hooks.*layer 2"),
    (other_surrogate, r"Expected neurons without hooks.*layer 2.* assign SigmoidCentered\(\)"),
    (lambda: with_neuron(snn.Leaky(beta=0.9)), "got SpikeLinear and Leaky in layer 2"),
    (lambda: with_operator(Doubled(3, 2)), "got Doubled and SigmoidLeaky in layer 1"),
    (watched, "Expected neurons without hooks.*layer 2"),
    (broken, "layers.0.0.weight"),
    (lambda: SpikingStack([3, 2, 2]).double(), r"Expected float32 weights, got torch.float64 in layer 1"),
    (lambda: AEANN(4, 2), r"or an AudioToImage, got a AEANN"),
    (lambda: ACANN(4, 3, 2), r"or an AudioToImage, got a ACANN"),
]


@pytest.mark.parametrize(("network", "sentence"), SENTENCES)
def test_what_has_no_graph_is_refused_in_one_sentence(network, sentence):
    with pytest.raises(InputError, match=sentence):
        to_onnx(network())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"form": "loop"}, r"Expected a form of \['run', 'step'\], got 'loop'"),
        ({"num_steps": 0}, "Expected `num_steps` from 1"),
        ({"num_steps": 2**70}, "Expected `num_steps` from 1"),
        ({"num_steps": 1.5}, "Expected `num_steps` from 1"),
        ({"num_steps": 5, "form": "step"}, "with form='run'"),
    ],
)
def test_other_forms_are_refused(options, sentence):
    with pytest.raises(InputError, match=sentence):
        to_onnx(SpikingStack([3, 2]), **options)


def test_more_weights_than_a_file_holds_are_refused(monkeypatch):
    monkeypatch.setattr(onnx_step, "_LARGEST", 100)
    with pytest.raises(InputError, match=r"Expected weights of at most 100 bytes.*got 104"):
        to_onnx(SpikingStack([2, 13]))


def test_without_the_package_a_sentence_says_how_to_install_it(monkeypatch, tmp_path, capsys):
    found = builtins.__import__
    missing = ModuleNotFoundError("No module named 'onnx'")

    def absent(name, *arguments, **keywords):
        if name == "onnx":
            raise missing
        return found(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", absent)
    assert main(["export", "mnist", "--to", str(tmp_path / "mnist.onnx")]) == 2
    assert "pip install 'snn_synth[export]'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_export_writes_either_form(tmp_path, capsys):
    for form, options in (("run", []), ("step", ["--form", "step"]), ("run", ["--num-steps", "15"])):
        target = tmp_path / "mnist.onnx"
        assert main(["export", "mnist", "--to", str(target), *options]) == 0
        steps = 15 if "--num-steps" in options else None
        assert target.read_bytes() == to_onnx(AESNN.from_pretrained("mnist"), form, steps).SerializeToString()
    assert capsys.readouterr().out.count(f"Wrote {target}") == 3
    assert [path.name for path in tmp_path.iterdir()] == ["mnist.onnx"]


@pytest.mark.parametrize("name", ["hidden state", "mnist-classifier"])
def test_export_of_what_has_no_graph_leaves_the_file_that_is_there(tmp_path, capsys, monkeypatch, name):
    if name == "hidden state":
        network = with_neuron(SigmoidLeaky(init_hidden=True))
        monkeypatch.setattr("snn_synth.cli.export.load_network", lambda _: network)
    target = tmp_path / "mnist.onnx"
    target.write_text("mine")
    assert main(["export", name, "--to", str(target)]) == 2
    assert capsys.readouterr().err.startswith("snn-synth: error: Expected ")
    assert target.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["mnist.onnx"]
