"""Signals that ask a program to end: it keeps what it has, says how to go on, and leaves no process."""

import contextlib
import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml

from tests.cli.conftest import TINY, alone, digits  # noqa: F401  (fixtures, of which `alone` comes by itself)
from tests.processes import command
from tests.trust.kills import KILLS

KEPT = Path("runs/ae_mnist/resume.ckpt")
MARK = "SNN_SYNTH_TEST_OF_SIGNALS"
DATA = os.environ.get("SNN_SYNTH_DATA")


@pytest.fixture(autouse=True)
def handlers():
    """Those that a program starts with in a terminal: the tests may run under nohup, or in a shell's background."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def marked(value):
    """Ids of processes that were started under an environment variable of this value."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"{MARK}={value}".encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:  # it has ended meanwhile
            continue
    return found


def send(number, process, again=10):
    """Send a signal, and again if nothing happens, as anybody would: C++ of others may lose an exception."""
    for _ in range(again):
        if process.is_alive():
            os.kill(process.pid, number)
            process.join(10)


def stopped(process, number, output, mark):
    """What a process says that gets a signal: it ends by it without a traceback, and leaves none that it started."""
    send(number, process)
    process.kill()
    process.join()
    said = output.read_text()
    assert process.exitcode == 128 + number, said
    assert "Traceback" not in said
    deadline = time.monotonic() + 30
    while marked(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not marked(mark)
    return said


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_training_ends_in_order(number, digits, tmp_path, fresh_process, monkeypatch, tried):  # noqa: F811
    monkeypatch.setenv("WANDB_MODE", "offline")  # so that there is a process which the run has started
    endless = ["--trainer.max_epochs=100000", "--trainer.log_every_n_steps=1"]
    moments = random.Random(int(number))
    for turn in range(max(1, KILLS)):
        monkeypatch.setenv(MARK, str(tmp_path / str(turn)))
        output = tmp_path / f"output-{turn}"
        KEPT.unlink(missing_ok=True)
        process = fresh_process(
            command, ["fit", *TINY, f"--data.root={digits}", *endless], streams=(os.devnull, output)
        )
        deadline = time.monotonic() + 300
        while not KEPT.exists() and time.monotonic() < deadline and process.is_alive():
            time.sleep(0.05)
        time.sleep(moments.uniform(0, 1))
        tried("SIGINT, SIGTERM and SIGHUP of `fit`")
        said = stopped(process, number, output, tmp_path / str(turn))
        assert f"\nsnn-synth: stopped: go on with --ckpt_path {KEPT}\n" in said
        assert torch.load(KEPT, weights_only=True)["state_dict"]


SWEEP = {
    "name": "mine",
    "method": "grid",
    "metric": {"name": "val/standardized_mse"},
    "parameters": {"model.seed": {"values": [0, 1]}},
    "program": "snn-synth",
}
WORKS = {  # the words of a command, and what it says once it is at work
    "reproduce": (["reproduce", "fig4a"], "seed 0"),
    "demo": (["demo"], "[1/5]"),
    "sweep": (["sweep", "sweep.yaml"], "0/2"),
}


@pytest.mark.slow
@pytest.mark.skipif(not KILLS, reason="make trust")
@pytest.mark.parametrize("name", WORKS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_other_commands_end_in_order(name, number, digits, tmp_path, fresh_process, monkeypatch, tried):  # noqa: F811
    words, begun = WORKS[name]
    if name == "reproduce":
        if DATA is None:
            pytest.skip("needs SNN_SYNTH_DATA")
        monkeypatch.setenv("SNN_SYNTH_DATA", DATA)
    if name == "demo":
        pytest.importorskip("espeakng_loader")
    program = ["${env}", "${program}", "fit", *TINY, f"--data.root={digits}", "--trainer.max_epochs=100000", "${args}"]
    Path("sweep.yaml").write_text(yaml.safe_dump(SWEEP | {"command": program}))
    monkeypatch.setenv(MARK, str(tmp_path))
    output = tmp_path / "output"
    process = fresh_process(command, words, streams=(os.devnull, output))
    deadline = time.monotonic() + 120
    while not (output.exists() and begun in output.read_text()):
        assert time.monotonic() < deadline, output.read_text()
        assert process.is_alive(), output.read_text()
        time.sleep(0.05)
    time.sleep(random.Random(f"{name} {number}").uniform(0, 3))
    assert "\nsnn-synth: stopped" in stopped(process, number, output, tmp_path)
    tried("SIGINT, SIGTERM and SIGHUP of `reproduce`, `sweep` and `demo`")


def stop(number):
    """A program that is told to end while it works."""

    def work(words):
        os.kill(os.getpid(), number)
        time.sleep(10)

    return work


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_can_be_called_again_says_so(number, monkeypatch, capsys):
    import snn_synth.cli.reproduce
    from snn_synth.cli import main

    before = signal.getsignal(number)
    monkeypatch.setattr(snn_synth.cli.reproduce, "run", stop(number))
    assert main(["reproduce", "fig4a"]) == 128 + number
    assert capsys.readouterr().err == "snn-synth: stopped: the same command goes on from here\n"
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_where_nothing_may_be_raised_comes_again(number, monkeypatch, capsys):
    import snn_synth.cli.reproduce
    from snn_synth.cli import main

    class Kept:
        def __del__(self):
            os.kill(os.getpid(), number)
            time.sleep(0.1)

    def work(words):
        kept = Kept()
        del kept
        time.sleep(10)
        raise AssertionError("not stopped")

    before = sys.unraisablehook
    monkeypatch.setattr(snn_synth.cli.reproduce, "run", work)
    assert main(["reproduce", "fig4a"]) == 128 + number
    assert capsys.readouterr().err == "snn-synth: stopped: the same command goes on from here\n"
    assert sys.unraisablehook is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_of_which_others_make_an_error_is_a_stop(number, monkeypatch, capsys):
    """As matplotlib's C++ does, which asks Python for a number, and says that it got a wrong one."""
    import snn_synth.cli.reproduce
    from snn_synth.cli import main

    def work(words):
        try:
            os.kill(os.getpid(), number)
            time.sleep(10)
        except KeyboardInterrupt:
            pass
        raise ValueError("Invalid affine transformation matrix")

    monkeypatch.setattr(snn_synth.cli.reproduce, "run", work)
    assert main(["reproduce", "fig4a"]) == 128 + number
    assert capsys.readouterr().err == "snn-synth: stopped: the same command goes on from here\n"


def test_a_stop_that_others_lose_is_not_taken_for_a_good_end(monkeypatch):
    """Lightning, told in Python that SIGTERM came, leaves by a SystemExit without a code."""
    import snn_synth.cli.reproduce
    from snn_synth.cli import main

    def work(words):
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
        sys.exit()

    monkeypatch.setattr(snn_synth.cli.reproduce, "run", work)
    assert main(["reproduce", "fig4a"]) == 128 + signal.SIGTERM


def test_nohup_is_obeyed(monkeypatch):
    import snn_synth.cli.reproduce
    from snn_synth.cli import main

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        monkeypatch.setattr(snn_synth.cli.reproduce, "run", lambda words: os.kill(os.getpid(), signal.SIGHUP))
        assert main(["reproduce", "fig4a"]) == 0
    finally:
        signal.signal(signal.SIGHUP, before)
