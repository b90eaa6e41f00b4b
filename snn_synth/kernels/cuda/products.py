r"""Products with spikes on tensor cores, to float32 rounding, with nothing asked of the host: Triton and cuBLAS.

A float32 matrix is three of bfloat16, :math:`x = x_1 + x_2 + x_3`, and a spike is one: a product of three times the
size is the float32 product. What bfloat16 does not hold of other values is found on the way and added by a kernel that
ends at once for spikes. So a training step waits for nothing and can be captured as a CUDA graph.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from snn_synth.kernels.cuda.launch import jit, launch

# Multiplications from which one bfloat16 product of three times the size and its splitting take no longer than one of
# float32, on an H200; smaller ones are bound by their launches.
WORTH = 2**32

BLOCK = 1024  # four values per thread
TILE = 32  # of the product that spikes do not need


@jit
def _narrow(spikes: tl.tensor, narrowed: tl.tensor, inexact: tl.tensor, size: tl.int64, block: tl.constexpr) -> None:
    here = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    value = tl.load(spikes + here, here < size, 0.0)
    rounded = value.to(tl.bfloat16)
    tl.store(narrowed + here, rounded, here < size)
    if tl.max((rounded.to(tl.float32) != value).to(tl.int32)) > 0:  # NaN is not itself
        tl.store(inexact, 1)  # whoever is last writes the same


@jit
def _split(x: tl.tensor, parts: tl.tensor, columns: tl.int64, block: tl.constexpr) -> None:
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * block + tl.arange(0, block)
    rest = tl.load(x + row * columns + column, column < columns, 0.0)
    for part in tl.static_range(3):
        rounded = rest.to(tl.bfloat16)
        tl.store(parts + (3 * row + part) * columns + column, rounded, column < columns)
        rest -= rounded.to(tl.float32)


@jit
def _add_rest(
    inexact: tl.tensor,
    spikes: tl.tensor,
    dense: tl.tensor,
    result: tl.tensor,
    rows: tl.int64,
    inner: tl.int64,
    columns: tl.int64,
    spikes_row: tl.int64,
    spikes_inner: tl.int64,
    dense_inner: tl.int64,
    dense_column: tl.int64,
    result_row: tl.int64,
    result_column: tl.int64,
    tile: tl.constexpr,
) -> None:
    if tl.load(inexact) != 0:
        row = tl.program_id(0).to(tl.int64) * tile + tl.arange(0, tile)
        column = tl.program_id(1).to(tl.int64) * tile + tl.arange(0, tile)
        total = tl.zeros([tile, tile], tl.float32)
        for first in range(0, inner, tile):
            k = first + tl.arange(0, tile)
            a = tl.load(
                spikes + row[:, None] * spikes_row + k[None, :] * spikes_inner,
                (row < rows)[:, None] & (k < inner)[None, :],
                0.0,
            )
            b = tl.load(
                dense + k[:, None] * dense_inner + column[None, :] * dense_column,
                (k < inner)[:, None] & (column < columns)[None, :],
                0.0,
            )
            total += tl.dot(a - a.to(tl.bfloat16).to(tl.float32), b, input_precision="ieee")
        there = result + row[:, None] * result_row + column[None, :] * result_column
        inside = (row < rows)[:, None] & (column < columns)[None, :]
        tl.store(there, tl.load(there, inside, 0.0) + total, inside)


def currents(spikes: Tensor, weight: Tensor, rounded: bool) -> Tensor:
    """``spikes @ weight.T``; ``rounded`` rounds both to bfloat16."""
    if rounded:
        return _product(spikes.bfloat16(), weight.T.bfloat16())
    if not _worth(spikes, weight):
        return spikes @ weight.T
    narrowed, inexact = narrow(spikes)
    result = _product(narrowed, split(weight).view(-1, weight.shape[1]).T)
    result = result.view(len(spikes), len(weight), 3).sum(2)
    _with_rest(inexact, spikes, weight.T, result)
    return result


def weight_gradient(delta: Tensor, spikes: Tensor, rounded: bool) -> Tensor:
    """``delta.T @ spikes``; ``rounded`` rounds both to bfloat16."""
    if rounded:
        return _product(delta.T.bfloat16(), spikes.bfloat16())
    if not _worth(spikes, delta.T):
        return delta.T @ spikes
    narrowed, inexact = narrow(spikes)
    result = _product(split(delta).view(len(delta), -1).T, narrowed)
    result = result.view(3, delta.shape[1], spikes.shape[1]).sum(0)
    _with_rest(inexact, spikes.T, delta, result.T)
    return result


def spikes_gradient(delta: Tensor, weight: Tensor, rounded: bool) -> Tensor:
    """``delta @ weight``, where neither is a spike; ``rounded`` rounds both to bfloat16."""
    return _product(delta.bfloat16(), weight.bfloat16()) if rounded else delta @ weight


def narrow(spikes: Tensor) -> tuple[Tensor, Tensor]:
    """The spikes in bfloat16, and a number on the GPU that is not 0 if one of them is rounded."""
    narrowed = spikes.new_empty(spikes.shape, dtype=torch.bfloat16)
    inexact = spikes.new_zeros(1, dtype=torch.int32)
    grid = (triton.cdiv(spikes.numel(), BLOCK),)
    launch(_narrow, grid, spikes.contiguous(), narrowed, inexact, spikes.numel(), BLOCK)
    return narrowed, inexact


def split(x: Tensor) -> Tensor:
    """``[M, N]`` as the sum of three of bfloat16, ``[M, 3, N]``."""
    rows, columns = x.shape
    parts = x.new_empty((rows, 3, columns), dtype=torch.bfloat16)
    launch(_split, (rows, triton.cdiv(columns, BLOCK)), x.contiguous(), parts, columns, BLOCK)
    return parts


def _worth(spikes: Tensor, other: Tensor) -> bool:
    return spikes.numel() * len(other) >= WORTH and torch.cuda.get_device_capability(spikes.device) >= (8, 0)


def _product(a: Tensor, b: Tensor) -> Tensor:
    """Of bfloat16, summed and returned in float32."""
    if a.is_cpu:  # under Triton's interpreter
        return a.float() @ b.float()
    return torch.mm(a, b, out_dtype=torch.float32)


def _with_rest(inexact: Tensor, spikes: Tensor, dense: Tensor, result: Tensor) -> None:
    (rows, inner), columns = spikes.shape, dense.shape[1]
    grid = (triton.cdiv(rows, TILE), triton.cdiv(columns, TILE))
    strides = (*spikes.stride(), *dense.stride(), *result.stride())
    launch(_add_rest, grid, inexact, spikes, dense, result, rows, inner, columns, *strides, TILE)
