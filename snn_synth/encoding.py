"""Spike encoders, by their public name."""

from snn_synth.functional import latency_encode, sample_keys, spike_times, step_times, times_to_values
from snn_synth.kernels import even_encode, low_discrepancy_encode, poisson_encode

__all__ = [
    "even_encode",
    "latency_encode",
    "low_discrepancy_encode",
    "poisson_encode",
    "sample_keys",
    "spike_times",
    "step_times",
    "times_to_values",
]
