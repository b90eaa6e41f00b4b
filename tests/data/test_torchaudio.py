import sys

import pytest

from snn_synth.data._torchaudio import load_torchaudio

PACKAGE = {
    "__init__.py": "from . import version\nfrom . import _extension\nfrom .functional import double\n",
    "version.py": "__version__ = '2'\n",
    "functional.py": "from torchaudio._extension import fail_if_no_align\n"
    "@fail_if_no_align\ndef double(x):\n    return 2 * x\n",
}


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A package called torchaudio, of the real one's build, in place of the real one."""
    for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
        monkeypatch.delitem(sys.modules, name)
    before = set(sys.modules)
    folder = tmp_path / "torchaudio"
    folder.mkdir()
    for name, content in PACKAGE.items():
        (folder / name).write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in set(sys.modules) - before:
        if name.split(".")[0] == "torchaudio":
            del sys.modules[name]


def test_an_extension_that_loads_is_used(fake):
    (fake / "_extension.py").write_text("REAL = True\nfail_if_no_align = lambda f: f\n")
    loaded = load_torchaudio()
    assert loaded._extension.REAL
    assert loaded.double(4) == 8


@pytest.mark.parametrize("error", ["OSError", "RuntimeError", "ImportError", "ModuleNotFoundError"])
def test_an_extension_that_does_not_load_is_stubbed_out(fake, error):
    """All is imported anew, so that the package has what had been imported before the error, too."""
    (fake / "_extension.py").write_text(f"raise {error}('libc10_cuda.so: cannot open shared object file')\n")
    loaded = load_torchaudio()
    assert not loaded._extension._IS_TORCHAUDIO_EXT_AVAILABLE
    assert not loaded._extension._IS_ALIGN_AVAILABLE
    assert loaded.version.__version__ == "2"
    assert loaded.double(4) == 8


def test_a_missing_torchaudio_is_told(fake, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    with pytest.raises(ModuleNotFoundError, match="torchaudio"):
        load_torchaudio()


def test_the_real_one_has_what_is_used_here():
    assert load_torchaudio().transforms.MelSpectrogram
    assert load_torchaudio().transforms.Resample
