"""The contract of the Triton kernels. Run by test_cuda.py in a process of its own."""

import pytest
import torch
from torch.testing import assert_close

from tests.kernels.contract import *  # noqa: F403
from tests.kernels.contract import DEVICE, normal, send

EXACT = 5e-7 if DEVICE == "cpu" else 2e-6  # tensor cores cut off what they add up
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered in exp:RuntimeWarning")  # Triton's interpreter
SUMMED = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture
def kernels():
    from snn_synth.kernels import cuda
    from snn_synth.kernels.cuda import encoding, lif, products, step, traces  # noqa: F401

    return cuda


def relative(found, wanted):
    return ((found.cpu().double() - wanted).norm() / wanted.norm()).item()


@pytest.fixture
def on_tensor_cores(kernels, monkeypatch):
    monkeypatch.setattr(kernels.products, "_worth", lambda *_: True)


@pytest.mark.usefixtures("on_tensor_cores")
@pytest.mark.parametrize("scale", [1.0, 0.3])  # spikes, and values that bfloat16 does not hold
@pytest.mark.parametrize(("rows", "inputs", "outputs"), [(1, 1, 1), (5, 1100, 3), (70, 40, 65)])
def test_products_are_exact(kernels, rows, inputs, outputs, scale):
    spikes = scale * (normal((rows, inputs), 7) > -0.5).float()
    weight, delta = normal((outputs, inputs), 8), normal((rows, outputs), 9)
    found = kernels.products.currents(*send(spikes, weight), rounded=False)
    assert found.dtype == torch.float32
    assert relative(found, spikes.double() @ weight.double().T) < EXACT
    found = kernels.products.weight_gradient(*send(delta, spikes), rounded=False)
    assert found.is_contiguous()  # as the weight is: else its gradient would be copied
    assert relative(found, delta.double().T @ spikes.double()) < EXACT
    found = kernels.products.spikes_gradient(*send(delta, weight), rounded=False)
    assert relative(found, delta.double() @ weight.double()) < EXACT


@pytest.mark.usefixtures("on_tensor_cores")
def test_nan_is_not_lost_on_the_way(kernels):
    spikes, weight = torch.ones(3, 4), torch.ones(2, 4)
    spikes[1, 2] = torch.nan
    found = kernels.products.currents(*send(spikes, weight), rounded=False).cpu()
    assert torch.equal(found.isnan(), torch.tensor([[False] * 2, [True] * 2, [False] * 2]))


def test_rounded_products_are_those_of_bfloat16(kernels):
    spikes, weight, delta = (normal((9, 40), 7) > 0).float(), normal((8, 40), 8), normal((9, 8), 9)
    rounded = weight.bfloat16().double(), delta.bfloat16().double()
    products = kernels.products
    assert_close(
        products.currents(*send(spikes, weight), rounded=True).cpu().double(), spikes.double() @ rounded[0].T, **SUMMED
    )
    found = products.weight_gradient(*send(delta, spikes), rounded=True)
    assert_close(found.cpu().double(), rounded[1].T @ spikes.double(), **SUMMED)
    found = products.spikes_gradient(*send(delta, weight), rounded=True)
    assert_close(found.cpu().double(), rounded[1] @ rounded[0], **SUMMED)


def test_three_parts_are_the_number(kernels):
    (x,) = send(normal((7, 1100), 10))
    parts = kernels.products.split(x)
    assert parts.dtype == torch.bfloat16
    assert_close(parts.double().sum(1), x.double(), rtol=2**-23, atol=0)
