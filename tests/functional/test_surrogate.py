import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from snn_synth.errors import InputError
from snn_synth.functional import sigmoid_derivative, spike
from snn_synth.surrogate import SigmoidCentered


@pytest.mark.parametrize("slope", [1.0, 5.0, 25.0])
def test_derivative_is_the_finite_difference_of_the_sigmoid(slope):
    x = np.linspace(-4, 4, 101)
    h = 1e-6
    difference = (1 / (1 + np.exp(-slope * (x + h))) - 1 / (1 + np.exp(-slope * (x - h)))) / (2 * h)
    np.testing.assert_allclose(sigmoid_derivative(torch.from_numpy(x), slope).numpy(), difference, atol=1e-8)


def test_backward_is_the_derivative_and_forward_fires_at_the_threshold():
    x = torch.tensor([-2.0, -1e-7, 0.0, 1e-7, 3.0], requires_grad=True)
    out = SigmoidCentered()(x)
    assert out.tolist() == [0, 0, 1, 1, 1]
    (gradient,) = torch.autograd.grad(out.sum(), x)
    e = np.exp(-x.detach().numpy().astype(np.float64))
    np.testing.assert_allclose(gradient.numpy(), e / (1 + e) ** 2, rtol=1e-6)


@pytest.mark.parametrize("slope", [1.0, 25.0])
def test_far_from_threshold_the_gradient_is_zero_not_nan(slope):
    x = torch.tensor([-1e30, -1000.0, -6.0 * 25, 1000.0, float("inf"), -float("inf")], requires_grad=True)
    SigmoidCentered(slope)(x).sum().backward()
    assert torch.isfinite(x.grad).all()
    assert (x.grad.abs() < 1e-6).all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_dtype_is_preserved(dtype):
    x = torch.zeros(3, dtype=dtype, requires_grad=True)
    out = SigmoidCentered()(x)
    out.sum().backward()
    assert out.dtype == x.grad.dtype == dtype


def test_pickle_and_deepcopy_keep_the_slope():
    module = SigmoidCentered(3.0)
    for copied in (pickle.loads(pickle.dumps(module)), copy.deepcopy(module)):
        assert copied.slope == 3.0
        assert copied(torch.zeros(1)).item() == 1


def test_function_transforms():
    x = torch.linspace(-2, 2, 12, dtype=torch.float64).reshape(3, 4)
    assert torch.equal(torch.func.vmap(spike)(x), spike(x))
    by_vmap = torch.func.vmap(torch.func.grad(lambda row: spike(row, 2.0).sum()))(x)
    torch.testing.assert_close(by_vmap, sigmoid_derivative(x, 2.0))


def test_second_derivative_is_that_of_the_sigmoid():
    x = torch.tensor([0.7], dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(spike(x), x, create_graph=True)
    (second,) = torch.autograd.grad(first, x)
    s = torch.sigmoid(x.detach())
    torch.testing.assert_close(second, s * (1 - s) * (1 - 2 * s))


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_compiles_without_graph_breaks(backend):
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    module = SigmoidCentered(2.0)
    compiled = torch.compile(module, backend=backend, fullgraph=True)
    expected = torch.autograd.grad((module(x) * x).sum(), x)
    assert torch.equal(compiled(x), module(x))
    torch.testing.assert_close(torch.autograd.grad((compiled(x) * x).sum(), x), expected)


def test_has_no_state_to_save():
    assert not SigmoidCentered().state_dict()
    assert isinstance(SigmoidCentered(), nn.Module)


@pytest.mark.parametrize("slope", [0.0, -1.0, float("nan")])
def test_slope_must_be_positive(slope):
    with pytest.raises(InputError, match="Expected `slope` to be positive"):
        SigmoidCentered(slope)
