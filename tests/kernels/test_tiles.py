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


@pytest.mark.parametrize(
    ("num_steps", "batch", "inputs", "outputs"),
    [(1, 1, 1, 1), (7, 3, 100, 65), (5, 37, 64, 31), (15, 100, 196, 784)],  # edges of tiles, samples shared unevenly
)
def test_spikes_without_currents_are_those_of_the_equations(num_steps, batch, inputs, outputs):
    from snn_synth.functional import lif_scan
    from snn_synth.kernels.cpu.tiles import spikes

    x = (draw(num_steps, batch, inputs, seed=0) > 0.8).float()
    weight = (8 * draw(outputs, inputs, seed=1)).round() / 16  # sums of sixteenths are exact in any order
    found = spikes(x, weight, 0.5, 1.0)
    wanted, _ = lif_scan((x.double() @ weight.double().T), None, 0.5, 1.0)
    assert torch.equal(found.double(), wanted)
    if outputs > 1:
        assert 0.05 < found.mean() < 0.9
    x[-1, -1, -1] = 0.3  # not exact in one part
    assert spikes(x, weight, 0.5, 1.0) is None


def test_weights_of_nan_reach_no_other_neuron():
    from snn_synth.kernels.cpu.tiles import spikes

    x, weight = torch.ones(4, 5, 40), torch.ones(33, 40)
    weight[7, 3] = torch.nan
    found = spikes(x, weight, 0.5, 1.0)
    assert not found[:, :, 7].any()
    assert found[:, :, [i for i in range(33) if i != 7]].all()
