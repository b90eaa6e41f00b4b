import pytest
import torch

from snn_synth.kernels.cpu.amx import has_amx

pytestmark = pytest.mark.skipif(not has_amx(), reason="needs AMX")


@pytest.fixture(params=[1, 2, 3], ids=["one thread", "two threads", "three threads"], autouse=True)
def _threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


def draw(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def error(found, left, right):
    exact = left.double() @ right.double()
    return ((found.double() - exact).abs().max() / exact.abs().max()).item()


def by_rows(x):
    return x


def by_columns(x):
    return x.T.contiguous().T


# One of everything; edges of tiles; several panels; groups of columns beside tiles that are packed before.
SHAPES = [(1, 1, 1), (33, 31, 17), (70, 33, 45), (32, 3200, 32), (40, 700, 1100)]


@pytest.mark.parametrize("right", [by_rows, by_columns])
@pytest.mark.parametrize("left", [by_rows, by_columns])
@pytest.mark.parametrize(("height", "depth", "width"), SHAPES)
def test_products_equal_those_in_float64(height, depth, width, left, right):
    from snn_synth.kernels.cpu.tiles import product

    a, b = left(draw(height, depth, seed=0)), right(draw(depth, width, seed=1))
    spikes, others = left((a > 0.5).float()), right((b > 0.5).float())
    assert error(product(a, b, 3, 3), a, b) < 1e-6
    assert error(product(spikes, b, 1, 3, "left"), spikes, b) < 1e-6
    assert error(product(a, others, 3, 1, "right"), a, others) < 1e-6
    rounded = a.bfloat16().float(), b.bfloat16().float()
    assert error(product(a, b, 1, 1), *rounded) < 1e-2
    if depth > 1:
        assert error(product(a, b, 1, 1), a, b) > 1e-4


@pytest.mark.parametrize(("height", "depth", "width"), SHAPES)
def test_what_one_part_does_not_hold_gets_three(height, depth, width):
    from snn_synth.kernels.cpu.tiles import product

    a, b = draw(height, depth, seed=0), draw(depth, width, seed=1)
    assert error(product(a, b, 1, 3, "left"), a, b) < 1e-6
    assert error(product(a, b, 3, 1, "right"), a, b) < 1e-6


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("bits", [0x7FFFFFFF, -1, 0x7F800001, 0x7F800000], ids=["of a GPU", "negative", "least", "inf"])
def test_what_is_no_number_stays_none(bits, parts):
    """Every NaN, also one whose bits would be rounded up to those of zero."""
    from snn_synth.kernels.cpu.tiles import product

    a, b = torch.ones(3, 40), torch.zeros(40, 5)
    b.view(torch.int32)[7, 2] = bits
    found = product(a, b, 1, parts)
    assert not found[:, 2].isfinite().any()
    assert not found[:, [0, 1, 3, 4]].any()


def test_large_numbers_do_not_overflow():
    from snn_synth.kernels.cpu.tiles import product

    b = torch.tensor([[3.4e38, -3.4e38, 3.39e38]])
    assert torch.equal(product(torch.ones(1, 1), b, 1, 3), b)


def test_the_same_bits_with_any_number_of_threads():
    from snn_synth.kernels.cpu.tiles import product

    a, b = draw(300, 700, seed=0), draw(700, 1100, seed=1)
    found = product(a, b, 3, 3)
    torch.set_num_threads(1)
    assert torch.equal(product(a, b, 3, 3), found)


def test_pytorchs_own_products_on_amx_go_on_in_turns():
    from snn_synth.kernels.cpu.tiles import product

    a, b = draw(256, 512, seed=0), draw(512, 128, seed=1)
    wanted = a.bfloat16() @ b.bfloat16()
    for _ in range(5):
        product(a, b, 1, 1)
        assert torch.equal(a.bfloat16() @ b.bfloat16(), wanted)
        assert error(product(a, b, 3, 3), a, b) < 1e-6
