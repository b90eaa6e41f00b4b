"""How the best recipes were chosen: not of the paper, and not part of ``all``."""

import itertools
from dataclasses import fields, replace

from snn_synth.experiments.reproduce.audiocoders import AudiocoderTrial
from snn_synth.experiments.reproduce.autoencoders import AutoencoderTrial
from snn_synth.experiments.reproduce.experiment import Experiment
from snn_synth.experiments.reproduce.generators import GENERATORS
from snn_synth.experiments.reproduce.recipes import Recipe
from snn_synth.experiments.reproduce.rows import (
    CLOTHES_512,
    CLOTHES_1024,
    DIGITS,
    SPEECH_A,
    SPEECH_B,
    Coder,
    with_neurons,
)
from snn_synth.experiments.reproduce.samples import ROWS
from snn_synth.experiments.reproduce.sampling import HeldOutVQDTrial, SamplingTrial
from snn_synth.experiments.reproduce.speakers import LEFT_OUT, OTHERS, SPEAKERS, unseen

KINDS = {"SNN": "SNN best", "ANN": "ANN best", "ANN, same spikes": "ANN best, same spikes"}


def _tried(
    row: dict[str, Coder],
    batches: tuple[int, ...],
    snn: tuple[float, ...],
    ann: tuple[float, ...],
    shares: tuple[float, ...] = (3.0, 10.0),
) -> dict[str, Coder]:
    """Trials of each kind: batch sizes, highest learning rates and, of a spiking network, neurons' shares of them."""
    tried = {}
    for kind, name in KINDS.items():
        settings = (batches, snn, shares) if kind == "SNN" else (batches, ann, (1.0,))
        for batch, lr, share in itertools.product(*settings):
            best, neurons = row[name], ""
            if kind == "SNN":
                best, neurons = with_neurons(best, best.reset, learned=True), f", neurons {share:g} times"
            recipe = replace(best.recipe, batch_size=batch, lr=lr, neuron_share=share)
            tried[f"{kind}, batch {batch}, lr {lr:g}{neurons}"] = replace(best, recipe=recipe, search=True)
    return tried


def _sigmoid(row: dict[str, AutoencoderTrial], batch: int, lrs: tuple[float, ...]) -> dict[str, AutoencoderTrial]:
    """Trials of conventional autoencoders whose output is a sigmoid, and not linear."""
    return {
        f"{kind}, batch {batch}, lr {lr:g}, sigmoid": replace(
            row[name], recipe=replace(row[name].recipe, batch_size=batch, lr=lr), output="sigmoid", search=True
        )
        for kind, name in KINDS.items()
        if kind != "SNN"
        for lr in lrs
    }


def _fixed(batch: int, lrs: tuple[float, ...], *, autoencoder_learns: bool = False) -> dict[str, AudiocoderTrial]:
    """Trials of audiocoders for data set B whose leaks and thresholds are fixed; the autoencoder's may learn."""
    trial = with_neurons(SPEECH_B["SNN best"], "subtract", learned=False)
    trial = replace(trial, autoencoder=replace(trial.autoencoder, learned=autoencoder_learns))
    neurons = "the audiocoder's neurons fixed" if autoencoder_learns else "all neurons fixed"
    return {
        f"SNN, batch {batch}, lr {lr:g}, {neurons}": replace(
            trial, recipe=replace(trial.recipe, batch_size=batch, lr=lr, neuron_share=1.0), search=True
        )
        for lr in lrs
    }


def _without_speakers(*lrs: float) -> Experiment:
    """The conventional network at several learning rates, each trained without one of the first three speakers."""
    network = OTHERS["ACANN"]
    tried = {f"ACANN, lr {lr:g}": replace(network, recipe=replace(network.recipe, lr=lr)) for lr in lrs}
    shows = "How the learning rate of the conventional network was chosen: by the unheard words of three of the six."
    return unseen(shows, tried, (3, 25), SPEAKERS[:3])


def _neurons_without_a_speaker() -> Experiment:
    """The convolutional network with the paper's neurons and with others, and the best autoencoder."""
    subtract = replace(LEFT_OUT, autoencoder=DIGITS["SNN best"], reset="subtract")
    lower, learned = replace(subtract.recipe, lr=4e-3), replace(subtract.recipe, neuron_share=3.0)
    shows = (
        "What neurons the convolutional network has: by the first speaker alone. All have the autoencoder "
        "of SNN best, the network of unseen-speakers another one."
    )
    tried = {
        "reset to zero": replace(LEFT_OUT, autoencoder=DIGITS["SNN best"]),
        "reset by subtraction": subtract,
        "reset by subtraction, lr 0.004": replace(subtract, recipe=lower),
        "reset by subtraction, leaks and thresholds learned": replace(subtract, learned=True, recipe=learned),
    }
    return unseen(shows, tried, (3, 36), SPEAKERS[:1])


def _sampled(images: str) -> Experiment:
    """Temperatures at 25 steps, and other steps at temperature 1: each without guidance and with."""
    diffusion = GENERATORS["vq-diffusion"].variants[images]
    held_out = HeldOutVQDTrial(**{one.name: getattr(diffusion, one.name) for one in fields(diffusion)})
    settings = [(25, 0.9), (25, 1.0), (25, 1.1), (12, 1.0), (49, 1.0)]
    return Experiment(
        f"What steps, temperature and guidance of the VQ-diffusion for {images} bring: by the distance to a tenth of "
        "the training images, which the network was not shown; the classifiers were trained on them. The quick preset "
        "trains too short to tell.",
        {
            f"{steps} steps, temperature {temperature:g}, guidance {guidance:g}": SamplingTrial(
                Recipe(lr=0.0, epochs=0),
                diffusion=held_out,
                sampling_steps=steps,
                temperature=temperature,
                guidance=guidance,
            )
            for steps, temperature in settings
            for guidance in (0.0, 0.5, 1.0)
        },
        minutes=(5, 35),
        measures=("val/fad",),
        also=("val/sure", "val/sure_second", "val/sure_of_held_out", "val/right", "val/pixel_variance"),
        shown_from=-ROWS,
    )


_IMAGE_ANN = (8e-4, 1.6e-3, 2.4e-3, 3.2e-3)
_LOW_ANN = (2e-4, 4e-4, 8e-4, 1.6e-3)
_SPEECH_ANN = (2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2)
_SMALL_BATCH = (1.25e-4, 2.5e-4, 5e-4, 1e-3, 2e-3)
SEARCHES = {
    "search-mnist": Experiment(
        "How the best recipes for MNIST were chosen: fourteen trials of the spiking kind, nineteen of each "
        "conventional one, on a tenth of the training images. With `neurons 3 times`, leaks and thresholds learn at "
        "three times the rate of the weights; with `sigmoid`, that is the output of the conventional network.",
        _tried(DIGITS, (5, 10), snn=(1.6e-3, 3.2e-3), ann=_IMAGE_ANN)
        | _tried(DIGITS, (5, 10), snn=(8e-4, 1.6e-3), shares=(10.0, 30.0), ann=(2e-4, 4e-4, 1.2e-3))
        | _sigmoid(DIGITS, 5, (8e-4, 1.6e-3, 2.4e-3, 3.2e-3, 4.8e-3)),
        minutes=(10, 140),
        measures=("val/standardized_mse",),
    ),
    "search-fashion": Experiment(
        "The same for Fashion-MNIST, with 512 hidden neurons: seventeen of the spiking kind, twenty of each "
        "conventional one.",
        _tried(CLOTHES_512, (5, 10), snn=(5e-4, 1e-3), ann=_LOW_ANN)
        | _tried(CLOTHES_512, (10, 20), snn=(1e-3, 2e-3), ann=_IMAGE_ANN)
        | _tried(CLOTHES_512, (5,), snn=(1e-3, 2e-3), shares=(1.0, 3.0), ann=(1.2e-3, 2.4e-3, 3.2e-3))
        | _sigmoid(CLOTHES_512, 5, (4e-4, 8e-4, 1.6e-3)),
        minutes=(7, 240),
        measures=("val/standardized_mse",),
    ),
    "search-fashion-1024": Experiment(
        "The same for Fashion-MNIST, with 1,024 hidden neurons, around the best with 512: five of the spiking kind, "
        "ten of each conventional one.",
        _tried(CLOTHES_1024, (5, 10), snn=(5e-4, 1e-3), shares=(3.0,), ann=(8e-4, 1.6e-3))
        | _tried(CLOTHES_1024, (5,), snn=(2.5e-4,), shares=(3.0,), ann=_LOW_ANN[:2])
        | _tried(CLOTHES_1024, (10,), snn=(), ann=_LOW_ANN[:2])
        | _sigmoid(CLOTHES_1024, 5, (4e-4, 8e-4)),
        minutes=(7, 98),
        measures=("val/standardized_mse",),
    ),
    "search-speech": Experiment(
        "The same for audio to image, data set A, on a tenth of the training utterances: eighteen of the spiking kind, "
        "twenty-one of each conventional one.",
        _tried(SPEECH_A, (50,), snn=_SPEECH_ANN[1:5], ann=_SPEECH_ANN)
        | _tried(SPEECH_A, (10,), snn=_SMALL_BATCH[:3], ann=_SMALL_BATCH)
        | _tried(SPEECH_A, (25,), snn=_SPEECH_ANN[1:3], shares=(3.0,), ann=_SPEECH_ANN[1:5])
        | _tried(SPEECH_A, (5,), snn=_SMALL_BATCH[:2], shares=(3.0,), ann=_SMALL_BATCH[:4]),
        minutes=(12, 120),
        measures=("val/standardized_mse",),
    ),
    "search-speech-b": Experiment(
        "The same for data set B: twenty-two of each kind. Some of the spiking ones keep a leak of 0.1 and a "
        "threshold of 1 in the audiocoder, or in audiocoder and autoencoder (`all neurons fixed`).",
        _tried(SPEECH_B, (50,), snn=_SPEECH_ANN[:4], ann=_SPEECH_ANN)
        | _fixed(50, _SPEECH_ANN[:4], autoencoder_learns=True)
        | _fixed(50, _SPEECH_ANN[:4])
        | _fixed(25, _SPEECH_ANN[:3])
        | _fixed(10, _SMALL_BATCH[:3])
        | _tried(SPEECH_B, (50,), snn=(), ann=(7e-4, 1.4e-3, 2.8e-3, 5.6e-3))
        | _tried(SPEECH_B, (25,), snn=(), ann=_SPEECH_ANN[:5])
        | _tried(SPEECH_B, (10,), snn=(), ann=_SMALL_BATCH),
        minutes=(20, 90),
        measures=("val/standardized_mse",),
    ),
    "search-speakers": _without_speakers(5e-4, 1e-3, 2e-3, 4e-3),
    "search-speakers-neurons": _neurons_without_a_speaker(),
    "search-sampling": _sampled("MNIST"),
    "search-sampling-fashion": _sampled("Fashion-MNIST"),
}
