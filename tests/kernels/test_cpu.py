"""The contract of the numba kernels, on one thread and on two."""

import pytest

from snn_synth.kernels import cpu
from snn_synth.kernels.cpu import encoding, lif, step, traces
from tests.kernels.contract import *  # noqa: F403
from tests.kernels.guarded import walls


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def kernels(request, monkeypatch):
    with walls(request.param, monkeypatch, encoding, lif, step, traces):
        yield cpu
