import pytest

from snn_synth.kernels.cpu import amx


@pytest.mark.parametrize("features", ["", "+avx512f,-amx-tile,-amx-bf16", "+amx-tile,-amx-bf16"])
def test_no_amx_where_numba_compiles_for_a_processor_without(monkeypatch, features):
    """As with NUMBA_CPU_NAME=generic: the compiler ends the process when it meets such an instruction."""
    monkeypatch.setattr(amx, "compiled_for", lambda: ("generic", features))
    assert not amx.has_amx.__wrapped__()


def test_no_amx_but_on_linux(monkeypatch):
    monkeypatch.setattr(amx, "compiled_for", lambda: ("sapphirerapids", "+amx-tile,+amx-bf16"))
    monkeypatch.setattr(amx.platform, "system", lambda: "Darwin")
    assert not amx.has_amx.__wrapped__()
