"""Where a layer's product and scan are one pass."""

import pytest
import torch

from snn_synth import kernels
from snn_synth.kernels.cpu import layer, lif, products, tile_scans
from snn_synth.kernels.cpu.threads import totals
from tests.kernels import emulated_amx


def test_neurons_on_tiles_where_products_are_and_their_weights_fit(monkeypatch):
    asked, spikes, weight = [], torch.ones(3, 5, 7), torch.ones(4, 7)
    monkeypatch.setattr(tile_scans, "spikes", lambda *given: given)
    for taken, fits, precision, wanted in (
        ("tiles", True, "float32", True),
        ("tiles", True, "mixed", True),
        ("tiles", False, "float32", False),
        ("tiles", True, "bfloat16", False),
        ("listed", True, "float32", False),
    ):
        monkeypatch.setattr(products, "way", lambda *given, taken=taken: asked.append(given) or taken)
        monkeypatch.setattr(tile_scans, "fit", lambda inputs, width, fits=fits: fits)
        found = layer.spikes(spikes, weight, precision, 0.9, 1.0)
        assert found is None if not wanted else found[2:] == (0.9, 1.0)
    assert asked[0][0].shape == (15, 7)
    assert asked[0][2:] == ("float32", False, None)


@pytest.mark.parametrize(
    ("precision", "fits", "known", "forward", "backward"),
    [
        ("float32", True, False, (3, False), 3),
        ("float32", True, True, (3, True), 3),
        ("mixed", True, False, (3, False), 1),
        ("bfloat16", True, False, (1, True), 1),
        ("float32", False, False, None, None),
    ],
)
def test_training_on_tiles_in_as_many_parts_as_products(monkeypatch, precision, fits, known, forward, backward):
    """And whether inputs are looked at, which need no exact product in bfloat16."""
    spikes, weight, targets, found = torch.ones(3, 5, 7), torch.ones(4, 7), torch.zeros(3, 5, 4), []

    def note(name, *indices):
        monkeypatch.setattr(
            tile_scans, name, lambda *given: found.append(tuple(given[i] for i in indices)) or (0, 0, True)
        )

    note("forward", 2, 3)
    note("loss", 2, 3)
    note("backward", 2)
    monkeypatch.setattr(tile_scans, "fit", lambda inputs, width: fits)
    monkeypatch.setattr(products, "way_by_spikes", lambda *given: "tiles")
    for name in ("WAYS", "BY_SPIKES"):
        monkeypatch.setitem(getattr(products, name), "tiles", getattr(products, name)["float32"])
    for way in ("float32", "tiles"):
        layer.forward(spikes, weight, way, precision, known, 0.9, 1.0, None)
        layer.loss(spikes, weight, way, precision, known, targets, 0.9, 1.0, True, 1.0)
    layer.backward(targets, weight, precision, None, None, torch.zeros(3, 5, 7), 0.9, 1.0, 1.0)
    assert found == ([forward, forward, (backward,)] if fits else [])


@pytest.mark.parametrize("way", ["float32", "listed"])
def test_else_the_scan_follows_the_product(way):
    generator = torch.Generator().manual_seed(0)
    spikes, weight = (torch.rand(6, 5, 70, generator=generator) < 0.2).float(), torch.randn(64, 70, generator=generator)
    targets = (torch.rand(6, 5, 64, generator=generator) < 0.2).float()
    currents = (spikes.flatten(0, 1) @ weight.T).view(targets.shape)
    fired, membranes, *_ = layer.forward(spikes, weight, way, "float32", True, 0.9, 1.0, totals())
    total, delta, *_ = layer.loss(spikes, weight, way, "float32", True, targets, 0.9, 1.0, True, 0.5)
    wanted = (
        *lif.forward(currents, None, 0.9, 1.0, False),
        *lif.loss(currents, targets, 0.9, 1.0, False, True, 0.5, False),
    )
    for ours, theirs in zip((fired, membranes, total, delta), wanted, strict=False):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_spikes_of_another_number_of_inputs_are_not_taken(monkeypatch):
    """A kernel would read behind the weights."""
    emulated_amx.give_amx(monkeypatch)
    monkeypatch.setattr(layer.tile_scans, "fit", lambda *given: True)
    with kernels.use("numba", "tiles"):
        assert kernels.neuron_spikes(torch.ones(3, 2, 7), torch.ones(4, 7), 0.9, 1.0).all()
        assert kernels.neuron_spikes(torch.ones(3, 2, 7), torch.ones(4, 5), 0.9, 1.0) is None


def test_membranes_are_summed_for_those_who_ask(monkeypatch):
    currents = torch.randn(6, 5, 40, generator=torch.Generator().manual_seed(0))
    sums = totals()
    _, membranes = lif.forward(currents, None, 0.9, 1.0, False, sums)
    assert sums.sum() == pytest.approx(membranes.double().sum().item(), rel=1e-5)
    monkeypatch.setattr(lif, "scratch", None)  # memory for the sums
    assert torch.equal(lif.forward(currents, None, 0.9, 1.0, False)[1], membranes)
