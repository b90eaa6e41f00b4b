"""Work shared out among threads: all of it, once, and each share with memory of its own."""

import gc
import os
import subprocess
import sys
import weakref
from threading import Event, Thread
from time import perf_counter

import numba
import numpy as np
import pytest
import torch
from numba.core.registry import cpu_target

from snn_synth.kernels.cpu import cache
from snn_synth.kernels.cpu import threads as threads_module
from snn_synth.kernels.cpu.share import share_out, subroutine
from snn_synth.kernels.cpu.threads import jit, made_once, parallel, scratch


@pytest.fixture(params=[1, 2, 3])
def threads(request, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)  # files are named after the package's code, not this
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def mark(share, start, stop, amount, space, marks, owners):
    own = space[share]
    for i in range(start, stop):
        own[0] += amount
        marks[i] += 1
        owners[i] = share


def test_all_is_done_once(threads):
    kernel = parallel(mark)
    for count in (0, 1, 2, 7, 100):
        space, marks, owners = scratch("marks", 1), np.zeros(count, np.int32), np.full(count, -1)
        space[:] = 0
        kernel(count, np.float32(0.5), space, marks, owners)
        assert (marks == 1).all()
        assert space.shape == (threads, 1)
        assert space.sum() == count / 2
        assert (np.diff(owners) >= 0).all()  # each share is one range
        assert set(owners) <= set(range(threads))
        assert count < 7 or len(set(owners)) == min(threads, numba.config.NUMBA_NUM_THREADS)


ALONE = """
import torch
from snn_synth.kernels import use
from snn_synth.models import AESNN
torch.set_num_threads(3)
with use("numba"):
    AESNN(40, 20)(torch.ones(3, 2, 40))
print(torch.get_num_threads())
"""


@pytest.mark.slow
@pytest.mark.parametrize("cores", ["2", "4"])
def test_pytorch_keeps_its_threads(cores):
    """Fewer than numba starts, or more."""
    environment = os.environ | {"NUMBA_NUM_THREADS": cores}
    child = subprocess.run([sys.executable, "-c", ALONE], env=environment, capture_output=True, text=True)
    assert child.stdout == "3\n", child.stderr


def test_a_kernel_can_share_out_several_times(threads):
    @subroutine
    def square(share, start, stop, x, squares):
        for i in range(start, stop):
            squares[i] = x[i] * x[i]

    @subroutine
    def add(share, start, stop, squares, totals):
        for i in range(start, stop):
            totals[share] += squares[i]

    @jit
    def kernel(team, x, squares, totals):
        share_out(square, team, len(x), (x, squares))
        share_out(add, team, len(x), (squares, totals))

    x, totals = np.arange(50.0), np.zeros(threads)
    kernel(x, np.empty(50), totals)
    assert totals.sum() == (x * x).sum()


def test_a_subroutine_becomes_machine_code_with_its_kernel_alone(monkeypatch, tmp_path):
    """As a function that the kernel calls: inlined, loops along rows took up to six times as long."""
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)  # files are named after the package's code, not this
    compiled = []

    class Engine:
        def __init__(self, engine):
            self.engine = engine

        def __getattr__(self, name):
            return getattr(self.engine, name)

        def add_module(self, module):
            compiled.append({function.name for function in module.functions if not function.is_declaration})
            return self.engine.add_module(module)

    @subroutine
    def twice(x):
        for i in range(len(x)):
            x[i] += x[i]

    @subroutine
    def four_times(x):
        twice(x)
        twice(x)

    @parallel
    def kernel(share, start, stop, x):
        for i in range(start, stop):
            four_times(x[i])

    codegen = cpu_target.target_context.codegen()
    monkeypatch.setattr(codegen, "_engine", Engine(codegen._engine))
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    kernel(3, x)
    assert np.array_equal(x, 4 * np.arange(12).reshape(3, 4))
    with_it = [names for names in compiled if any("5twice" in name for name in names)]  # with their length, as in C++
    assert len(with_it) == 1
    for function in ("10four_times", "6kernel"):
        assert any(function in name for name in with_it[0]), function


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_numba_s_ways_to_run_threads(layer, tmp_path):
    code = (
        "import torch\n"
        "from snn_synth.kernels import use, lif_scan\n"
        "currents = torch.rand(5, 7, 11, generator=torch.Generator().manual_seed(0)) * 2\n"
        "torch.set_num_threads(2)\n"
        "here = lif_scan(currents)[1]\n"
        "with use('reference'):\n"
        "    there = lif_scan(currents)[1]\n"
        "import numba\n"
        "print(numba.threading_layer(), torch.allclose(here, there))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            **os.environ,
            "NUMBA_THREADING_LAYER": layer,
            "NUMBA_CACHE_DIR": str(tmp_path),
            "NUMBA_NUM_THREADS": "2",
            "OMP_NUM_THREADS": "2",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.split() == [layer, "True"], done.stderr


def test_scratch_is_the_same_memory_again_but_not_of_another_use_or_another_thread():
    first = scratch("one", 3, 5)
    assert first.shape == (torch.get_num_threads(), 3, 5)
    assert scratch("one", 3, 5).ctypes.data == first.ctypes.data
    others = [scratch("two", 3, 5), scratch("one", 5, 3), scratch("one", 3, 5, dtype=torch.float64)]
    elsewhere = Thread(target=lambda: others.append(scratch("one", 3, 5)))
    elsewhere.start()
    elsewhere.join()
    assert len(others) == 4
    assert not any(np.shares_memory(first, other) for other in others)


def test_scratch_of_many_shapes_is_not_kept():
    kept = [weakref.ref(scratch("many", 1, size)) for size in range(100)]
    gc.collect()
    assert sum(one() is not None for one in kept) <= 32


def test_up_to_32_arrays_of_up_to_four_megabytes_are_kept(monkeypatch):
    monkeypatch.setattr(threads_module, "_kept", threads_module._Kept())
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for size in (2**20, 2**20 + 1):  # the second is not kept
            scratch("large", size)
            assert len(threads_module._kept.arrays) == 1
        for size in range(1, 32):
            scratch("small", size)
        assert len(threads_module._kept.arrays) == 32
        scratch("small", 32)
        assert len(threads_module._kept.arrays) == 1
    finally:
        torch.set_num_threads(before)


def test_arrays_that_are_made_once(monkeypatch):
    """Of each size, each number of threads of a kernel, and each Python thread; not large ones."""
    for kept in ("sets", "arrays"):  # of other tests
        monkeypatch.setattr(threads_module._kept, kept, {})
    made = []

    def make(size):
        made.append(size)
        return scratch("one", size), np.zeros(size, np.uint8)

    find = made_once(make)
    before, elsewhere = torch.get_num_threads(), []
    try:
        torch.set_num_threads(2)
        first = find(10)
        assert find(10) is first
        assert find(20)[1].shape == (20,)
        torch.set_num_threads(3)
        assert [x.shape for x in find(10)] == [(3, 10), (10,)]
        torch.set_num_threads(2)
        thread = Thread(target=lambda: elsewhere.append(find(10)))
        thread.start()
        thread.join()
        assert not any(np.shares_memory(a, b) for a, b in zip(first, elsewhere[0], strict=True))
        assert find(10) is first
        assert made == [10, 20, 10, 10]
        large = threads_module._SMALL // 8  # numbers of two threads
        assert find(large) is find(large)
        assert find(large + 1) is not find(large + 1)
        for size in range(100, 100 + threads_module._SETS):
            find(size)
        assert find(10) is not first
    finally:
        torch.set_num_threads(before)


def test_numba_s_start_leaves_pytorch_its_threads(monkeypatch):
    """It starts as many threads as there are cores."""
    before = torch.get_num_threads()
    monkeypatch.setattr(numba, "get_num_threads", lambda: torch.set_num_threads(before + 3))
    threads_module._runner.__wrapped__()
    assert torch.get_num_threads() == before


def test_python_goes_on_while_a_kernel_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)

    @jit
    def wait(team, rounds, out):
        x = 0.3
        for _ in range(rounds):
            x = 3.9 * x * (1 - x)
        out[0] = x

    ticks, done = [], Event()

    def tick():
        while not done.wait(0.002):
            ticks.append(perf_counter())

    out = np.zeros(1)
    wait(1, out)  # it is compiled
    thread = Thread(target=tick)
    thread.start()
    start = perf_counter()
    wait(100_000_000, out)
    end = perf_counter()
    done.set()
    thread.join()
    assert any(start + 0.01 < one < end - 0.01 for one in ticks)
