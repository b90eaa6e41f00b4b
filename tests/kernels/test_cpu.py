"""The contract of the numba kernels, on one thread and on two."""

import pytest
import torch

from snn_synth.kernels import cpu
from snn_synth.kernels.cpu import encoding, lif, step, traces
from tests.kernels.contract import *  # noqa: F403
from tests.kernels.guarded import guard


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def kernels(request, monkeypatch):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    check = guard(monkeypatch, encoding, lif, step, traces)
    yield cpu
    check()
    torch.set_num_threads(before)
