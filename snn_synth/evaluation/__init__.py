"""The quality of codes and of generated images, and the cost of an inference."""

from snn_synth.evaluation.codes import baselines, probe
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
from snn_synth.evaluation.fad import FAD, FADNetwork
from snn_synth.evaluation.samples import SURE, classifier_frechet, sample_quality
from snn_synth.evaluation.trivial import TRIVIAL, shuffled_pixels, trivial_samples

__all__ = [
    "FAD",
    "SURE",
    "TRIVIAL",
    "FADNetwork",
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
    "shuffled_pixels",
    "spiking_cost",
    "total_cost",
    "trivial_samples",
]
