"""Products on tiles with a scan: beside the equations, and bit for bit beside one kernel after the other."""

import pytest
import torch

from snn_synth.functional import lif_scan
from snn_synth.kernels.cpu import lif
from snn_synth.kernels.cpu.threads import totals
from snn_synth.kernels.cpu.tile_scans import _group, fit
from tests.kernels import emulated_amx
from tests.kernels.guarded import walls


@pytest.fixture(params=[1, 2, 3], ids=["one thread", "two threads", "three threads"])
def modules(request, monkeypatch):
    modules = emulated_amx.modules()
    with walls(request.param, monkeypatch, *modules):
        yield modules


def draw(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def spikes_of(*shape, seed=0):
    return (draw(*shape, seed=seed) > 0.8).float()


# One of everything; edges of tiles; samples shared unevenly, several times as many as are taken at a time.
SIZES = [(1, 1, 1, 1), (7, 3, 100, 65), (5, 37, 64, 31), (4, 9, 33, 500), (15, 100, 196, 784)]


@pytest.mark.parametrize(("num_steps", "batch", "inputs", "outputs"), SIZES)
def test_spikes_are_those_of_the_equations(modules, num_steps, batch, inputs, outputs):
    x = spikes_of(num_steps, batch, inputs)
    weight = (8 * draw(outputs, inputs, seed=1)).round() / 16  # sums of sixteenths are exact in any order
    found = modules.tile_scans.spikes(x, weight, 0.5, 1.0)
    sums = totals()
    fired, membranes, exact = modules.tile_scans.forward(x, weight, 3, False, 0.5, 1.0, sums)
    wanted, before_reset = lif_scan((x.double() @ weight.double().T), None, 0.5, 1.0)
    assert torch.equal(found.double(), wanted)
    assert torch.equal(fired.double(), wanted)
    assert exact
    torch.testing.assert_close(membranes.double(), before_reset, rtol=1e-6, atol=1e-6)
    assert sums.sum() == pytest.approx(membranes.double().sum().item(), rel=1e-5, abs=1e-3)
    if outputs > 1:
        assert 0.05 < found.mean() < 0.9


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize(("num_steps", "batch", "inputs", "outputs"), SIZES)
def test_the_same_bits_as_one_kernel_after_the_other(modules, num_steps, batch, inputs, outputs, parts):
    tiles, scans = modules
    x, weight = spikes_of(num_steps, batch, inputs), 0.3 * draw(outputs, inputs, seed=1)
    targets = spikes_of(num_steps, batch, outputs, seed=2)
    currents = tiles.product(x.flatten(0, 1), weight.T, 1, parts, "left").view(targets.shape)

    spikes, membranes, exact = scans.forward(x, weight, parts, False, 0.9, 1.0, totals())
    assert exact
    after = lif.forward(currents, None, 0.9, 1.0, False)
    assert torch.equal(spikes, after[0])
    assert torch.equal(membranes, after[1])
    if parts == 3:
        assert torch.equal(scans.spikes(x, weight, 0.9, 1.0), spikes)

    for mask in (True, False):
        total, delta, exact = scans.loss(x, weight, parts, False, targets, 0.9, 1.0, mask, 0.25)
        assert exact
        after = lif.loss(currents, targets, 0.9, 1.0, False, mask, 0.25, False)
        assert total == after[0]
        assert torch.equal(delta, after[1])

    below = draw(num_steps, batch, inputs, seed=3)
    gradient = scans.backward(delta, weight, parts, below, 0.9, 1.0, 2.0)
    by_spikes = tiles.product(delta.flatten(0, 1), weight, parts, parts).view_as(below)
    assert torch.equal(gradient, lif.backward(by_spikes, None, below, None, 0.9, 1.0, False, 2.0, False)[0])


@pytest.mark.parametrize("known", [False, True])
def test_inputs_that_are_no_spikes_get_three_parts(known):
    tiles, scans = emulated_amx.modules()
    x, weight = spikes_of(6, 5, 70), 0.3 * draw(40, 70, seed=1)
    x[-1, -1, -1] = 0.3  # not exact in one part
    targets = spikes_of(6, 5, 40, seed=2)
    parts = 1 if known else 3
    currents = tiles.product(x.flatten(0, 1), weight.T, parts, 3).view(targets.shape)
    spikes, membranes = lif.forward(currents, None, 0.9, 1.0, False)
    total, delta, _ = lif.loss(currents, targets, 0.9, 1.0, False, True, 0.25, False)
    assert torch.equal(scans.spikes(x, weight, 0.9, 1.0, known), spikes)
    for found, wanted in (
        (scans.forward(x, weight, 3, known, 0.9, 1.0, totals()), (spikes, membranes)),
        (scans.loss(x, weight, 3, known, targets, 0.9, 1.0, True, 0.25), (total, delta)),
    ):
        assert torch.equal(found[0], wanted[0])
        assert torch.equal(found[1], wanted[1])
        assert found[2] == known, "whether one part was thought to be enough"


def test_weights_of_nan_reach_no_other_neuron(modules):
    x, weight = torch.ones(4, 5, 40), torch.ones(33, 40)
    weight[7, 3] = torch.nan
    found = modules.tile_scans.spikes(x, weight, 0.5, 1.0)
    assert not found[:, :, 7].any()
    assert found[:, :, [i for i in range(33) if i != 7]].all()


@pytest.mark.parametrize(
    ("num_steps", "batch", "depth", "width", "threads", "wanted"),
    [
        (15, 100, 784, 196, 2, True),
        (15, 100, 196, 784, 2, True),
        (32, 32, 1024, 6 * 32, 2, True),  # 192 of the 213 blocks of 32 x 32 weights, 6 KB each, that 1.25 MB hold
        (32, 32, 1024, 7 * 32, 2, False),
        (32, 32, 1024, 32, 2, True),  # all terms at once
        (32, 32, 1025, 32, 2, False),
        (128, 32, 64, 768, 2, True),  # one sample's results, of which 384 KB are held
        (129, 32, 64, 768, 2, False),
        (16, 8, 64, 64, 2, True),  # each thread has 64 rows, in two blocks
        (16, 1, 64, 64, 1, False),  # 16 rows in a block of 32
        (24, 1, 64, 64, 1, True),
        (32, 1, 64, 64, 2, False),  # of two threads one would wait
        (32, 3, 64, 64, 2, True),
        (32, 5, 64, 64, 4, False),  # 64 rows for the first, 32 on average
    ],
)
def test_one_pass_where_caches_hold_it_and_threads_have_enough_to_do(num_steps, batch, depth, width, threads, wanted):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert fit(torch.empty(num_steps, batch, depth, device="meta"), width) == wanted
    finally:
        torch.set_num_threads(before)


def test_so_many_samples_at_a_time_that_their_rows_fill_blocks_of_32():
    assert _group(15, 50, 196) == 17, "255 of 256 rows"
    assert _group(15, 50, 784) == 8, "120 rows, of 122 that 384 KB hold"
    assert _group(15, 5, 784) == 4, "60 of 64 rows, as well as 30 of 32"
    assert _group(1000, 10, 784) == 1, "one is always taken"
