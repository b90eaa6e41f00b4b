"""The sum of rows, whose code is written by hand, against NumPy."""

import numpy as np
import pytest

from snn_synth.kernels.cpu import cache
from snn_synth.kernels.cpu.rows import NARROW, WIDTH, prefetch, sum_rows
from snn_synth.kernels.cpu.threads import jit


@pytest.fixture(params=[NARROW, WIDTH])
def width(request):
    return request.param


@pytest.fixture
def kernel(width, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)  # files are named after the package's code, not this

    @jit
    def run(team, table, stride, start, rows, weights, first, count, keep, out, at):
        prefetch(table, start)
        prefetch(table, len(table) - 1)  # in part outside
        sum_rows(width, table, stride, start, rows, weights, first, count, keep, out, at)

    return run


def test_the_weighted_sum_of_rows(kernel, width):
    rng = np.random.default_rng(0)
    table = rng.standard_normal((9, 83)).astype(np.float32)
    rows, weights = rng.integers(0, 9, 20).astype(np.int32), rng.standard_normal(20).astype(np.float32)
    for first, count, start, at, keep in [(0, 20, 0, 0, False), (3, 7, 11, 5, True), (19, 1, 19, 30, False)]:
        out = rng.standard_normal(100).astype(np.float32)
        wanted = out.copy()
        chosen = slice(first, first + count)
        total = weights[chosen].astype(float) @ table[rows[chosen], start : start + width]
        wanted[at : at + width] = total + (out[at : at + width] if keep else 0)
        kernel(table.reshape(-1), 83, start, rows, weights, first, count, keep, out, at)
        np.testing.assert_allclose(out, wanted, rtol=1e-5, atol=1e-5)
    for keep in (False, True):  # of no rows
        out = np.full(width + 2, 3, np.float32)
        kernel(table.reshape(-1), 83, 0, rows, weights, 4, 0, keep, out, 1)
        assert (out[1:-1] == (3 if keep else 0)).all()
        assert out[0] == out[-1] == 3
