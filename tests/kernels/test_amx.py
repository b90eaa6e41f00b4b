from types import SimpleNamespace

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


@pytest.mark.parametrize(("answer", "wanted"), [(0, True), (-1, False)])
def test_the_system_is_asked_for_the_memory_of_the_tiles(monkeypatch, answer, wanted):
    """As arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA); an old Linux, or one that keeps them back, refuses."""
    asked = []
    library = SimpleNamespace(syscall=lambda *numbers: asked.append(numbers) or answer)
    monkeypatch.setattr(amx, "compiled_for", lambda: ("sapphirerapids", "+avx512f,+amx-tile,+amx-bf16"))
    monkeypatch.setattr(amx.platform, "system", lambda: "Linux")
    monkeypatch.setattr(amx, "ctypes", SimpleNamespace(CDLL=lambda name, use_errno: library))
    assert amx.has_amx.__wrapped__() is wanted
    assert asked == [(158, 0x1023, 18)]
