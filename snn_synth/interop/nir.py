"""NIR, the Neuromorphic Intermediate Representation, both ways."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import nir

from snn_synth.interop.nir_export import to_nir
from snn_synth.interop.nir_import import from_nir

__all__ = ["from_nir", "to_nir"]


def prepare(network: Any, **options: Any) -> Callable[[Path], None]:
    """Convert a network, and return what writes it, for ``snn-synth export``."""
    return partial(nir.write, graph=to_nir(network, **options))
