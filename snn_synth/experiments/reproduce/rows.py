"""The paper's table 1: autoencoders and audiocoders, spiking and not, by its recipe and by a better one."""

from dataclasses import replace
from typing import TypeVar

from snn_synth.experiments.reproduce.audiocoders import AudiocoderTrial
from snn_synth.experiments.reproduce.autoencoders import AutoencoderTrial
from snn_synth.experiments.reproduce.experiment import Experiment
from snn_synth.experiments.reproduce.recipes import (
    BEST_ANN,
    BEST_SLOPE,
    BEST_SNN,
    BEST_SPEECH_ANN,
    BEST_SPEECH_B_ANN,
    BEST_SPEECH_B_SNN,
    BEST_SPEECH_SNN,
    BEST_SPEECH_SPIKES_ANN,
    BEST_SPIKES_ANN,
    PAPER_ADAM,
    PAPER_SGD,
    PAPER_SNN,
    PAPER_SPEECH_ADAM,
    PAPER_SPEECH_SGD,
    PAPER_SPEECH_SNN,
    ZERO_SNN,
    ZERO_SPEECH_SNN,
    Recipe,
)
from snn_synth.functional.lif import Reset

Coder = TypeVar("Coder", AutoencoderTrial, AudiocoderTrial)


def _row(images: str, hidden: int, num_steps: int) -> dict[str, AutoencoderTrial]:
    snn = AutoencoderTrial(PAPER_SNN, images=images, hidden=hidden, num_steps=num_steps)
    ann = replace(snn, kind="ann")
    return {
        "SNN paper": snn,
        "SNN best": (
            best := replace(snn, recipe=BEST_SNN[images, hidden], slope=BEST_SLOPE, reset="subtract", learned=True)
        ),
        "SNN best, even input": replace(best, code="even"),
        "SNN, reset to zero": replace(snn, recipe=ZERO_SNN[images, hidden], slope=BEST_SLOPE),
        "ANN paper, SGD": replace(ann, recipe=PAPER_SGD[images], output="sigmoid"),
        "ANN paper, Adam": replace(ann, recipe=PAPER_ADAM[images], output="sigmoid"),
        "ANN best": replace(ann, recipe=BEST_ANN[images, hidden]),
        "ANN best, same spikes": replace(ann, recipe=BEST_SPIKES_ANN[images, hidden], spike_input=True),
    }


PAPER = ("SNN paper", "ANN paper, SGD", "ANN paper, Adam")
DIGITS = _row("mnist", 196, 15)
CLOTHES_512, CLOTHES_1024 = (_row("fashion_mnist", hidden, 60) for hidden in (512, 1024))

SPEECH_RECIPES = {
    "SNN paper": PAPER_SPEECH_SNN,
    "SNN best": BEST_SPEECH_SNN,
    "SNN best, even input": BEST_SPEECH_SNN,
    "SNN, reset to zero": BEST_SPEECH_SNN,
    "ANN paper, SGD": PAPER_SPEECH_SGD,
    "ANN paper, Adam": PAPER_SPEECH_ADAM,
    "ANN best": BEST_SPEECH_ANN,
    "ANN best, same spikes": BEST_SPEECH_SPIKES_ANN,
}


def _spoken(recipe: Recipe, autoencoder: AutoencoderTrial) -> AudiocoderTrial:
    """An audiocoder of the autoencoder's kind of neurons and input."""
    return AudiocoderTrial(
        recipe,
        autoencoder,
        slope=autoencoder.slope,
        reset=autoencoder.reset,
        learned=autoencoder.learned,
        code=autoencoder.code,
    )


def with_neurons(trial: Coder, reset: Reset, *, learned: bool) -> Coder:
    """The same recipe with other neurons, of an audiocoder's autoencoder too."""
    if isinstance(trial, AudiocoderTrial):
        trial = replace(trial, autoencoder=with_neurons(trial.autoencoder, reset, learned=learned))
    return replace(trial, reset=reset, learned=learned)


SPEECH_B_RECIPES = SPEECH_RECIPES | {
    "SNN best": BEST_SPEECH_B_SNN,
    "SNN best, even input": BEST_SPEECH_B_SNN,
    "SNN, reset to zero": BEST_SPEECH_B_SNN,
    "ANN best": BEST_SPEECH_B_ANN,
    "ANN best, same spikes": BEST_SPEECH_B_ANN,
}
SPEECH_A = {name: _spoken(recipe, DIGITS[name]) for name, recipe in SPEECH_RECIPES.items()}
SPEECH_A["SNN, reset to zero"] = with_neurons(SPEECH_A["SNN best"], "zero", learned=False)
EARLIER_SPEECH = _spoken(ZERO_SPEECH_SNN, DIGITS["SNN, reset to zero"])
"""With the paper's neurons, too, by the best recipe of an earlier search."""
SPEECH_B = {
    name: replace(
        with_neurons(trial, trial.reset, learned=False),  # the best of search-speech-b
        recipe=SPEECH_B_RECIPES[name],
        pairing="B",
        bits=10 if trial.autoencoder.kind == "snn" else None,
    )
    for name, trial in SPEECH_A.items()
}

_AUTOENCODER = (
    "The table's row: the spiking autoencoder beside conventional ones of its size, test MSE after one epoch."
)


def _published(*errors: float) -> dict[str, float]:
    return dict(zip(PAPER, errors, strict=True))


ROWS = {
    "table1-mnist": Experiment(_AUTOENCODER, DIGITS, minutes=(0.5, 4), paper=_published(0.357, 0.226, 0.122)),
    "table1-fashion-512": Experiment(_AUTOENCODER, CLOTHES_512, minutes=(1, 16), paper=_published(0.178, 0.416, 0.300)),
    "table1-fashion-1024": Experiment(
        _AUTOENCODER, CLOTHES_1024, minutes=(2, 25), paper=_published(0.140, 0.418, 0.387)
    ),
    "table1-a2i-a": Experiment(
        "The table's row: audio to image, all utterances of a digit paired with one image.",
        SPEECH_A
        | {
            "SNN paper, T = 60": replace(SPEECH_A["SNN paper"], num_steps=60),
            "SNN, reset to zero, earlier recipe": EARLIER_SPEECH,
            "SNN, reset to zero, earlier recipe, T = 60": replace(EARLIER_SPEECH, num_steps=60),
        },
        minutes=(3, 70),
        paper=_published(0.254, 0.408, 0.144),
    ),
    "table1-a2i-b": Experiment(
        "The table's row: audio to image, each utterance paired with an image of its own.",
        SPEECH_B,
        minutes=(1, 16),
        paper=_published(0.543, 0.611, 0.556),
    ),
}
