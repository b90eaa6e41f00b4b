"""`snn-synth` in mixed precision as with AMX, on a processor without products in bfloat16: benchmarks/mixed.py.

Operands of a gradient's product are rounded to bfloat16, and multiplied and added up in float32.
"""

import sys

from torch import Tensor

from snn_synth.cli.entry import main
from snn_synth.kernels.cpu import products


def emulate() -> None:
    """Round from now on."""
    products.has_bfloat16 = lambda: True  # type: ignore[assignment]
    products.available = lambda: ["float32"]  # a list of spikes adds up errors that are not rounded
    products._rounded = _rounded


def _rounded(a: Tensor, b: Tensor) -> Tensor:
    return products._float32(a.bfloat16().float(), b.bfloat16().float())


if __name__ == "__main__":
    emulate()
    sys.exit(main())
