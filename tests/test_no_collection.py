"""The collection of garbage waits while much is imported."""

import gc
import sys

import pytest

from snn_synth.cli import entry
from snn_synth.collection import no_collection
from snn_synth.kernels import dispatch

MODULE = """
import gc
seen = [gc.isenabled()]

def run(argv):
    seen.append(gc.isenabled())
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module that notes whether garbage is collected."""
    (tmp_path / "looks_at_collection.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield "looks_at_collection"
    sys.modules.pop("looks_at_collection", None)
    dispatch.kernel.cache_clear()
    gc.enable()


@pytest.mark.parametrize("before", [True, False])
def test_it_ends_as_it_was_after_an_error_too(before):
    (gc.enable if before else gc.disable)()
    try:
        with pytest.raises(KeyError), no_collection():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() == before
    finally:
        gc.enable()


def test_a_command_is_imported_without_and_runs_with_it(module, monkeypatch):
    monkeypatch.setitem(entry.COMMANDS, "look", module)
    assert entry.main(["look"]) == 0
    assert entry.importlib.import_module(module).seen == [False, True]


def test_kernels_are_imported_without_it(module, monkeypatch):
    load = dispatch.importlib.import_module
    monkeypatch.setattr(dispatch.importlib, "import_module", lambda name: load(module))
    assert dispatch.kernel("numba", "no such kernel").seen == [False]
    assert gc.isenabled()
