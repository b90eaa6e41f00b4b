"""The one place that imports torchaudio, where a function first needs it: many sounds need none of it.

Its wheel's compiled part is tied to one CUDA version, so `import torchaudio` fails beside a CPU build of
torch. What is used here (Resample, MelSpectrogram) is pure Python: where the import fails, it is repeated
with that part stubbed out.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


def load_torchaudio() -> Any:
    """Import torchaudio, without its compiled extension where that does not load.

    Returns:
        The module `torchaudio`.
    """
    try:
        return importlib.import_module("torchaudio")
    except (OSError, RuntimeError, ImportError) as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "torchaudio":
            raise
    for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
        del sys.modules[name]  # what the failed import left behind
    sys.modules["torchaudio._extension"] = _stub()
    return importlib.import_module("torchaudio")


def _stub() -> ModuleType:
    stub = ModuleType("torchaudio._extension")
    vars(stub).update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False,
        _IS_ALIGN_AVAILABLE=False,
        fail_if_no_align=lambda function: function,
    )
    return stub
