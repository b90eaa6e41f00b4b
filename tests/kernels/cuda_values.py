"""The contract of the Triton kernels. Run by test_cuda.py in a process of its own."""

import pytest

from tests.kernels.contract import *  # noqa: F403


@pytest.fixture
def kernels():
    from snn_synth.kernels import cuda
    from snn_synth.kernels.cuda import encoding, lif, traces  # noqa: F401

    return cuda
