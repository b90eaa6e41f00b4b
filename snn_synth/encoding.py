"""Spike encoders, by their public name."""

from snn_synth.functional.encoding import latency_encode, poisson_encode, sample_keys

__all__ = ["latency_encode", "poisson_encode", "sample_keys"]
