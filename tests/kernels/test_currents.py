"""Currents of one time step after the other, in each way, beside products in float64."""

import pytest
import torch
from torch.testing import assert_close

from snn_synth import kernels
from snn_synth.kernels.cpu import choice, currents, products, sparse
from snn_synth.learning import online_step
from snn_synth.models import SpikingStack
from tests.kernels import emulated_amx


@pytest.fixture(params=["float32", "listed", "tiles"])
def way(request, monkeypatch):
    """What is taken, whichever is the fastest here."""
    if request.param == "tiles":
        emulated_amx.give_amx(monkeypatch)
    monkeypatch.setattr(currents, "_way", lambda rows, weight, share: request.param)
    return request.param


def spikes_of(*shape, share=0.2, seed=0):
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < share).float()


def weights(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("factor", [1, 0.3], ids=["spikes", "other numbers"])
@pytest.mark.parametrize("contiguous", [True, False])
def test_each_time_step_by_the_weights_of_then(way, factor, contiguous):
    inputs, weight = factor * spikes_of(5, 7, 100), weights(70, 100)
    if not contiguous:
        inputs = inputs.transpose(0, 1).contiguous().transpose(0, 1)
    of_step = currents.input_currents(inputs, weight)
    for t in range(1, 6):
        wanted = inputs[t - 1].double() @ weight.double().T
        assert_close(of_step(t, inputs[t - 1]).double(), wanted, rtol=1e-6, atol=1e-5)
        weight += t  # in place, as an optimizer does


def test_spikes_are_listed_once(monkeypatch):
    monkeypatch.setattr(currents, "_way", lambda rows, weight, share: "listed")
    lists, make = [], sparse.sparse
    monkeypatch.setattr(sparse, "sparse", lambda x: lists.append(x) or make(x))
    inputs, weight = spikes_of(5, 7, 100), weights(70, 100)
    of_step = currents.input_currents(inputs, weight)
    for t in range(1, 6):
        of_step(t, inputs[t - 1])
    assert [x.shape for x in lists] == [(35, 100)]


def test_the_spikes_of_all_time_steps_decide(monkeypatch):
    """Of a hidden layer none are known beforehand."""
    asked = []
    monkeypatch.setattr(currents, "_way", lambda rows, weight, share: asked.append((rows, share)) or "float32")
    inputs, weight = torch.zeros(4, 7, 100), weights(70, 100)
    inputs[3] = 1
    currents.input_currents(inputs, weight)
    currents.currents(inputs[3], weight)
    assert asked == [(7, pytest.approx(0.25, abs=0.1)), (7, 1.0)]


def test_a_hidden_layer(way):
    spikes, weight = spikes_of(7, 100), weights(70, 100)
    assert_close(currents.currents(spikes, weight).double(), spikes.double() @ weight.double().T, rtol=0, atol=1e-5)


def test_what_was_forced_is_taken(monkeypatch):
    """By way of `products`, which knows what this machine has."""
    asked = []
    monkeypatch.setattr(products, "way", lambda *given: asked.append(given[-1]) or "float32")
    inputs, weight = spikes_of(2, 7, 100), weights(70, 100)
    for name in ("float32", "listed"):
        with kernels.use("numba", name):
            of_step = currents.input_currents(inputs, weight)
            assert_close(of_step(2, inputs[1]), inputs[1] @ weight.T)
    assert asked == ["float32", "listed"]


@pytest.mark.parametrize(
    ("rows", "share", "amx", "names"),
    [
        (2**7 - 1, 0.1, True, None),  # too small for a choice
        (2**7, 0.1, True, ["float32", "listed", "tiles"]),
        (2**7, 0.3, True, ["float32", "tiles"]),
        (2**7, 0.1, False, ["float32", "listed"]),
        (2**7, 0.3, False, None),
    ],
)
def test_the_ways_that_are_measured(rows, share, amx, names, monkeypatch):
    asked = []
    monkeypatch.setattr(products, "has_amx", lambda: amx)
    monkeypatch.setattr(choice, "fastest", lambda kind, sizes, share, names, ways: asked.append(names) or names[-1])
    found = currents._way(rows, weights(64, 2**7), share)
    assert asked == ([] if names is None else [names])
    assert found == ("float32" if names is None else names[-1])


def test_each_way_is_measured_with_what_it_does(monkeypatch):
    emulated_amx.give_amx(monkeypatch)
    ran = {}

    def fastest(kind, sizes, share, names, ways):
        ran.update({name: run() for name, run in ways(sizes, share).items()})
        return names[0]

    monkeypatch.setattr(choice, "fastest", fastest)
    currents._way(30, weights(300, 400), 0.1)
    x, w = products.example((30, 300, 400), 0.1)
    assert 0.05 < x.mean() < 0.15
    assert list(ran) == ["float32", "listed", "tiles"]
    for found in ran.values():
        found = found if isinstance(found, torch.Tensor) else found[0]
        assert_close(found.double(), x.double() @ w.double().T, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("changed", "binary"), [(None, True), (0.5, False), (-1, False), (2, False), (torch.nan, False)]
)
def test_numbers_that_are_no_spikes_are_found(changed, binary):
    for threads in (1, 3):
        x = spikes_of(5, 37)
        if changed is not None:
            x[3, 36] = changed
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            assert currents._binary(x) is (changed is None)
        finally:
            torch.set_num_threads(before)


def test_a_batch_of_the_online_rule(way):
    """Updates and loss beside those of the reference functions; weights change at each time step."""
    spikes, targets, found = spikes_of(6, 5, 100), spikes_of(6, 5, 70, seed=2), []
    for backend in ("reference", "numba"):
        torch.manual_seed(0)
        net = SpikingStack([100, 80, 70])
        with kernels.use(backend):
            loss = online_step(net, spikes, targets, torch.optim.Adam(net.parameters(), lr=1e-3))
        found.append([loss.detach(), *(weight.detach() for weight in net.parameters())])
    for a, b in zip(*found, strict=True):
        assert_close(a, b, rtol=1e-4, atol=1e-5)
