"""Products on AMX tiles, on those of this machine or emulated ones, beside those in float64; their memory has walls."""

import pytest
import torch

from snn_synth.kernels.cpu.amx import has_amx
from tests.kernels import emulated_amx
from tests.kernels.guarded import walls


@pytest.fixture(params=[1, 2, 3], ids=["one thread", "two threads", "three threads"])
def tiles(request, monkeypatch):
    tiles = emulated_amx.modules().tiles
    with walls(request.param, monkeypatch, tiles):
        yield tiles


def draw(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def error(found, left, right):
    exact = left.double() @ right.double()
    return ((found.double() - exact).abs().max() / exact.abs().max()).item()


def by_rows(x):
    return x


def by_columns(x):
    return x.T.contiguous().T


# One of everything; edges of tiles; several panels; groups of columns beside tiles that are packed before; more columns
# than the memory for tiles mostly holds.
SHAPES = [(1, 1, 1), (33, 31, 17), (70, 33, 45), (32, 3200, 32), (40, 700, 1100), (5, 17, 9000)]


@pytest.mark.parametrize("right", [by_rows, by_columns])
@pytest.mark.parametrize("left", [by_rows, by_columns])
@pytest.mark.parametrize(("height", "depth", "width"), SHAPES)
def test_products_equal_those_in_float64(tiles, height, depth, width, left, right):
    a, b = left(draw(height, depth, seed=0)), right(draw(depth, width, seed=1))
    spikes, others = left((a > 0.5).float()), right((b > 0.5).float())
    assert error(tiles.product(a, b, 3, 3), a, b) < 1e-6
    assert error(tiles.product(spikes, b, 1, 3, "left"), spikes, b) < 1e-6
    assert error(tiles.product(a, others, 3, 1, "right"), a, others) < 1e-6
    rounded = a.bfloat16().float(), b.bfloat16().float()
    assert error(tiles.product(a, b, 1, 1), *rounded) < 1e-2
    if depth > 1:
        assert error(tiles.product(a, b, 1, 1), a, b) > 1e-4


@pytest.mark.parametrize("turned", [False, True])
def test_spikes_are_multiplied_once_whatever_lies_behind_them(tiles, turned, monkeypatch):
    """What is read beyond a matrix would count as not exact in one part, and the product be done again in three."""
    memory, multiply, called = torch.full((60, 33), 0.3), tiles._multiply, []
    monkeypatch.setattr(tiles, "_multiply", lambda *given: called.append(1) or multiply(*given))
    memory[10:50] = (draw(40, 33, seed=0) > 0.5).float()
    spikes = memory[10:50].T if turned else memory[10:50]
    a, b = draw(50, len(spikes), seed=1), draw(spikes.shape[1], 50, seed=2)
    assert error(tiles.product(spikes, b, 1, 3, "left"), spikes, b) < 1e-6
    assert error(tiles.product(a, spikes, 3, 1, "right"), a, spikes) < 1e-6
    assert len(called) == 2
    spikes[5, 7] = 0.3
    tiles.product(spikes, b, 1, 3, "left")
    assert len(called) == 4


def test_sums_of_several_panels_are_added_up_in_groups_of_columns(tiles):
    assert tiles._blocks(40, 3100, 1100, 1, 3) == (96, 2), "of 97 tiles and 35 columns"
    a, b = (draw(40, 3100, seed=0) > 0.5).float(), draw(3100, 1100, seed=1)
    assert error(tiles.product(a, b, 1, 3, "left"), a, b) < 1e-6


def test_rows_and_columns_are_shared_out_and_none_is_done_twice(tiles, monkeypatch):
    a, b, multiply = draw(64, 33, seed=0), draw(33, 40, seed=1), tiles._multiply
    torch.set_num_threads(5)  # two shares of the rows, each in two of the columns
    for shares, numbers in ((1, 32 * 32), (2, 64 * 32), (3, 64 * 32 + 32 * 8), (4, 64 * 40)):
        monkeypatch.setattr(tiles, "_multiply", lambda _, *given, shares=shares: multiply(shares, *given))
        found = tiles.product(a, b, 3, 3)
        assert found.isfinite().sum() == numbers, "what has not been written is NaN"
    assert error(found, a, b) < 1e-6


@pytest.mark.parametrize(("height", "depth", "width"), SHAPES)
def test_one_part_is_the_nearest_number(tiles, height, depth, width):
    a, b = draw(height, depth, seed=0), draw(depth, width, seed=1)
    for x in (a, b):
        x.view(torch.int32).bitwise_or_(1)  # so that none lies in the middle of two
    assert error(tiles.product(a, b, 1, 1), a.bfloat16(), b.bfloat16()) < 1e-6


def test_a_number_in_the_middle_of_two_becomes_the_larger(tiles):
    b = torch.tensor([[1 + 2**-8, -1 - 2**-8, 1 + 3 * 2**-8]])
    assert torch.equal(tiles.product(torch.ones(1, 1), b, 1, 1), torch.tensor([[1 + 2**-7, -1 - 2**-7, 1 + 2**-6]]))


@pytest.mark.parametrize(("height", "depth", "width"), SHAPES)
def test_what_one_part_does_not_hold_gets_three(tiles, height, depth, width):
    a, b = draw(height, depth, seed=0), draw(depth, width, seed=1)
    assert error(tiles.product(a, b, 1, 3, "left"), a, b) < 1e-6
    assert error(tiles.product(a, b, 3, 1, "right"), a, b) < 1e-6


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("bits", [0x7FFFFFFF, -1, 0x7F800001, 0x7F800000], ids=["of a GPU", "negative", "least", "inf"])
def test_what_is_no_number_stays_none(tiles, bits, parts):
    """Every NaN, also one whose bits would be rounded up to those of zero."""
    a, b = torch.ones(3, 40), torch.zeros(40, 5)
    b.view(torch.int32)[7, 2] = bits
    found = tiles.product(a, b, 1, parts)
    assert not found[:, 2].isfinite().any()
    assert not found[:, [0, 1, 3, 4]].any()


def test_large_numbers_do_not_overflow(tiles):
    b = torch.tensor([[3.4e38, -3.4e38, 3.39e38]])
    assert torch.equal(tiles.product(torch.ones(1, 1), b, 1, 3), b)


def test_numbers_too_small_for_tiles_count_as_zero(tiles):
    """Parts of a number, too: of one a little larger, the first part is left."""
    small = 2.0**-126
    b = torch.tensor([[small, 0.75 * small, -0.75 * small, (1 + 2**-12) * small]])
    found = tiles.product(torch.ones(1, 1), b, 1, 3)
    assert torch.equal(found, torch.tensor([[small, 0, 0, small]]))


def test_the_same_bits_with_any_number_of_threads(tiles):
    a, b = draw(300, 700, seed=0), draw(700, 1100, seed=1)
    found = tiles.product(a, b, 3, 3)
    torch.set_num_threads(1)
    assert torch.equal(tiles.product(a, b, 3, 3), found)


@pytest.mark.skipif(not has_amx(), reason="needs AMX")
def test_pytorchs_own_products_on_amx_go_on_in_turns(tiles):
    a, b = draw(256, 512, seed=0), draw(512, 128, seed=1)
    wanted = a.bfloat16() @ b.bfloat16()
    for _ in range(5):
        tiles.product(a, b, 1, 1)
        assert torch.equal(a.bfloat16() @ b.bfloat16(), wanted)
        assert error(tiles.product(a, b, 3, 3), a, b) < 1e-6
