"""The paper's equations as pure torch functions: read here first; everything else is checked against it."""

from snn_synth.functional.eligibility import Trace, traced_current
from snn_synth.functional.encoding import latency_encode, poisson_encode, sample_keys
from snn_synth.functional.lif import lif_scan, lif_step
from snn_synth.functional.loss import membrane_error, membrane_loss
from snn_synth.functional.metrics import (
    best_of_class,
    firing_rate,
    gallery_mse,
    spike_mse,
    standardize,
    standardized_mse,
    synaptic_operations,
)
from snn_synth.functional.surrogate import sigmoid_derivative, spike

__all__ = [
    "Trace",
    "best_of_class",
    "firing_rate",
    "gallery_mse",
    "latency_encode",
    "lif_scan",
    "lif_step",
    "membrane_error",
    "membrane_loss",
    "poisson_encode",
    "sample_keys",
    "sigmoid_derivative",
    "spike",
    "spike_mse",
    "standardize",
    "standardized_mse",
    "synaptic_operations",
    "traced_current",
]
