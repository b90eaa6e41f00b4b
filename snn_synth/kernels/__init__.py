"""Fast implementations of ``functional/``, equal to float32 rounding: numba on the CPU, Triton on CUDA."""

from snn_synth.kernels.alpha import alpha_spike_times
from snn_synth.kernels.bptt import network_gradients, network_loss
from snn_synth.kernels.dispatch import backend, use
from snn_synth.kernels.encoding import encode, even_encode, low_discrepancy_encode, poisson_encode
from snn_synth.kernels.integrate_fire import if_spike_times
from snn_synth.kernels.layer import Layer
from snn_synth.kernels.lif import lif_scan, lif_scan_loss, lif_spikes
from snn_synth.kernels.online import OnlineRule, Traces, online_rule
from snn_synth.kernels.products import (
    Precision,
    adopt_choices,
    choices,
    neuron_spikes,
    precision,
    spike_linear,
)

__all__ = [
    "Layer",
    "OnlineRule",
    "Precision",
    "Traces",
    "adopt_choices",
    "alpha_spike_times",
    "backend",
    "choices",
    "encode",
    "even_encode",
    "if_spike_times",
    "lif_scan",
    "lif_scan_loss",
    "lif_spikes",
    "low_discrepancy_encode",
    "network_gradients",
    "network_loss",
    "neuron_spikes",
    "online_rule",
    "poisson_encode",
    "precision",
    "spike_linear",
    "use",
]
