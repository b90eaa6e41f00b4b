"""The contract of the numba kernels, on one thread and on two."""

import pytest
import torch

from snn_synth.kernels import cpu
from snn_synth.kernels.cpu import encoding, lif, traces  # noqa: F401
from tests.kernels.contract import *  # noqa: F403


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def kernels(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield cpu
    torch.set_num_threads(before)
