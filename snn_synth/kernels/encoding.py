"""Poisson spikes on the path for their values."""

import functools

import torch
from torch import Tensor

from snn_synth import functional
from snn_synth.functional.encoding import poisson_inputs, poisson_spikes
from snn_synth.functional.inputs import as_tensor
from snn_synth.kernels.dispatch import kernel, path


@functools.wraps(functional.poisson_encode)  # its docstring too
def poisson_encode(  # noqa: D103
    x: Tensor,
    num_steps: int,
    max_rate: float = 1.0,
    generator: torch.Generator | None = None,
    keys: Tensor | None = None,
) -> Tensor:
    x = as_tensor(x)
    values, keys = poisson_inputs(x, num_steps, max_rate, generator, keys)
    which = path(values)
    draw = poisson_spikes if which == "reference" else kernel(which, "encoding").poisson
    spikes: Tensor = draw(values.contiguous(), keys.contiguous(), num_steps, max_rate)
    return spikes.reshape(num_steps, *x.shape)
