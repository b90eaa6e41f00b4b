import shutil
import time
from dataclasses import replace

import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.experiments.bench import memory
from snn_synth.experiments.bench.measure import assert_equal, in_turns, summary


def test_implementations_take_turns():
    order = []
    ticks = []
    seconds = in_turns(
        {name: lambda name=name: order.append(name) for name in "abc"}, repeats=2, tick=lambda: ticks.append(1)
    )
    assert "".join(order) == "abcabc"
    assert len(ticks) == 6
    assert {name: len(times) for name, times in seconds.items()} == {"a": 2, "b": 2, "c": 2}


def test_a_slower_step_takes_longer():
    seconds = in_turns({"slow": lambda: time.sleep(0.03), "fast": lambda: None}, repeats=3)
    assert summary(seconds["slow"])["median"] >= 0.03
    assert summary(seconds["fast"])["median"] < 0.01


def test_a_part_stands_for_the_whole():
    assert summary([1.0, 3.0, 2.0], scale=20)["median"] == 40


@pytest.mark.parametrize("found", [(14.2, 1.0), (14.0, 1.001), (float("nan"), 1.0)])
def test_who_computes_something_else_is_told_so(found):
    assert_equal("x", (14.0001, 1.0), (14.0, 1.0))
    with pytest.raises(InputError, match=r"Expected x to give \[14.0, 1.0\] at the same weights, got .* not timed"):
        assert_equal("x", found, (14.0, 1.0))


@pytest.mark.slow
def test_peak_memory_is_that_of_the_batch(make):
    """A quarter of a million inputs: 9 steps of 4 samples are 36 MB of spikes; 12 neurons have 12 MB of weights."""
    case, inputs = make("bptt"), 250_000
    wide = replace(
        case,
        workload=replace(case.workload, sizes=(inputs, 12, 18)),
        weights=[torch.zeros(12, inputs), case.weights[1]],
        values=torch.zeros(4, inputs),
        spikes=torch.zeros(9, 4, inputs),
    )
    for _ in range(3):
        found = memory.alone(wide, ["ours"])["ours"]
        megabytes = found["grown_bytes"] / 1e6
        if megabytes < 2 * (36 + 5 * 12):
            break  # else the allocator has kept more on top
    assert 36 + 4 * 12 < megabytes < 2 * (36 + 5 * 12), "spikes; weights, their gradient and two moments"
    assert found["peak_bytes"] / 1e6 > megabytes + 50, "Python and PyTorch themselves"
    assert found["median"] > 0


def test_a_child_that_fails_says_so(make, monkeypatch):
    monkeypatch.setattr(memory.sys, "executable", shutil.which("false"))
    assert memory.alone(make("bptt"), ["ours"]) == {"ours": {"error": "ended with code 1"}}
