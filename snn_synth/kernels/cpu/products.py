"""Products with spikes on the CPU, in the way that is fastest here for their size and the share of spikes."""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from snn_synth.kernels.cpu import choice, sparse, tiles
from snn_synth.kernels.cpu.amx import has_amx
from snn_synth.kernels.cpu.cache import compiled_for
from snn_synth.kernels.cpu.fading import product as fading_product
from snn_synth.kernels.cpu.memory import empty
from snn_synth.kernels.cpu.rows import WIDTH
from snn_synth.kernels.cpu.sparse import Fading
from snn_synth.kernels.cpu.together import finish, start

WORTH = 2**20  # multiplications; fewer are done before a choice is looked up
_MOST = 0.2  # share of spikes above which a list of them has never paid on any machine
_PLAIN: Any = {"dtype": torch.float32, "device": "cpu"}  # whatever is the default where this is called

Kept = tuple[Tensor, ...]


class Way(NamedTuple):
    """How the product of spikes and weights, and later its gradient by the weights, are computed."""

    forward: Callable[..., tuple[Tensor, Kept]]
    """Of spikes ``[M, in]``, weights ``[out, in]`` and the precision: currents, and what the gradient needs.

    Both functions are told, too, if the spikes are known to be zeros and ones: else tiles look whether they are.
    """
    by_weight: Callable[..., Tensor]
    """Of the error ``[M, out]``, what was kept, the weights and the precision."""


def _float32(a: Tensor, b: Tensor) -> Tensor:
    out = empty(a.shape[0], b.shape[1])
    start(torch.mm, a, b, out=out)
    return out


def _rounded(a: Tensor, b: Tensor) -> Tensor:
    finish()
    return (a.bfloat16() @ b.bfloat16()).float()


def _dense_forward(spikes: Tensor, weight: Tensor, precision: str, known: bool = False) -> tuple[Tensor, Kept]:
    return (_rounded if precision == "bfloat16" else _float32)(spikes, weight.T), (spikes,)


def _dense_by_weight(delta: Tensor, kept: Kept, weight: Tensor, precision: str, known: bool = False) -> Tensor:
    return _of_errors(precision)(delta.T, kept[0])


def _of_errors(precision: str) -> Callable[[Tensor, Tensor], Tensor]:
    """The dense product of a backward pass: ``mixed`` may round, which is faster where the processor has bfloat16."""
    return _rounded if precision == "bfloat16" or (precision == "mixed" and has_bfloat16()) else _float32


@functools.cache
def has_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16; without, PyTorch's own product takes many times as long."""
    return not {"+avx512bf16", "+amx-bf16", "+bf16"}.isdisjoint(compiled_for()[1].split(","))


def _listed_forward(spikes: Tensor, weight: Tensor, precision: str, known: bool = False) -> tuple[Tensor, Kept]:
    listed = sparse.sparse(spikes.contiguous())
    return sparse.product(listed, weight.contiguous().T, empty(spikes.shape[0], weight.shape[0])), listed


def _listed_by_weight(delta: Tensor, kept: Kept, weight: Tensor, precision: str, known: bool = False) -> Tensor:
    turned = sparse.transpose(sparse.Sparse(*kept), weight.shape[1])
    gradient = torch.empty_like(weight, memory_format=torch.contiguous_format)
    sparse.product(turned, delta.contiguous(), gradient.T)
    return gradient


def tile_parts(exact: bool) -> int:
    """How many parts of bfloat16 stand for a number that is no spike: all of a float32, or what one holds."""
    return tiles.EXACT if exact else 1


def _tiles_forward(spikes: Tensor, weight: Tensor, precision: str, known: bool = False) -> tuple[Tensor, Kept]:
    exact = precision != "bfloat16"
    spikes, weight = spikes.contiguous(), weight.contiguous()
    looks: tiles.Spikes = "left" if exact and not known else None
    return tiles.product(spikes, weight.T, 1, tile_parts(exact), looks), (spikes,)


def _tiles_by_weight(delta: Tensor, kept: Kept, weight: Tensor, precision: str, known: bool = False) -> Tensor:
    exact = precision == "float32"
    looks: tiles.Spikes = "right" if exact and not known else None
    return tiles.product(delta.contiguous().T, kept[0], tile_parts(exact), 1, looks)


WAYS = {
    "float32": Way(_dense_forward, _dense_by_weight),
    "listed": Way(_listed_forward, _listed_by_weight),
    "tiles": Way(_tiles_forward, _tiles_by_weight),
}


def available() -> list[str]:
    """The ways that this machine has."""
    return [name for name in WAYS if name != "tiles" or has_amx()]


def candidates(weight: Tensor, share: float, precision: str) -> list[str]:
    """Those that may be the fastest where so many of the inputs fire."""
    may_list = precision != "bfloat16" and share <= _MOST and weight.shape[0] >= WIDTH
    return [name for name in available() if name != "listed" or may_list]


def way(spikes: Tensor, weight: Tensor, precision: str, learns: bool, forced: str | None) -> str:
    """The name of the fastest way: forward alone or, with ``learns``, together with the gradient."""
    rows, size = spikes.shape[0], spikes.shape[0] * weight.numel()
    if not size or (size < WORTH and forced is None):
        return "float32"
    share = sparse.share(spikes)
    names = candidates(weight, share, precision)
    if forced in names:
        return forced
    if size < WORTH or len(names) == 1:
        return "float32"

    def ways(sizes: tuple[int, ...], share: float) -> Mapping[str, Callable[[], Any]]:
        x, w = example(sizes, share)

        def run(one: Way) -> None:
            currents, kept = one.forward(x, w, precision)
            if learns:
                one.by_weight(currents, kept, w, precision)

        return {name: lambda name=name: run(WAYS[name]) for name in names}  # type: ignore[misc]

    kind = f"{precision} product of spikes" + (" and gradient" if learns else "")
    return choice.fastest(kind, (rows, *weight.shape), share, names, ways)


def example(sizes: tuple[int, ...], share: float) -> tuple[Tensor, Tensor]:
    """Spikes and weights of a product of so many rows, outputs and inputs, to be timed."""
    rows, outputs, inputs = sizes
    generator = torch.Generator().manual_seed(0)
    x = (torch.rand(rows, inputs, generator=generator, **_PLAIN) < share).float()
    return x, torch.randn(outputs, inputs, generator=generator, **_PLAIN)


def _dense_by_spikes(delta: Tensor, weight: Tensor, precision: str, fading: Fading | None) -> Tensor:
    return _of_errors(precision)(delta, weight)


def _listed_by_spikes(delta: Tensor, weight: Tensor, precision: str, fading: Fading | None) -> Tensor:
    return fading_product(delta.contiguous(), weight.contiguous(), fading or (delta.shape[0], 0.0))


def _tiles_by_spikes(delta: Tensor, weight: Tensor, precision: str, fading: Fading | None) -> Tensor:
    parts = tile_parts(precision == "float32")
    return tiles.product(delta.contiguous(), weight.contiguous(), parts, parts)


BY_SPIKES = {"float32": _dense_by_spikes, "listed": _listed_by_spikes, "tiles": _tiles_by_spikes}


def by_spikes(
    delta: Tensor, weight: Tensor, precision: str, forced: str | None, fading: Fading | None = None
) -> Tensor:
    """The gradient by the spikes, ``delta @ weight``; errors of an output layer may be ``fading``."""
    return BY_SPIKES[way_by_spikes(delta, weight, precision, forced, fading)](delta, weight, precision, fading)


def way_by_spikes(delta: Tensor, weight: Tensor, precision: str, forced: str | None, fading: Fading | None) -> str:
    """The name of the fastest way for :func:`by_spikes`."""
    (rows, outputs), inputs = delta.shape, weight.shape[1]
    size, share, names = rows * outputs * inputs, 1.0, ["float32"]
    if not size or (size < WORTH and forced is None):
        return "float32"
    if fading is not None and precision != "bfloat16" and inputs >= WIDTH:
        share = sparse.share(delta, fading)
        names += ["listed"] * (share <= _MOST)
    names += ["tiles"] * has_amx()
    if forced in names:
        return forced
    if size < WORTH or len(names) == 1:
        return "float32"

    def ways(sizes: tuple[int, ...], share: float) -> Mapping[str, Callable[[], Any]]:
        rows, outputs, inputs = sizes
        generator = torch.Generator().manual_seed(0)
        a = torch.randn(rows, outputs, generator=generator, **_PLAIN)
        a *= torch.rand(rows, outputs, generator=generator, **_PLAIN) < share / 2  # what fades, too, is listed here
        b = torch.randn(outputs, inputs, generator=generator, **_PLAIN)
        over_time = rows // math.gcd(rows, 8), 0.5
        return {name: lambda name=name: BY_SPIKES[name](a, b, precision, over_time) for name in names}  # type: ignore[misc]

    return choice.fastest(f"{precision} product of errors", (rows, outputs, inputs), share, names, ways)
