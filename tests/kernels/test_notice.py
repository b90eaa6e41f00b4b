"""One line where kernels compile for a notable time, and none elsewhere. Real processes, on a cache of their own."""

import os
import subprocess
import sys
import types

import pytest

from snn_synth.kernels.cpu import notice
from snn_synth.kernels.cpu.notice import KEPT, NOT_KEPT, CompilingNotice


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when it is told to."""
    now = types.SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(notice, "perf_counter", lambda: now.seconds)
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    return now


def compile_one(listener, clock, seconds, module="snn_synth.kernels.cpu.lif", inside="numba.np.arrayobj"):
    function = types.SimpleNamespace(py_func=types.SimpleNamespace(__module__=module))
    inner = types.SimpleNamespace(py_func=types.SimpleNamespace(__module__=inside))
    event, part = (types.SimpleNamespace(data={"dispatcher": one}) for one in (function, inner))
    listener.on_start(event)
    clock.seconds += seconds / 4
    listener.on_start(part)
    clock.seconds += seconds / 2
    listener.on_end(part)
    clock.seconds += seconds / 4
    listener.on_end(event)
    clock.seconds += 60  # of anything else


@pytest.mark.parametrize(("kept", "message"), [(True, KEPT), (False, NOT_KEPT)])
def test_it_is_said_once_when_it_has_taken_a_while(kept, message, clock, capsys):
    listener = CompilingNotice(kept)
    compile_one(listener, clock, 0.25)
    compile_one(listener, clock, 0.25, inside="snn_synth.kernels.cpu.sigmoid")  # not counted twice
    assert capsys.readouterr().err == ""
    compile_one(listener, clock, 0.0625)
    assert capsys.readouterr() == ("", message + "\n")
    compile_one(listener, clock, 3)
    assert capsys.readouterr() == ("", "")


def test_functions_of_others_are_theirs_to_speak_of(clock, capsys):
    compile_one(CompilingNotice(True), clock, 3, module="somebody.else")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", ["LOCAL_RANK", "SLURM_PROCID"])
def test_one_of_the_ranks_speaks(name, clock, capsys, monkeypatch):
    monkeypatch.setenv(name, "1")
    compile_one(CompilingNotice(True), clock, 3)
    assert capsys.readouterr().err == ""


def test_workers_are_silent(clock, capsys, monkeypatch):
    monkeypatch.setattr(notice, "is_worker", lambda: True)
    compile_one(CompilingNotice(True), clock, 3)
    assert capsys.readouterr().err == ""


def test_a_process_without_stderr_goes_on(clock, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    compile_one(CompilingNotice(True), clock, 3)
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_a_real_process_says_it_on_an_empty_cache_alone(tmp_path):
    code = (
        "import torch; from snn_synth.kernels.cpu import notice; notice.NOTABLE = 0.01\n"
        "from snn_synth.encoding import poisson_encode\n"
        "poisson_encode(torch.rand(2, 3), 4, keys=torch.arange(2))"
    )
    environment = {"NUMBA_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    for expected in (f"{KEPT}\n", ""):
        child = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **environment}
        )
        assert (child.stdout, child.stderr) == ("", expected)
