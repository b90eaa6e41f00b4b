"""Every public neuron, layer, model, loss and encoder, with what it is given and how it is run: samples first."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

from snn_synth import encoding, functional, models, surrogate, synapses, ttfs
from snn_synth.losses import masked_membrane_loss
from snn_synth.neurons import SigmoidLeaky

T = 5


def random(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(sum(shape)))


def draws() -> torch.Generator:
    return torch.Generator().manual_seed(0)


# What is given, samples first, as a function of their number.


def values(*shape):
    return lambda batch: random(batch, *shape)


def spikes(neurons, steps=T):
    return lambda batch: (random(batch, steps, neurons) < 0.5).float()


def steps(neurons, num_steps):
    def given(batch):
        late = (random(batch, neurons) * (num_steps + 1)).floor()
        late[:, 0] = 0
        return late

    return given


def whole(below, *shape):
    return lambda batch: (random(batch, *shape) * below).long()


# How it is run: what comes out, samples first.


def plainly(module, x):
    return [module(x)]


def over_time(module, x):
    out = module(x.transpose(0, 1))
    return [y.transpose(0, 1) for y in (*out.layer_spikes, out.membrane)]


def scanned(neuron, x):
    return [y.transpose(0, 1) for y in neuron.scan(x.transpose(0, 1))]


def fields(*names, time=(), drawn=False):
    """Parts of an output; those in `time` have the time before the samples."""

    def run(module, x):
        x = x.transpose(0, 1) if time else x
        out = module(x, draws()) if drawn else module(x)
        return [getattr(out, name).transpose(0, 1) if name in time else getattr(out, name) for name in names]

    return run


def by_labels(model, labels):
    return [model.sample(len(labels), draws(), labels=labels)]


class Case(NamedTuple):
    make: Callable[[], nn.Module]
    given: Callable[[int], torch.Tensor]
    run: Callable[[Any, torch.Tensor], list[torch.Tensor]] = plainly
    drawn: bool = False  # at random for the whole batch: parts of it give other samples


def vqd():
    vae = models.SpikingVQAE(8, (4, 4), 3, 5)
    return models.SpikingVQDiffusion(vae, models.SpikingTokenDenoiser(5, 4, hidden=8), sampling_steps=2)


def speech():
    return models.AudioToImage(models.ACSNN(60, 8, 4), models.AESNN(64, 4), (1, 8, 8))


def spoken():
    denoiser = models.SpikingTokenDenoiser(5, 4, conditions=2, hidden=8)
    diffusion = models.SpikingVQDiffusion(models.SpikingVQAE(8, (4, 4), 3, 5), denoiser, sampling_steps=2)
    return models.SpokenDiffusion(speech(), diffusion, models.CodeCondition(4, 2))


LEARNED = {"learn_beta": True, "learn_threshold": True}
CASES = {
    "SigmoidCentered": Case(surrogate.SigmoidCentered, values(6)),
    "SigmoidLeaky": Case(SigmoidLeaky, values(T, 6), scanned),
    "SigmoidLeaky subtract": Case(functools.partial(SigmoidLeaky, reset="subtract"), values(T, 6), scanned),
    "SigmoidLeaky learned": Case(functools.partial(SigmoidLeaky, **LEARNED), values(T, 6), scanned),
    "SpikeLinear": Case(lambda: synapses.SpikeLinear(6, 4, bias=True), spikes(6)),
    "SpikeConv2d": Case(lambda: synapses.SpikeConv2d((4, 6), 1, 2, (3, 3), (2, 2)), spikes(24)),
    "SpikeConvTranspose2d": Case(
        lambda: synapses.SpikeConvTranspose2d((2, 3), 2, 1, (3, 3), (2, 2), (4, 6)), spikes(12)
    ),
    "BatchNormed": Case(lambda: synapses.BatchNormed(synapses.SpikeLinear(6, 4)), spikes(6)),
    "AlphaTTFSLinear": Case(lambda: ttfs.AlphaTTFSLinear(6, 4), values(6)),
    "TTFSIFLinear": Case(lambda: ttfs.TTFSIFLinear(6, 4, num_steps=8), steps(6, 8)),
    "SpikingStack": Case(lambda: models.SpikingStack([6, 5, 4]), spikes(6), over_time),
    "SpikingStack normed, learned": Case(
        lambda: models.SpikingStack([6, 5, 4], norm=True, learned=True), spikes(6), over_time
    ),
    "AESNN": Case(lambda: models.AESNN(6, [5, 3], reset="subtract"), spikes(6), over_time),
    "ConvAESNN": Case(lambda: models.ConvAESNN((8, 8), (3, 2), learned=True), spikes(64), over_time),
    "ACSNN": Case(lambda: models.ACSNN(6, 5, 4, bias=True), spikes(6), over_time),
    "ConvACSNN": Case(lambda: models.ConvACSNN(8, 16, (3, 2), 4), spikes(128), over_time),
    "AEANN": Case(lambda: models.AEANN(6, 4, "sigmoid"), values(6)),
    "ConvAEANN": Case(lambda: models.ConvAEANN((8, 8), (3, 2)), values(64)),
    "ACANN": Case(lambda: models.ACANN(6, 5, 4), values(6)),
    "ConvACANN": Case(lambda: models.ConvACANN(8, 16, (3, 2), 4), values(128)),
    "ImageClassifier": Case(lambda: models.ImageClassifier(3, 4), values(1, 28, 28)),
    "DeepImageClassifier": Case(lambda: models.DeepImageClassifier(3, 4), values(1, 28, 28)),
    "StochasticReadout": Case(
        lambda: models.StochasticReadout(6, 4),
        spikes(6),
        lambda module, x: [y.transpose(0, 1) for y in module(x.transpose(0, 1), draws())],
        drawn=True,
    ),
    "TimeDecoder": Case(
        lambda: models.TimeDecoder(7, T, 9, "conv"), spikes(7), lambda module, x: [module(x.transpose(0, 1))]
    ),
    "HybridVAE": Case(
        lambda: models.HybridVAE(6, 5, 4, num_steps=T, outputs=6),
        spikes(6),
        fields("pixels", "code", "logits", time=("code", "logits"), drawn=True),
        drawn=True,
    ),
    "HybridPredictor": Case(
        lambda: models.HybridPredictor(6, 3, 2, window=2),
        spikes(6),
        fields("code", "logits", time=("code", "logits"), drawn=True),
        drawn=True,
    ),
    "TemporalCodingAE": Case(lambda: models.TemporalCodingAE(6, 4), values(6), fields("times", "embedding")),
    "FirstSpikeClassifier": Case(
        lambda: models.FirstSpikeClassifier(6, 5, 3, 8, None), steps(6, 8), fields("hidden", "times")
    ),
    "SpikingGAN": Case(lambda: models.SpikingGAN(4, 3, 8, 2, 16, None), whole(2), by_labels, drawn=True),
    "ESVAE": Case(
        lambda: models.ESVAE(8, (4,), 3, 2), values(1, 8, 8), fields("images", "rates", drawn=True), drawn=True
    ),
    "SpikingVQAE": Case(lambda: models.SpikingVQAE(8, (4, 4), 3, 5), values(1, 8, 8), fields("images", "codes")),
    "SpikingTokenDenoiser": Case(lambda: models.SpikingTokenDenoiser(5, 4, hidden=8), whole(5, 4)),
    "SpikingVQDiffusion": Case(vqd, whole(10), by_labels, drawn=True),
    "CodeCondition": Case(lambda: models.CodeCondition(6, 2), values(6)),
    "AudioToImage": Case(speech, values(6, 10), lambda a2i, x: [a2i.synthesize(x, 4, generator=draws())], drawn=True),
    "SpokenDiffusion": Case(spoken, values(6, 10), lambda module, x: [module(x, 2, generator=draws())], drawn=True),
}
NO_MODULES = {"Audiocoder", "SpikingAutoencoder"}  # what others are derived from

# Losses: of samples first


def seen(batch):
    return (random(batch, 4) > 0.5).float()


def time_first(loss):
    return lambda x, y: loss(x.transpose(0, 1), y.transpose(0, 1))


LOSSES = {
    "masked_membrane_loss": (time_first(masked_membrane_loss()), values(T, 4), spikes(4)),
    "membrane_loss": (time_first(functional.membrane_loss), values(T, 4), spikes(4)),
    "membrane_loss without mask": (
        time_first(functools.partial(functional.membrane_loss, mask=False)),
        values(T, 4),
        spikes(4),
    ),
    "rate_loss": (time_first(functional.rate_loss), values(T, 4), spikes(4)),
    "timing_loss": (functional.timing_loss, values(4), seen),
    "normalized_timing_loss": (functional.normalized_timing_loss, values(4), seen),
    "softmax_timing_loss": (lambda x, y: functional.softmax_timing_loss(x, y), values(4), whole(4)),
}


# Encoders

KEYED = {"even_encode", "low_discrepancy_encode", "poisson_encode"}
ENCODERS = {name: getattr(encoding, name) for name in encoding.__all__ if name != "sample_keys"}


def encoded(name, x, num_steps=T):
    if name in KEYED:
        return ENCODERS[name](x, num_steps, keys=encoding.sample_keys(torch.arange(len(x)))).movedim(0, 1)
    if name == "latency_encode":
        return ENCODERS[name](x, num_steps).movedim(0, 1)
    return ENCODERS[name](x, num_steps) if name == "step_times" else ENCODERS[name](x)
