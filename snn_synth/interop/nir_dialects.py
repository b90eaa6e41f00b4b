"""How readers of NIR understand a neuron's numbers: one network needs others for each."""

from collections.abc import Callable
from typing import Any, NamedTuple

import nir
import numpy as np

from snn_synth.errors import InputError

Array = np.ndarray[Any, Any]


class Dialect(NamedTuple):
    """What a reader makes of LIF and IF nodes, and which nodes it does not take."""

    lif: Callable[[Array, Array, float], tuple[Array, Array, Array]]
    """tau, r and the threshold of a node, by alpha, the threshold and dt."""
    r_of_if: Callable[[float], float]
    """r of an IF node, by dt."""
    fires_at: bool
    """Whether it fires at the threshold itself, as our neurons do, or only above."""
    lacks: tuple[str, ...] = ()
    uniform: bool = False
    """Whether all neurons of a layer must have the same numbers."""
    flat: bool = False
    """Whether leaky neurons of feature maps must not be."""


def _nir(alpha: Array, threshold: Array, dt: float) -> tuple[Array, Array, Array]:
    """NIR's own equation, and snnTorch: r dt / tau, the weight of the current, is 1."""
    tau = (dt / alpha).astype(np.float32)
    r = (1 / alpha).astype(np.float32)
    low = r.astype(np.float64) * dt / tau < 1  # rounded down, it would keep V from a threshold that it just meets
    return tau, np.where(low, np.nextafter(r, np.float32(np.inf)), r), threshold


def _norse(alpha: Array, threshold: Array, dt: float) -> tuple[Array, Array, Array]:
    """It takes r for 1, so that V, and with it the threshold, is alpha times ours, in its own rounding of alpha."""
    tau = (dt / alpha).astype(np.float32)
    share = np.float32(dt) * (np.float32(1) / tau)
    return tau, np.ones_like(tau), share * threshold.astype(np.float32)


def _sinabs(alpha: Array, threshold: Array, dt: float) -> tuple[Array, Array, Array]:
    """It takes tau in time steps, for a decay of exp(-1/tau), and r for what makes the current's weight 1."""
    with np.errstate(divide="ignore"):
        tau = np.maximum(-1 / np.log1p(-alpha), 1e-2)  # at alpha = 1: exp(-100) of float32's V is no more
    return tau.astype(np.float32), np.ones(alpha.shape, np.float32), threshold


def _spikingjelly(alpha: Array, threshold: Array, dt: float) -> tuple[Array, Array, Array]:
    """It takes double precision, and finds by r = tau / dt that the current's weight is 1."""
    if (alpha >= 1).any():
        raise InputError("Expected a leak below 1 for SpikingJelly, which takes no shorter memory, got 1")
    return dt / alpha, 1 / alpha, threshold


DIALECTS = {
    "nir": Dialect(_nir, lambda dt: 1 / dt, fires_at=False),
    "norse": Dialect(_norse, lambda dt: 1.0, fires_at=False, lacks=("AvgPool2d",)),
    "sinabs": Dialect(_sinabs, lambda dt: 1.0, fires_at=True, lacks=("AvgPool2d", "Linear"), flat=True),
    "spikingjelly": Dialect(_spikingjelly, lambda dt: 1 / dt, fires_at=True, lacks=("SumPool2d",), uniform=True),
}


def dialect_of(name: str, dt: float) -> Dialect:
    """A dialect by its name.

    Raises:
        InputError: if there is none of that name, or for a time step that is not positive and finite.
    """
    if name not in DIALECTS:
        raise InputError(f"Expected a dialect of {list(DIALECTS)}, got {name!r}")
    if not (np.isfinite(dt) and dt > 0):
        raise InputError(f"Expected `dt` in seconds to be positive and finite, got {dt}")
    return DIALECTS[name]


def neuron_node(dialect: Dialect, alpha: Array, threshold: Array, dt: float) -> Any:
    r"""The node of a layer of our neurons, of :math:`V[t] = (1-\alpha)\,V[t-1]\,(1-A[t-1]) + Z[t]`.

    NIR's :math:`\tau\,\dot V = v_{leak} - V + R I`, a step of ``dt`` by Euler's rule at a time and ``v_leak`` = 0, is
    that equation for :math:`\alpha = dt / \tau` and a weight of the current :math:`R\,dt / \tau` of 1. NIR fires above
    its threshold, our neurons at it: its threshold is the next smaller number.

    Args:
        dialect: of the reader.
        alpha: leak of each neuron.
        threshold: of each.
        dt: seconds of a time step.

    Raises:
        InputError: for what the reader cannot be told.

    Example:
        >>> node = neuron_node(DIALECTS["nir"], np.full(1, 0.5), np.ones(1), dt=1e-4)
        >>> node.tau, node.r, node.v_threshold
        (array([0.0002], dtype=float32), array([2.], dtype=float32), array([0.99999994], dtype=float32))
    """
    if dialect.flat and alpha.ndim > 1 and alpha.any():
        raise InputError("Expected no leaky neurons of feature maps, which this reader does not take, got some")
    if dialect.uniform and (np.ptp(alpha) > 0 or np.ptp(threshold) > 0):
        raise InputError(
            "Expected neurons of a layer with the same leak and threshold, as this reader takes no others, got "
            "learned ones"
        )
    # The leak that float32 makes of it, in which our neurons and the readers compute: near a threshold it matters.
    alpha = 1 - (1 - alpha).astype(np.float32).astype(np.float64)
    integrates = alpha == 0
    if integrates.any() and not integrates.all():
        raise InputError("Expected neurons of a layer that all leak, or none, got a leak of 0 for some")
    if integrates.all():
        r, height = np.full(alpha.shape, dialect.r_of_if(dt), np.float32), threshold
        return nir.IF(r, *_threshold_and_reset(dialect, height))
    tau, r, height = dialect.lif(alpha, threshold, dt)
    height, reset = _threshold_and_reset(dialect, height)
    return nir.LIF(tau, r, np.zeros_like(reset), height, reset)


def _threshold_and_reset(dialect: Dialect, height: Array) -> tuple[Array, Array]:
    height = height.astype(np.float32)
    if not dialect.fires_at:
        height = np.nextafter(height, np.float32(-np.inf))
    return height, np.zeros_like(height)
