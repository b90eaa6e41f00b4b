"""Other readings of the paper's recipe, and departures from it: does one of them meet every row of its table?"""

from collections.abc import Callable
from dataclasses import replace

from snn_synth.experiments.reproduce.audiocoders import AudiocoderTrial
from snn_synth.experiments.reproduce.autoencoders import AutoencoderTrial
from snn_synth.experiments.reproduce.experiment import Experiment
from snn_synth.experiments.reproduce.recipes import Recipe
from snn_synth.experiments.reproduce.rows import CLOTHES_512, CLOTHES_1024, DIGITS, ROWS, SPEECH_A, SPEECH_B

IMAGES = {"table1-mnist": DIGITS, "table1-fashion-512": CLOTHES_512, "table1-fashion-1024": CLOTHES_1024}
SPEECH = {"table1-a2i-a": SPEECH_A, "table1-a2i-b": SPEECH_B}
NAMES = {
    "table1-mnist": "MNIST",
    "table1-fashion-512": "Fashion-512",
    "table1-fashion-1024": "Fashion-1024",
    "table1-a2i-a": "speech A",
    "table1-a2i-b": "speech B",
}

# Each changes the paper's recipe as it is read elsewhere here.
READINGS: dict[str, Callable[[Recipe], Recipe]] = {
    "traces without a reset": lambda recipe: replace(recipe, traces="leaky"),
    "the step's input as trace": lambda recipe: replace(recipe, traces="instant"),
    "a fifth of the learning rate": lambda recipe: replace(recipe, lr=recipe.lr / 5),
    "moments kept over the run": lambda recipe: replace(recipe, fresh_moments=False),
    "one update a batch, through time": lambda recipe: replace(recipe, rule="bptt"),
    "a rate that falls to nothing": lambda recipe: replace(recipe, one_cycle=True, warmup=0.0),
    "weight decay in the gradient": lambda recipe: replace(recipe, optimizer="adam_l2"),
    "second moments of 100 updates": lambda recipe: replace(recipe, beta2=0.99),
}
SUMMED = "one update a batch, the steps' gradients summed"
SLOW, GLOROT = "maximum rate 0.5", "Glorot's initial weights"

# What the paper's text says instead: after its eq. 17, and in section 4.1. On the others it is silent.
TEXT = {
    "traces without a reset": "a spike resets the trace",
    "the step's input as trace": "the trace of the step before is kept",
    "a fifth of the learning rate": "5e-4",
    "moments kept over the run": "moments of a batch's time steps alone",
    "one update a batch, through time": "an update at every time step, with moments of a batch's time steps alone",
    SUMMED: "an update at every time step, with moments of a batch's time steps alone",
}


def _image_variants(row: str) -> dict[str, AutoencoderTrial]:
    chosen = IMAGES[row]["SNN paper"]
    variants = {name: replace(chosen, recipe=recipe) for name, recipe in _read(chosen.recipe, chosen.num_steps).items()}
    variants[SLOW] = replace(chosen, max_rate=0.5)
    variants[GLOROT] = replace(chosen, glorot=True)
    for name in list(READINGS)[:2]:
        variants[f"{name}, {SLOW}"] = replace(variants[name], max_rate=0.5)
    return variants


def _read(recipe: Recipe, num_steps: int) -> dict[str, Recipe]:
    """Each reading's recipe. With one update for the gradients of all time steps the optimizer goes on over the run."""
    read = {name: reading(recipe) for name, reading in READINGS.items()}
    return read | {SUMMED: replace(recipe, sum_of=num_steps, fresh_moments=False)}


def _speech_variants(row: str) -> dict[str, AudiocoderTrial]:
    chosen = SPEECH[row]["SNN paper"]
    below = _image_variants("table1-mnist")
    read = _read(chosen.recipe, chosen.num_steps)
    return {name: replace(chosen, recipe=recipe, autoencoder=below[name]) for name, recipe in read.items()}


VARIANTS = {row: _image_variants(row) for row in IMAGES} | {row: _speech_variants(row) for row in SPEECH}

READ = {
    f"readings-{row.removeprefix('table1-')}": Experiment(
        f"The paper's recipe, {NAMES[row]}, with settings that its text leaves open, and some that it gives otherwise.",
        variants,
        minutes=minutes,
        paper=dict.fromkeys(variants, ROWS[row].paper["SNN paper"]),
    )
    for (row, variants), minutes in zip(VARIANTS.items(), ((1, 6), (6, 60), (11, 100), (8, 55), (7, 50)), strict=True)
}
