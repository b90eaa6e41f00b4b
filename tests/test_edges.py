"""Settings at the edge of what is accepted: the last value is taken, the next one beyond it is refused."""

import pytest
import torch

from snn_synth import codec, functional
from snn_synth.data import random_split
from snn_synth.data.blobs import drifting_blobs
from snn_synth.encoding import poisson_encode
from snn_synth.errors import InputError
from snn_synth.functional.first_spike import homeostatic_loss, relative_targets
from snn_synth.functional.recognition import fit_temperature
from snn_synth.functional.srm import bernoulli_information, raised_cosines
from snn_synth.models import (
    ACSNN,
    AESNN,
    CodeCondition,
    FirstSpikeClassifier,
    HybridVAE,
    SpikingGAN,
    SpikingTokenDenoiser,
    SpikingVQAE,
    SpikingVQDiffusion,
)
from snn_synth.neurons import SigmoidLeaky
from snn_synth.training import (
    DriftingBlobsData,
    ImageGrid,
    LitAudiocoder,
    LitAutoencoder,
    LitFirstSpikeClassifier,
    LitHybridVAE,
    LitSpikingGAN,
    LitSpokenDiffusion,
    LitVQDiffusion,
    ResumeCheckpoint,
    SampleGrid,
)
from snn_synth.training.splits import check_batch_size

LITTLE = 1e-3
HALVES = torch.full((2, 3), 0.5)
TIMES, LABELS = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([0])


def autoencoder(**settings):
    return LitAutoencoder(AESNN(12, 3), **settings)


def audiocoder(**settings):
    return LitAudiocoder(ACSNN(12, 4, 3), **settings)


def first_spike(**settings):
    return LitFirstSpikeClassifier(FirstSpikeClassifier(12, 4, 3), **settings)


def gan(**settings):
    return LitSpikingGAN(SpikingGAN(side=7, latent=5, hidden=6, num_steps=16), **{"loss": "relative"} | settings)


def hybrid(**settings):
    return LitHybridVAE(HybridVAE(12, 5, 4, num_steps=3), **settings)


def diffusion(**settings):
    denoiser = SpikingTokenDenoiser(5, 4, 10, hidden=6)
    return LitVQDiffusion(SpikingVQDiffusion(SpikingVQAE(8, (3, 4), 2, 5), denoiser, 3), **settings)


def spoken(**settings):
    return LitSpokenDiffusion(CodeCondition(4, 10), **settings)


def times_of(**settings):
    return relative_targets(TIMES, LABELS, **settings)


# What takes a setting; its name; what is taken at the edge, and what is refused beyond it.
EDGES = [
    (autoencoder, "num_steps", 1, 0),
    (autoencoder, "max_rate", LITTLE, 0),
    (autoencoder, "max_rate", 1, 1 + LITTLE),
    (autoencoder, "chunk", 1, 0),
    (autoencoder, "greedy_epochs", 0, -1),
    (audiocoder, "hidden_steps", 1, 0),
    (audiocoder, "train_steps", 1, 0),
    (first_spike, "margin", LITTLE, 0),
    (first_spike, "advance", 0, -LITTLE),
    (first_spike, "homeostasis", 0, -LITTLE),
    *((gan, name, 0, -LITTLE) for name in ("advance", "matching", "adversarial", "homeostasis", "energy", "repulsion")),
    (hybrid, "beta", 0, -LITTLE),
    (hybrid, "reference_rate", LITTLE, 0),
    (hybrid, "reference_rate", 1 - LITTLE, 1),
    (hybrid, "draws", 2, 1),
    (diffusion, "autoencoder_epochs", 1, 0),
    (diffusion, "denoiser_share", LITTLE, 0),
    (diffusion, "condition_dropout", 0, -LITTLE),
    (diffusion, "condition_dropout", 1, 1 + LITTLE),
    (spoken, "guidance", 0, -LITTLE),
    (spoken, "num_steps", 1, 0),
    (spoken, "max_rate", LITTLE, 0),
    (spoken, "max_rate", 1, 1 + LITTLE),
    (ImageGrid, "images", 1, 0),
    (SampleGrid, "samples", 1, 0),
    (ResumeCheckpoint, "every_n_batches", 1, 0),
    (check_batch_size, "batch_size", 1, 0),
    *((DriftingBlobsData, name, 1, 0) for name in ("sequences", "steps", "neurons")),
    *((lambda **one: drifting_blobs(**{"count": 2, "steps": 2} | one), n, 1, 0) for n in ("count", "steps", "neurons")),
    (SigmoidLeaky, "alpha", 0, -LITTLE),
    (SigmoidLeaky, "alpha", 1, 1 + LITTLE),
    (SigmoidLeaky, "threshold", LITTLE, 0),
    (lambda max_rate: poisson_encode(HALVES, 4, max_rate), "max_rate", 0, -LITTLE),
    (lambda max_rate: poisson_encode(HALVES, 4, max_rate), "max_rate", 1, 1 + LITTLE),
    (lambda num_steps: poisson_encode(HALVES, num_steps), "num_steps", 1, 0),
    (lambda num_steps: functional.sampled_spikes(HALVES, num_steps), "num_steps", 1, 0),
    (lambda fraction: random_split(10_000, fraction, 0), "fraction", LITTLE, 0),
    (lambda fraction: random_split(10_000, fraction, 0), "fraction", 1 - LITTLE, 1),
    (lambda rate: bernoulli_information(HALVES, HALVES, rate), "rate", LITTLE, 0),
    (lambda rate: bernoulli_information(HALVES, HALVES, rate), "rate", 1 - LITTLE, 1),
    (lambda count: raised_cosines(count, 2), "count", 1, 0),
    (lambda length: raised_cosines(2, length), "length", 1, 0),
    (times_of, "margin", LITTLE, 0),
    (times_of, "margin", 256, 256 + LITTLE),
    (times_of, "advance", 0, -LITTLE),
    (lambda label: relative_targets(TIMES, torch.tensor([label])), "label", 0, -1),
    (lambda label: relative_targets(TIMES, torch.tensor([label])), "label", 2, 3),
    (lambda goal: homeostatic_loss(TIMES, torch.zeros(3, 2), goal), "goal", 0, -LITTLE),
    (lambda goal: homeostatic_loss(TIMES, torch.zeros(3, 2), goal), "goal", 1, 1 + LITTLE),
    (lambda words: fit_temperature(torch.rand(words, 2), torch.zeros(words).long()), "words", 1, 0),
    (lambda bits: codec.quantize(HALVES, bits), "bits", 1, 0),
    (lambda least: codec.quantize(torch.tensor([least, 1.0]), 3), "least", 0, -LITTLE),
    (codec.compression_ratio, "num_steps", 1, 0),
    (lambda num_steps: codec.repeat_map(HALVES, num_steps), "num_steps", 1, 0),
]


@pytest.mark.parametrize(
    ("takes", "name", "last", "beyond"),
    EDGES,
    ids=[f"{takes.__name__} {name} {last}" for takes, name, last, _ in EDGES],
)
def test_the_last_value_is_taken_and_the_next_refused(takes, name, last, beyond):
    takes(**{name: last})
    with pytest.raises(InputError):
        takes(**{name: beyond})
