import threading

import pytest
import torch

from snn_synth.kernels.cpu import choice, lif
from snn_synth.kernels.cpu.together import at_once, finish, start, together


def test_calls_are_made_in_their_order_when_the_block_ends():
    found = []
    with together():
        start(found.append, 1)
        start(found.extend, [2, 3])
        assert found == []
    assert found == [1, 2, 3]
    start(found.append, 4)
    assert found == [1, 2, 3, 4]


def test_they_can_be_asked_for_before():
    found = []
    with together():
        start(found.append, 1)
        finish()
        assert found == [1]
        start(found.append, 3)
        with at_once():
            start(found.append, 2)
            assert found == [1, 2]
        start(found.append, 4)
        assert found == [1, 2]
    assert found == [1, 2, 3, 4]
    finish()
    with at_once():
        start(found.append, 5)
    assert found == [1, 2, 3, 4, 5]


def test_a_block_within_a_block_ends_with_its_calls_made():
    found = []
    with together():
        start(found.append, 1)
        with together():
            assert found == [1]
            start(found.append, 2)
        assert found == [1, 2]
        start(found.append, 3)
        assert found == [1, 2]
    assert found == [1, 2, 3]


def test_what_fails_leaves_nothing_that_waits():
    found = []
    with pytest.raises(ZeroDivisionError), together():
        start(found.append, 1)
        1 / 0  # noqa: B018
    with pytest.raises(ZeroDivisionError), together():
        start(divmod, 1, 0)
        start(found.append, 2)
    start(found.append, 3)
    assert found == [3]


def test_a_block_that_was_ended_before_it_could_say_so_is_none():
    """By Ctrl-C, between any two instructions."""
    found = []
    block = together()
    block.__enter__()
    start(found.append, 1)
    inner = at_once()
    inner.__enter__()
    del block
    start(found.append, 2)
    inner.__exit__(None, None, None)
    start(found.append, 3)
    finish()
    assert found == [2, 3]
    with together():
        start(found.append, 4)
        assert found == [2, 3]
    assert found == [2, 3, 4]


def test_another_thread_does_not_wait():
    found = []
    with together():
        thread = threading.Thread(target=start, args=(found.append, 1))
        thread.start()
        thread.join()
        assert found == [1]


def test_kernels_wait_and_give_what_they_give_alone():
    currents = torch.randn(7, 3, 5, generator=torch.Generator().manual_seed(0))
    alone = lif.forward(currents, None, 0.9, 1.0, False)
    with together():
        spikes, membranes = lif.forward(currents, None, 0.9, 1.0, False)
        spikes.fill_(7)
        gradient, _ = lif.backward(spikes, None, membranes, None, 0.9, 1.0, False, 1.0, False)
    assert torch.equal(spikes, alone[0])
    assert torch.equal(membranes, alone[1])
    assert torch.equal(gradient, lif.backward(*alone[:1], None, alone[1], None, 0.9, 1.0, False, 1.0, False)[0])


def test_what_is_measured_is_not_put_off(monkeypatch, tmp_path):
    monkeypatch.setattr(choice, "_file", lambda: tmp_path / "fastest.json")
    monkeypatch.setattr(choice, "_chosen", {})
    monkeypatch.setattr(choice, "SECONDS", 0.01)
    waits, found = [], []
    with together():
        start(found.append, 1)
        one = {"a": lambda: start(waits.append, len(found)), "b": lambda: start(waits.append, len(found))}
        choice.fastest("tested", (1,), 1.0, ["a", "b"], lambda *_: one)
        assert len(waits) >= 4
        assert found == []
    assert found == [1]
