"""Files that others wrote, and files that are damaged or are no NIR at all."""

import os
from pathlib import Path

import h5py
import nir
import numpy as np
import pytest
import snntorch as snn
import torch
from snntorch.export_nir import export_to_nir
from torch import nn

from snn_synth.errors import InputError
from snn_synth.interop.nir import from_nir, to_nir
from snn_synth.models import AESNN, ConvAESNN
from snn_synth.neurons import SigmoidLeaky, reset_states
from tests.fuzz.harness import bounded
from tests.interop import nir_equation

OTHERS = Path(os.environ.get("SNN_SYNTH_DATA", "none"), "nir")


def step_by_step(network, spikes):
    reset_states(network)
    with torch.no_grad():
        return torch.stack([network(step) for step in spikes])


def spikes_of(seed, *shape, rate=0.5):
    return (torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < rate).float()


@pytest.mark.skipif(not OTHERS.is_dir(), reason="SNN_SYNTH_DATA has no nir/")
@pytest.mark.parametrize(("name", "shape"), [("lif_norse", (1,)), ("lif_rockpool", (1,)), ("cnn_sinabs", (2, 34, 34))])
def test_a_file_of_others_gives_the_spikes_of_nirs_equation(name, shape):
    spikes = spikes_of(0, 30, 4, *shape)
    graph = nir.read(OTHERS / f"{name}.nir", type_check=False)
    dt = 1e-4
    for node in graph.nodes.values():  # sinabs writes 1 where NIR's equation has 1 / dt
        if isinstance(node, nir.IF):
            node.r = node.r / dt
    found, _ = nir_equation.run(graph, spikes, dt)
    ours = step_by_step(from_nir(OTHERS / f"{name}.nir"), spikes)
    assert ours.any()
    assert (ours.numpy() != found).mean() < 0.002, "but for V within float32's rounding of the threshold"


@pytest.mark.skipif(not OTHERS.is_dir(), reason="SNN_SYNTH_DATA has no nir/")
@pytest.mark.parametrize(
    ("name", "said"), [("braille_noDelay_bias_zero", "CubaLIF"), ("two_lif_neurons", "v_leak of 0, .*1.2")]
)
def test_a_file_of_others_is_refused_with_what_is_in_the_way(name, said):
    with pytest.raises(InputError, match=f"Expected .*{said}"):
        from_nir(OTHERS / f"{name}.nir")


def test_what_snntorchs_exporter_makes_of_its_own_neurons_loads():
    torch.manual_seed(0)
    beta, threshold = torch.full((8,), 0.9), torch.full((8,), 0.5)
    net = nn.Sequential(
        nn.Linear(12, 8, bias=False),
        snn.Leaky(beta, threshold, init_hidden=True, reset_mechanism="zero"),
        nn.Linear(8, 5),
        snn.Leaky(beta[:5], threshold[:5], init_hidden=True, reset_mechanism="zero"),
    )
    nn.init.uniform_(net[0].weight, -0.2, 0.5)
    nn.init.uniform_(net[2].weight, -0.2, 0.5)
    again, spikes = from_nir(export_to_nir(net, torch.zeros(1, 12), ignore_dims=[0])), spikes_of(1, 25, 6, 12)
    for leaky in (net[1], net[3]):
        leaky.reset_mem()
    with torch.no_grad():
        expected = torch.stack([net(step) for step in spikes])
    assert torch.equal(again[0].weight, net[0].weight)
    assert torch.equal(step_by_step(again, spikes), expected)
    assert expected.any()


def test_snntorchs_exporter_takes_our_neurons_with_numbers_of_each_as_it_does_its_own():
    """With one number for all, snnTorch's exporter fails for its own neurons as for ours: docs/nir.md."""
    for neuron in (SigmoidLeaky(0.1, init_hidden=True), snn.Leaky(0.9, init_hidden=True)):
        with pytest.raises(ValueError, match="type mismatch"):
            export_to_nir(nn.Sequential(nn.Linear(12, 8), neuron), torch.zeros(1, 12), ignore_dims=[0])
    torch.manual_seed(0)
    neuron = SigmoidLeaky(torch.full((8,), 0.1), torch.full((8,), 0.4), init_hidden=True)
    net = nn.Sequential(nn.Linear(12, 8), neuron)
    again, spikes = from_nir(export_to_nir(net, torch.zeros(1, 12), ignore_dims=[0])), spikes_of(1, 25, 6, 12)
    expected = step_by_step(net, spikes)
    assert expected.any()
    assert torch.equal(step_by_step(again, spikes), expected)


@pytest.fixture
def good(tmp_path):
    nir.write(path := tmp_path / "good.nir", to_nir(AESNN(6, 4)))
    return path


def edited(path, edit):
    with h5py.File(path, "r+") as file:
        edit(file)
    return path


def replace(group, name, value):
    del group[name]
    group[name] = value


def link_outside(file):
    del file["node/nodes/lif/r"]
    file["node/nodes/lif/r"] = h5py.ExternalLink("/etc/hostname", "/x")


def larger_than_the_file(file):
    del file["node/nodes/lif/r"]
    file["node/nodes/lif"].create_dataset("r", (2**20, 2**20), "f4", chunks=(1024, 1024), compression="gzip")


def nested(file):
    group = file
    for _ in range(40):
        group = group.create_group("more")


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda file: replace(file, "version", "7.0"), "'7.0'"),
        (lambda file: file.__delitem__("version"), "version None"),
        (lambda file: file.__delitem__("node"), "no NIRGraph"),
        (lambda file: replace(file, "node/nodes/lif/type", "Izhikevich"), "'Izhikevich'"),
        (lambda file: file.__delitem__("node/nodes/lif/tau"), "tau"),
        (lambda file: file.__delitem__("node/nodes/linear/weight"), "weight"),
        (lambda file: file.__delitem__("node/edges"), "edges"),
        (lambda file: replace(file, "node/nodes/lif/tau", np.ones(3)), "same shape"),
        (lambda file: replace(file, "node/nodes/linear/weight", np.full((4, 6), np.nan)), "finite"),
        (lambda file: replace(file, "node/nodes/linear/weight", np.ones((4, 7), np.float32)), "shape"),
        (lambda file: replace(file, "node/metadata/model", "{"), "metadata"),
        (lambda file: replace(file, "node/metadata/model", '{"model": "Popen", "arguments": {}}'), "Popen"),
        (lambda file: replace(file, "node/metadata/dt", "soon"), "soon"),
        (link_outside, "another place"),
        (larger_than_the_file, "larger than the file"),
        (nested, "too deep"),
    ],
)
def test_a_damaged_file_is_refused_in_one_sentence(good, edit, said):
    with pytest.raises(InputError, match=r"Expected .*, got ") as raised:
        from_nir(edited(good, edit))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_size_in_the_metadata_allocates_no_more_than_the_file_holds(tmp_path):
    graph = to_nir(ConvAESNN((5, 6), widths=[2]))
    graph.metadata["model"] = graph.metadata["model"].replace("[5, 6]", "[400, 400]")
    nir.write(path := tmp_path / "large.nir", graph)
    with bounded(), pytest.raises(InputError, match=r"Expected a matrix of \[160000, 80000\].* got \[30, 18\]"):
        from_nir(path)


def test_what_is_no_file_of_hdf5_is_refused(tmp_path, good):
    (tmp_path / "text.nir").write_text("no graph")
    (tmp_path / "half.nir").write_bytes(good.read_bytes()[:3000])
    for name, said in (("none", "no such file"), ("text", "no HDF5"), ("half", "got")):
        with pytest.raises(InputError, match=said):
            from_nir(tmp_path / f"{name}.nir")
    with pytest.raises(InputError, match="a dict"):
        from_nir({})


def lif(size=2, **changed):
    given = {"tau": 1e-3, "r": 10.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0} | changed
    return nir.LIF(**{name: np.full(size, value, np.float32) for name, value in given.items()})


def graph_of(edges, **nodes):
    every = {"input": nir.Input(np.array([2])), "output": nir.Output(np.array([2])), **nodes}
    return nir.NIRGraph(every, edges, type_check=False)


EYE = nir.Linear(np.eye(2, dtype=np.float32))
CHAIN = [("input", "a"), ("a", "b"), ("b", "output")]


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        (graph_of([*CHAIN, ("b", "a")], a=EYE, b=lif()), r"cycle of \['a', 'b'\]"),
        (graph_of([*CHAIN, ("a", "output")], a=EYE, b=lif()), "2 after 'a'"),
        (graph_of([*CHAIN, ("input", "b")], a=EYE, b=lif()), "2 after 'input'"),
        (graph_of([*CHAIN, ("c", "b")], a=EYE, b=lif(), c=EYE), "chain"),
        (graph_of(CHAIN, a=EYE, b=lif(), c=EYE), "chain of all nodes"),
        (graph_of(CHAIN[:2], a=EYE, b=lif()), "0 after 'b'"),
        (graph_of([*CHAIN, ("b", "x")], a=EYE, b=lif()), "not there"),
        (graph_of(CHAIN, a=EYE, b=lif(), more=nir.Output(np.array([2]))), "1 and 2"),
        (graph_of(CHAIN, a=EYE, b=nir.LI(*np.ones((3, 2)))), "LI, in 'b'"),
        (graph_of(CHAIN, a=EYE, b=graph_of(CHAIN, a=EYE, b=lif())), "NIRGraph, in 'b'"),
        (graph_of(CHAIN, a=EYE, b=lif(v_leak=0.5)), "v_leak of 0"),
        (graph_of(CHAIN, a=EYE, b=lif(v_reset=-0.5)), "v_reset of 0"),
        (graph_of(CHAIN, a=EYE, b=lif(tau=1e-5)), "at least dt"),
        (graph_of(CHAIN, a=EYE, b=lif(r=-1.0)), "positive"),
        (graph_of(CHAIN, a=EYE, b=lif(v_threshold=np.nan)), "finite"),
        (graph_of(CHAIN, a=EYE, b=lif(size=3)), r"shape \[2\], got \[3\]"),
        (graph_of(CHAIN, a=nir.Linear(np.ones((2, 5), np.float32)), b=lif()), r"for \[2\]"),
        (graph_of(CHAIN, a=nir.Affine(np.eye(2, dtype=np.float32), np.ones(3, np.float32)), b=lif()), "bias"),
        (graph_of(CHAIN, a=nir.Flatten(None, "x", -1), b=lif()), "parameters"),
    ],
)
def test_a_graph_that_is_no_such_chain_is_refused(graph, said):
    with pytest.raises(InputError, match=f"Expected .*{said}"):
        from_nir(graph)


def test_another_time_step_reads_the_same_file_otherwise():
    graph = graph_of(CHAIN, a=EYE, b=lif(r=1.0, v_threshold=0.25))
    neuron = from_nir(graph, dt=5e-4)[1]
    assert neuron.beta.item() == 0.5
    assert neuron.threshold.item() == np.nextafter(np.float32(0.5), np.float32(1))
    with pytest.raises(InputError, match="positive"):
        from_nir(graph, dt=0.0)
