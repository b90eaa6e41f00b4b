"""The surrogate's derivative, in arithmetic of its own, against its closed form in float64."""

import numpy as np
import pytest

from snn_synth.kernels.cpu import cache
from snn_synth.kernels.cpu.sigmoid import sigmoid_derivative
from snn_synth.kernels.cpu.threads import jit


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)  # files are named after the package's code, not this

    @jit
    def run(team, x, slope, out):
        for i in range(len(x)):
            out[i] = sigmoid_derivative(x[i], slope)

    return run


def derivative(kernel, x, slope):
    out = np.full_like(x, np.nan)
    kernel(x, np.float32(slope), out)
    return out


@pytest.mark.parametrize("slope", [1.0, 5.0, 0.5])
def test_the_derivative_is_accurate_as_far_as_it_is_not_zero(kernel, slope):
    x = (np.linspace(-68.9, 68.9, 20_001) / slope).astype(np.float32)
    e = np.exp(-np.abs(np.float32(slope) * x).astype(float))
    np.testing.assert_allclose(derivative(kernel, x, slope), slope * e / (1 + e) ** 2, rtol=4e-7)


def test_it_is_zero_from_where_it_is_too_small_on(kernel):
    x = np.array([69, 69.1, 80, 90, 1e3, 1e30, np.inf], np.float32)
    assert not derivative(kernel, np.concatenate([x, -x]), 1.0).any()
    assert derivative(kernel, np.array([0.0], np.float32), 4.0) == 1
