"""The paper's equations as pure torch functions: read here first; everything else is checked against it."""

from snn_synth.functional.absorbing import guided_logits, mask_tokens, token_loss, token_nats, unmask_tokens
from snn_synth.functional.alpha import alpha_spike_times, lambert_w0
from snn_synth.functional.eligibility import Trace, traced_current
from snn_synth.functional.encoding import (
    even_encode,
    keyed_uniform,
    low_discrepancy_encode,
    poisson_encode,
    sample_keys,
)
from snn_synth.functional.first_spike import (
    homeostatic_loss,
    normalize_gradient,
    normalized_timing_loss,
    relative_targets,
    softmax_timing_loss,
)
from snn_synth.functional.frechet import frechet_distance, gaussian_frechet_distance, mean_and_covariance
from snn_synth.functional.integrate_fire import if_spike_times
from snn_synth.functional.lif import lif_scan, lif_step
from snn_synth.functional.loss import membrane_error, membrane_loss, membrane_losses, rate_loss
from snn_synth.functional.matching import class_energy_distance, matching_loss
from snn_synth.functional.metrics import (
    best_of_class,
    firing_rate,
    gallery_mse,
    pixel_mse,
    spike_mse,
    standardize,
    standardized_mse,
    synaptic_operations,
)
from snn_synth.functional.neighbours import (
    copies,
    density_coverage,
    nearest_neighbours,
    precision_recall,
)
from snn_synth.functional.quantization import nearest_codeword, quantize
from snn_synth.functional.rate_code import rbf_mmd, sampled_spikes
from snn_synth.functional.recognition import fit_temperature, label_probabilities
from snn_synth.functional.srm import (
    bernoulli_information,
    bernoulli_log_prob,
    causal_filter,
    raised_cosines,
    refractory_spikes,
    score_function_loss,
    synaptic_traces,
)
from snn_synth.functional.surrogate import sigmoid_derivative, spike
from snn_synth.functional.time_codes import latency_encode, spike_times, step_times, times_to_values
from snn_synth.functional.timing import silent_penalty, timing_loss
from snn_synth.functional.variety import class_imbalance, variance_ratio, within_class_variance

__all__ = [
    "Trace",
    "alpha_spike_times",
    "bernoulli_information",
    "bernoulli_log_prob",
    "best_of_class",
    "causal_filter",
    "class_energy_distance",
    "class_imbalance",
    "copies",
    "density_coverage",
    "even_encode",
    "firing_rate",
    "fit_temperature",
    "frechet_distance",
    "gallery_mse",
    "gaussian_frechet_distance",
    "guided_logits",
    "homeostatic_loss",
    "if_spike_times",
    "keyed_uniform",
    "label_probabilities",
    "lambert_w0",
    "latency_encode",
    "lif_scan",
    "lif_step",
    "low_discrepancy_encode",
    "mask_tokens",
    "matching_loss",
    "mean_and_covariance",
    "membrane_error",
    "membrane_loss",
    "membrane_losses",
    "nearest_codeword",
    "nearest_neighbours",
    "normalize_gradient",
    "normalized_timing_loss",
    "pixel_mse",
    "poisson_encode",
    "precision_recall",
    "quantize",
    "raised_cosines",
    "rate_loss",
    "rbf_mmd",
    "refractory_spikes",
    "relative_targets",
    "sample_keys",
    "sampled_spikes",
    "score_function_loss",
    "sigmoid_derivative",
    "silent_penalty",
    "softmax_timing_loss",
    "spike",
    "spike_mse",
    "spike_times",
    "standardize",
    "standardized_mse",
    "step_times",
    "synaptic_operations",
    "synaptic_traces",
    "times_to_values",
    "timing_loss",
    "token_loss",
    "token_nats",
    "traced_current",
    "unmask_tokens",
    "variance_ratio",
    "within_class_variance",
]
