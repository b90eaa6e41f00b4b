"""How Triton kernels are made and started."""

from collections.abc import Callable
from typing import Any

import torch
import triton


def jit(kernel: Callable[..., Any]) -> Any:
    """Compile a kernel when it is first started; ``TRITON_INTERPRET=1`` runs it in Python, on the CPU, instead."""
    return triton.jit(kernel)


def launch(kernel: Any, grid: tuple[int, ...], *arguments: Any) -> None:
    """Start a kernel on the GPU that holds its first argument.

    Every operation is rounded by itself: a product fused into a sum would flip spikes at the very threshold.
    """
    with torch.cuda.device_of(arguments[0]):  # type: ignore[no-untyped-call]
        kernel[grid](*arguments, num_warps=4, enable_fp_fusion=False)
