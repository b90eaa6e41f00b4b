"""The spiking generators of the other papers."""

from dataclasses import replace

from snn_synth.experiments.reproduce.classifiers import ImageClassifierTrial
from snn_synth.experiments.reproduce.diffusion import VQDTrial
from snn_synth.experiments.reproduce.esvae import ESVAETrial
from snn_synth.experiments.reproduce.experiment import Experiment
from snn_synth.experiments.reproduce.first_spike import FirstSpikeTrial
from snn_synth.experiments.reproduce.gan import GANTrial
from snn_synth.experiments.reproduce.hybrid import HybridTrial
from snn_synth.experiments.reproduce.predictor import PredictorTrial
from snn_synth.experiments.reproduce.recipes import Recipe
from snn_synth.experiments.reproduce.samples import ROWS
from snn_synth.experiments.reproduce.temporal import TemporalTrial
from snn_synth.experiments.reproduce.trivial import SAMPLERS, TrivialTrial

_TIMES = TemporalTrial(Recipe(lr=3e-3, weight_decay=0.0, one_cycle=True, epochs=12, batch_size=32))
_SHORT = replace(_TIMES, recipe=replace(_TIMES.recipe, epochs=4))  # where one is compared to the other
_ESVAE = ESVAETrial(Recipe(lr=3e-3, weight_decay=1e-3, one_cycle=True, epochs=8, batch_size=64))
_CLASSIFIER = ImageClassifierTrial(Recipe(lr=3e-3, weight_decay=1e-2, one_cycle=True, epochs=4, batch_size=128))
_HYBRID = HybridTrial(Recipe(lr=2e-3, weight_decay=0.0, one_cycle=True, epochs=5, batch_size=64))
_FIRST_SPIKE = FirstSpikeTrial(Recipe(lr=1e-3, weight_decay=0.0, one_cycle=True, epochs=5, batch_size=64))
_MEANS = GANTrial(Recipe(lr=5e-4, weight_decay=0.0, one_cycle=True, epochs=4, batch_size=64))
_GAN = replace(
    _MEANS,
    recipe=replace(_MEANS.recipe, lr=2e-3),
    matching=0.0,
    adversarial=2.0,
    energy=100.0,
    repulsion=0.63,
    latent=16,
    hidden=400,
)
_VQD = {
    "mnist": VQDTrial(Recipe(lr=3e-3, weight_decay=1e-3, one_cycle=True, epochs=20, batch_size=64)),
    "fashion_mnist": VQDTrial(
        Recipe(lr=3e-3, weight_decay=1e-3, one_cycle=True, epochs=20, batch_size=64),
        images="fashion_mnist",
        codebook=256,
    ),
}
_TRIVIAL = TrivialTrial(Recipe(lr=0.0, epochs=0))
_BLOBS = PredictorTrial(Recipe(lr=1e-2, weight_decay=0.0, epochs=2, batch_size=50))
_NUMBERS = replace(_TIMES, kind="ann")

_COST = ("test/spikes", "test/operations")
_SAMPLES = (
    "test/classifier_frechet_14",
    "test/classes",
    "test/neighbour",
    "test/sure_of_shuffled",
)
_SETS = {"MNIST": "mnist", "Fashion-MNIST": "fashion_mnist"}

GENERATORS = {
    "generators": Experiment(
        "Every generator of new images beside samples that need no network: Frechet autoencoder distance, classifiers, "
        "variety within classes, precision and recall, and whether the samples are new.",
        {
            **{
                f"{name}, {sampler}": replace(_TRIVIAL, images=images, sampler=sampler)
                for name, images in _SETS.items()
                for sampler in SAMPLERS
            },
            "MNIST, ESVAE": _ESVAE,
            "MNIST, Spiking-GAN": _GAN,
            "MNIST, Spiking-GAN, 28 x 28": replace(_GAN, side=28),
            "MNIST, VQ-diffusion": _VQD["mnist"],
            "Fashion-MNIST, ESVAE": replace(_ESVAE, images="fashion_mnist"),
            "Fashion-MNIST, Spiking-GAN": replace(_GAN, images="fashion_mnist"),
            "Fashion-MNIST, VQ-diffusion": _VQD["fashion_mnist"],
        },
        minutes=(15, 175),
        measures=("test/fad",),
        also=(
            "test/fad_evaluation",
            "test/sure",
            "test/sure_second",
            "test/pixel_variance",
            "test/feature_variance",
            "test/distinct",
            "test/precision",
            "test/recall",
            "test/density",
            "test/coverage",
            "test/nearest_ratio",
            "test/copies",
            "test/imbalance",
            "test/classifier_frechet_14",
        ),
        shown_from=-ROWS,
    ),
    "temporal-coding": Experiment(
        "An autoencoder of spike times (Comsa et al. 2021): the error falls with the size of the code, rises with the "
        "latency and with noise (a third of the epochs), and inhibition is essential; beside a conventional network of "
        "its size.",
        {
            **{f"H = {hidden}": replace(_TIMES, hidden=hidden) for hidden in (8, 16, 32)},
            **{f"latency {latency:g}": replace(_SHORT, latency=latency) for latency in (1.0, 2.0, 4.0, 8.0, 16.0)},
            **{f"noise {noise:g}": replace(_SHORT, noise=noise) for noise in (0.2, 0.4, 0.6, 0.8)},
            "Fashion-MNIST": replace(_TIMES, images="fashion_mnist"),
            **{f"ANN, H = {hidden}": replace(_NUMBERS, hidden=hidden) for hidden in (8, 16, 32)},
            "ANN, Fashion-MNIST": replace(_NUMBERS, images="fashion_mnist"),
        },
        minutes=(1, 73),
        measures=("test/pixel_mse",),
        also=(
            "test/pixel_mse_without_inhibition",
            "test/probe",
            "test/silent_output",
            *_COST,
            "test/mean_image",
            "test/pca_8",
            "test/pca_16",
            "test/pca_32",
        ),
    ),
    "hybrid-vae": Experiment(
        "A spiking encoder whose code a conventional network decodes (Skatchkovsky et al. 2021): a classifier "
        "recognizes more of what is drawn if the decoder reads when neurons fire than if it reads how often.",
        {
            **{f"{decoding}, rates": replace(_HYBRID, decoding=decoding) for decoding in ("mlp", "linear", "conv")},
            "control, rates": replace(_HYBRID, decoding="rate"),
            "mlp, times": replace(_HYBRID, encoding="time"),
            "control, times": replace(_HYBRID, decoding="rate", encoding="time"),
        },
        minutes=(1, 34),
        measures=("test/recognized",),
        also=("test/pixel_mse", "test/mean_image", *_COST),
    ),
    "predictive-coding": Experiment(
        "Ten stochastic neurons see two blobs drift, and a linear decoder tells where they are some steps later, or "
        "were some steps before (Skatchkovsky et al. 2021): it remembers some steps, and foresees few.",
        {
            **{f"delay {delay}": replace(_BLOBS, delay=delay) for delay in (-8, -4, -2, 0, 2, 4)},
            "delay -2, rates": replace(_BLOBS, delay=-2, decoding="rate"),
        },
        minutes=(1, 18),
        measures=("test/accuracy", "test/most_common"),
        also=("test/rate",),
    ),
    "spiking-gan": Experiment(
        "Spiking-GAN (Kotariya & Ganguly 2021), 14 x 14 pixels: digits drawn by neurons that fire at most once, by the "
        "energy distance within classes or by class means; without the discriminator, without the class means, by the "
        "ordinary and the aggressive loss.",
        {
            "as chosen": _GAN,
            "whole energy distance": replace(_GAN, repulsion=1.0),
            "energy distance alone": replace(_GAN, adversarial=0.0),
            "28 x 28 pixels": replace(_GAN, side=28),
            "class means": _MEANS,
            "class means alone": replace(_MEANS, adversarial=0.0),
            "discriminator alone": replace(_MEANS, matching=0.0),
            "class means, ordinary loss": replace(_MEANS, loss="relative"),
            "class means, aggressive loss": replace(_MEANS, loss="relative", advance=0.3),
        },
        minutes=(1, 32),
        measures=("test/sure", "test/pixel_variance"),
        also=("test/feature_variance", "test/right", *_SAMPLES, "test/fooled", *_COST),
        shown_from=-ROWS,
    ),
    "esvae": Experiment(
        "ESVAE (Zhan et al. 2023), a spiking variational autoencoder: what it repeats and draws; the reference of the "
        "other generators.",
        {
            "MNIST": _ESVAE,
            "Fashion-MNIST": replace(_ESVAE, images="fashion_mnist"),
            "MNIST, 32 x 32 pixels": replace(_ESVAE, side=32),
            "MNIST, one learning rate for all": replace(_ESVAE, prior_share=1.0),
        },
        minutes=(1, 105),
        measures=("test/pixel_mse", "test/fad"),
        also=("test/sure", "test/pixel_variance", "test/pca_8", "test/mean_image", *_SAMPLES, *_COST),
    ),
    "vq-diffusion": Experiment(
        "A spiking autoencoder of 7 x 7 tokens and a spiking denoiser that draws them (Liu et al. 2023, smaller): new "
        "images of a class without guidance and with, and lower halves drawn anew.",
        {"MNIST": _VQD["mnist"], "Fashion-MNIST": _VQD["fashion_mnist"]},
        minutes=(3, 55),
        measures=("test/fad", "guided/sure", "guided/pixel_variance"),
        also=(
            "reconstructed/fad",
            "test/pixel_mse",
            "test/sure",
            "test/pixel_variance",
            "test/right",
            "guided/fad",
            "guided/right",
            "guided/sure_second",
            "guided/feature_variance",
            "test/completed",
            "test/nearest_ratio",
            "unlabelled/fad",
            "unlabelled/sure",
            "unlabelled/imbalance",
        ),
    ),
    "aggressive-loss": Experiment(
        "A classifier whose first spike decides (S4NN; Kotariya & Ganguly 2021): the aggressive loss decides earlier, "
        "by fewer spikes.",
        {
            "ordinary": _FIRST_SPIKE,
            **{f"aggressive, {a:g} steps": replace(_FIRST_SPIKE, advance=a) for a in (0.03, 0.1, 0.3)},
            "ordinary, S4NN's gradient": replace(_FIRST_SPIKE, smoothing=None),
        },
        minutes=(0.5, 9),
        measures=("test/accuracy", "test/decision"),
        also=("test/spikes",),
    ),
    "image-classifier": Experiment(
        "The small classifiers that measure the generators' images: how often they are right.",
        {
            "MNIST": _CLASSIFIER,
            "Fashion-MNIST": replace(_CLASSIFIER, images="fashion_mnist"),
            "MNIST, deep": replace(_CLASSIFIER, deep=True),
            "Fashion-MNIST, deep": replace(_CLASSIFIER, images="fashion_mnist", deep=True),
        },
        minutes=(1, 15),
        measures=("test/accuracy",),
    ),
}
