import pytest
import torch
from torch.testing import assert_close

from snn_synth import kernels
from snn_synth.errors import InputError
from snn_synth.kernels import products
from snn_synth.kernels.products import spike_linear, split_product


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def fast(monkeypatch):
    """As on a machine whose bfloat16 products are fast."""
    monkeypatch.setattr(products, "_fast_bfloat16", lambda device: True)


def relative(a, b):
    return ((a.double() - b).norm() / b.norm()).item()


def everything(spikes, weight, delta):
    spikes, weight = spikes.clone().requires_grad_(), weight.clone().requires_grad_()
    currents = spike_linear(spikes, weight)
    return currents.detach(), *torch.autograd.grad((currents * delta).sum(), [spikes, weight])


def wanted(spikes, weight, delta):
    spikes, weight, delta = spikes.double(), weight.double(), delta.double()
    by_weight = torch.einsum("tbo,tbi->oi", delta, spikes)
    return spikes @ weight.T, delta @ weight, by_weight


SPIKES, WEIGHT, DELTA = (draw(6, 20, 300) > 1).float(), draw(70, 300, seed=1), draw(6, 20, 70, seed=2)


def test_three_parts_are_the_weight():
    """What the split drops is below float32's own rounding: 8 bits of each part make 24."""
    one_spike_each = torch.eye(300)
    assert_close(split_product(one_spike_each, WEIGHT.T), WEIGHT.T, rtol=2**-23, atol=0)
    assert torch.backends.mkldnn.matmul.fp32_precision != "bf16"  # as it was


@pytest.mark.parametrize("precision", ["float32", "mixed"])
def test_exact_forward(fast, precision):
    with kernels.precision(precision):
        ours = everything(SPIKES, WEIGHT, DELTA)
    theirs = wanted(SPIKES, WEIGHT, DELTA)
    assert relative(ours[0], theirs[0]) < 5e-7
    bound = 5e-7 if precision == "float32" else 5e-3
    assert all(relative(a, b) < bound for a, b in zip(ours[1:], theirs[1:], strict=True))
    if precision == "mixed":
        assert relative(ours[2], theirs[2]) > 1e-4  # it was bfloat16


def test_bfloat16_both_ways():
    with kernels.precision("bfloat16"):
        ours = everything(SPIKES, WEIGHT, DELTA)
    theirs = wanted(SPIKES, WEIGHT, DELTA)
    assert all(1e-4 < relative(a, b) < 1e-2 for a, b in zip(ours, theirs, strict=True))


def test_values_that_are_not_spikes_are_not_rounded(fast):
    ours, theirs = everything(SPIKES * 0.3, WEIGHT, DELTA), wanted(SPIKES * 0.3, WEIGHT, DELTA)
    assert all(relative(a, b) < 5e-7 for a, b in zip(ours, theirs, strict=True))


def test_float64_and_autocast_are_left_alone(fast):
    with kernels.precision("bfloat16"):
        assert relative(spike_linear(SPIKES.double(), WEIGHT.double()), wanted(SPIKES, WEIGHT, DELTA)[0]) < 1e-14
        with torch.autocast("cpu", torch.bfloat16):
            assert spike_linear(SPIKES, WEIGHT).dtype == torch.bfloat16


def test_unknown_precision():
    with pytest.raises(InputError, match="precision"):
        kernels.precision("float16").__enter__()
