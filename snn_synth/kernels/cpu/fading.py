r"""The error passed down by an output layer, of what is new in it at each time step: numba, float32.

Backpropagated through time, an error fades (eq. 1): as long as a neuron does not fire,

.. math:: \delta[t] = e[t] + (1-\alpha)\,\delta[t+1]

where most e[t] are masked. So most of :math:`r[t] = \delta[t] - (1-\alpha)\,\delta[t+1]` is zero, and what fades can be
added up after the product, in the layer below, which has fewer neurons:

.. math:: \delta[t]\,W = r[t]\,W + (1-\alpha)\,\bigl(\delta[t+1]\,W\bigr)
"""

from typing import Any

import numpy as np
from torch import Tensor

from snn_synth.kernels.cpu import sparse
from snn_synth.kernels.cpu.memory import empty
from snn_synth.kernels.cpu.share import subroutine
from snn_synth.kernels.cpu.threads import parallel


@subroutine
def _keep(later: Any, decay: Any, now: Any) -> None:
    for n in range(len(now)):
        now[n] += decay * later[n]


@parallel
def _fade(share: int, start: int, stop: int, decay: Any, sums: Any) -> None:
    for b in range(start, stop):
        for t in range(len(sums) - 2, -1, -1):
            _keep(sums[t + 1, b], decay, sums[t, b])


def product(delta: Tensor, weight: Tensor, fading: sparse.Fading) -> Tensor:
    r"""``delta @ weight`` of errors ``[T * B, out]``, both contiguous, by what is new in each time step.

    ``fading``: the number of samples, which rows of a time step there are, and :math:`1-\alpha`.
    """
    (samples, decay), width = fading, weight.shape[1]
    found = sparse.product(sparse.sparse(delta, fading), weight, empty(delta.shape[0], width))
    _fade(samples, np.float32(decay), found.view(-1, samples, width).numpy())
    return found
