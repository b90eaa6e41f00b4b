"""The Triton kernels: their values by Triton's interpreter or on a GPU, and compiled for a GPU without one."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from snn_synth.learning.adam import plain_moments

pytest.importorskip("triton")
ROOT = Path(__file__).parents[2]


def keep_the_contract(tmp_path, interpret):
    """In a fresh process: Triton reads TRITON_INTERPRET once, when it is first imported."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    environment = {**os.environ, "TRITON_INTERPRET": interpret, "TRITON_CACHE_DIR": str(tmp_path)}
    values = "tests/kernels/cuda_values.py"
    child = subprocess.run([*command, values], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert child.returncode == 0, child.stdout + child.stderr


@pytest.mark.slow
def test_equal_to_the_reference_under_tritons_interpreter(tmp_path):
    keep_the_contract(tmp_path, interpret="1")


@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_equal_to_the_reference_on_the_gpu(tmp_path):
    keep_the_contract(tmp_path, interpret="0")


class Hopper:
    """All that Triton's compiler asks of a GPU's driver."""

    def get_current_target(self):
        from triton.backends.compiler import GPUTarget

        return GPUTarget("cuda", 90, 32)

    def get_current_device(self):
        return 0

    def get_current_stream(self, device):
        return 0


@pytest.fixture
def compiled(monkeypatch, tmp_path):
    """The programs that starting a kernel compiles; none is run."""
    from triton.runtime import driver
    from triton.runtime.jit import JITFunction

    programs = []
    start = JITFunction.run

    def compile_only(self, *arguments, grid, warmup, **options):
        programs.append(start(self, *arguments, grid=grid, warmup=True, **options))

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(driver, "_active", Hopper())
    monkeypatch.setattr(JITFunction, "run", compile_only)
    return programs


@pytest.mark.parametrize("shape", [(15, 2, 784), (1, 1, 1)])
def test_every_kernel_compiles_and_rounds_each_operation(compiled, shape):
    from snn_synth.kernels.cuda import encoding, lif, products, step, traces

    num_steps, batch, neurons = shape
    x = torch.zeros(shape)
    keys = torch.zeros(batch, dtype=torch.int64)
    last_spike = torch.zeros(batch, neurons, dtype=torch.int32)
    sums = torch.zeros(num_steps + 1, batch, neurons)

    each = torch.ones(neurons)
    lif.forward(x, None, 0.9, 1.0, False)
    lif.forward(x, x[0], 0.9, 1.0, False)
    lif.forward(x, None, each, each, True)
    lif.backward(x, None, x, None, 0.9, 1.0, False, 1.0, False)
    lif.backward(None, x, x, None, 0.9, 1.0, False, 1.0, False)
    lif.backward(x, x, x, None, 0.9, 1.0, False, 1.0, False)
    lif.backward(x, x, x, x[0], each, each, True, 1.0, True)
    lif.loss(x, x, 0.9, 1.0, False, True, 1.0, False)
    lif.loss(x, x, 0.9, 1.0, False, False, 1.0, False)
    lif.loss(x, x, each, each, True, True, 1.0, True)
    for code in ("poisson", "low-discrepancy", "even"):
        encoding.rate_spikes(x[0], keys, num_steps, 1.0, code)
    traces.weight_gradient(x[0], last_spike, sums, 1, 0.9)
    layer = SimpleNamespace(sums=sums, membranes=x[0], last_spike=last_spike)
    step.integrate(x, 0.9, sums)
    step.hidden(layer, x[0], x[0], 1, 0.9, 1.0)
    for mask in (True, False):
        step.output(layer, x[0], x[0], 1, 0.9, 1.0, x[0], mask, 1.0)
    step.hidden_error(x[0], torch.zeros(neurons, neurons), layer, 1.0, 1.0)
    weight = torch.nn.Parameter(torch.zeros(neurons, neurons))
    (moments,) = plain_moments(torch.optim.Adam([weight]), [weight])
    traces.update_weight(x[0], last_spike, sums, 1, 0.9, moments)

    exact = len(compiled)
    products.narrow(x[0])
    products.split(x[0])
    products._with_rest(last_spike, x[0], x[0].T, x[0, :, :batch])

    assert exact == 21
    assert len(compiled) == 24
    for program in compiled[exact:]:
        assert len(program.asm["cubin"]) > 0
    for program in compiled[:exact]:
        assert len(program.asm["cubin"]) > 0
        assert "fma." not in program.asm["ptx"], program.name  # a fused multiply-add would flip spikes
        assert "mul.rn.f32" in program.asm["ptx"], program.name  # .rn: the assembler must not fuse either
