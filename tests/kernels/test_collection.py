"""The collection of garbage waits for the compiler, and no longer."""

import gc

import numba
import pytest
from numba.core import event

from snn_synth.kernels.cpu.collection import CollectionPause


@pytest.fixture
def pause():
    listener = CollectionPause()
    event.register("numba:compile", listener)
    yield listener
    event.unregister("numba:compile", listener)
    gc.enable()


@pytest.mark.parametrize("before", [True, False])
def test_it_is_off_while_compiling_and_then_as_before(before, pause):
    seen = []

    class Look(event.Listener):
        def on_start(self, event):
            seen.append(gc.isenabled())

        def on_end(self, event):
            seen.append(gc.isenabled())

    inner = numba.njit(lambda x: x + 1)
    outer = numba.njit(lambda x: inner(x) * 2)
    (gc.enable if before else gc.disable)()
    with event.install_listener("numba:compile", Look()):
        assert outer(1) == 4
    assert seen[:3] == [False] * 3  # of the outer function, and from start to end of the inner one
    assert gc.isenabled() == before


def test_an_error_ends_it(pause):
    gc.enable()
    with pytest.raises(numba.errors.TypingError):
        numba.njit(lambda x: x.nothing)(1)
    assert gc.isenabled()
