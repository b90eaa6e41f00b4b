"""Rate codes, by the backend for their tensors."""

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from snn_synth import functional
from snn_synth.functional.encoding import RateCode, check_code, rate_inputs, rate_spikes
from snn_synth.functional.inputs import as_tensor
from snn_synth.kernels.dispatch import backend, kernel


def encode(
    x: Tensor,
    num_steps: int,
    max_rate: float = 1.0,
    generator: torch.Generator | None = None,
    keys: Tensor | None = None,
    code: RateCode = "poisson",
) -> Tensor:
    """Spikes ``[T, *]`` of values ``[*]`` by a code of that name: see :func:`poisson_encode` and the others.

    Example:
        >>> encode(torch.tensor([0.0, 0.5, 1.0]), num_steps=4, code="even").sum(0)
        tensor([0., 2., 4.])
    """
    x = as_tensor(x)
    check_code(code)
    values, keys = rate_inputs(x, num_steps, max_rate, generator, keys)
    which = backend(values)
    draw = rate_spikes if which == "reference" else kernel(which, "encoding").rate_spikes
    spikes: Tensor = draw(values.contiguous(), keys.contiguous(), num_steps, max_rate, code)
    return spikes.reshape(num_steps, *x.shape)


def _by_kernel(reference: Callable[..., Tensor], code: RateCode) -> Callable[..., Tensor]:
    """An encoder of ``functional/`` with its signature and docstring, by the backend for its tensors."""

    @functools.wraps(reference)
    def encoder(
        x: Tensor,
        num_steps: int,
        max_rate: float = 1.0,
        generator: torch.Generator | None = None,
        keys: Tensor | None = None,
    ) -> Tensor:
        return encode(x, num_steps, max_rate, generator, keys, code)

    return encoder


poisson_encode = _by_kernel(functional.poisson_encode, "poisson")
low_discrepancy_encode = _by_kernel(functional.low_discrepancy_encode, "low-discrepancy")
even_encode = _by_kernel(functional.even_encode, "even")
