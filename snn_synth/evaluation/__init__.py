"""The quality of codes and of generated images, and the cost of an inference."""

from snn_synth.evaluation.cost import (
    LayerCosts,
    energy,
    fan_out,
    inference_layers,
    inference_spikes,
    layer_costs,
    layer_names,
    mean_costs,
    spiking_cost,
    total_cost,
)
from snn_synth.evaluation.images import SURE, baselines, classifier_frechet, probe, sample_quality

__all__ = [
    "SURE",
    "LayerCosts",
    "baselines",
    "classifier_frechet",
    "energy",
    "fan_out",
    "inference_layers",
    "inference_spikes",
    "layer_costs",
    "layer_names",
    "mean_costs",
    "probe",
    "sample_quality",
    "spiking_cost",
    "total_cost",
]
