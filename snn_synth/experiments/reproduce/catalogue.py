"""What the paper measured, by the name of its table's row or its figure."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from snn_synth.errors import InputError
from snn_synth.experiments.reproduce.audiocoders import AudiocoderTrial
from snn_synth.experiments.reproduce.autoencoders import AutoencoderTrial
from snn_synth.experiments.reproduce.classifiers import PopulationTrial, ProbeTrial
from snn_synth.experiments.reproduce.recipes import (
    BEST_ANN,
    BEST_SLOPE,
    BEST_SNN,
    BEST_SPEECH_ANN,
    BEST_SPEECH_SNN,
    CLASSIFIER,
    PAPER_ADAM,
    PAPER_SGD,
    PAPER_SNN,
    PAPER_SPEECH_ADAM,
    PAPER_SPEECH_SGD,
    PAPER_SPEECH_SNN,
    PROBE,
    Recipe,
)
from snn_synth.experiments.reproduce.trials import Trial


@dataclass(frozen=True)
class Experiment:
    """A row of the table or a figure: the trials that stand side by side in it.

    Args:
        shows: what the paper shows there, in a sentence.
        arms: the trials, by the name that they have in the picture.
        minutes: that it takes on two cores, for one seed, quick and full.
        paper: the paper's standardized test MSE of an arm, where it prints the number.
        measures: what the picture shows, of ``<part>/<measure>``; the first one's measure also while training.
    """

    shows: str
    arms: Mapping[str, Trial]
    minutes: tuple[float, float]
    paper: Mapping[str, float] = field(default_factory=dict)
    measures: tuple[str, ...] = ("test/mse",)


def _row(images: str, hidden: int, num_steps: int) -> dict[str, AutoencoderTrial]:
    snn = AutoencoderTrial(PAPER_SNN, images=images, hidden=hidden, num_steps=num_steps)
    ann = replace(snn, kind="ann")
    return {
        "SNN paper": snn,
        "SNN best": replace(snn, recipe=BEST_SNN[images], slope=BEST_SLOPE),
        "ANN paper, SGD": replace(ann, recipe=PAPER_SGD[images], output="sigmoid"),
        "ANN paper, Adam": replace(ann, recipe=PAPER_ADAM[images], output="sigmoid"),
        "ANN best": replace(ann, recipe=BEST_ANN[images]),
    }


_PAPER = ("SNN paper", "ANN paper, SGD", "ANN paper, Adam")
_ROWS = {
    "table1-mnist": (_row("mnist", 196, 15), (0.357, 0.226, 0.122)),
    "table1-fashion-512": (_row("fashion_mnist", 512, 60), (0.178, 0.416, 0.300)),
    "table1-fashion-1024": (_row("fashion_mnist", 1024, 60), (0.140, 0.418, 0.387)),
}
_MNIST, _FASHION = (_ROWS[row][0] for row in ("table1-mnist", "table1-fashion-1024"))
_DIGITS, _CLOTHES = _MNIST["SNN paper"], _FASHION["SNN paper"]

_SPEECH_RECIPES = {
    "SNN paper": PAPER_SPEECH_SNN,
    "SNN best": BEST_SPEECH_SNN,
    "ANN paper, SGD": PAPER_SPEECH_SGD,
    "ANN paper, Adam": PAPER_SPEECH_ADAM,
    "ANN best": BEST_SPEECH_ANN,
}
_SPEECH = {name: AudiocoderTrial(recipe, _MNIST[name]) for name, recipe in _SPEECH_RECIPES.items()}
_SPEECH["SNN best"] = replace(_SPEECH["SNN best"], slope=BEST_SLOPE)
_SPEECH_B = {
    name: replace(arm, pairing="B", bits=10 if arm.autoencoder.kind == "snn" else None) for name, arm in _SPEECH.items()
}
_SPOKEN, _SPOKEN_ANN = _SPEECH["SNN paper"], _SPEECH["ANN paper, Adam"]
_STEPS = (15, 10, 5, 2, 1)  # T_h


def _as_in_paper(row: str) -> dict[str, AutoencoderTrial]:
    return {name.replace(" paper", f"-{row.rsplit('-', 1)[1]}"): _ROWS[row][0][name] for name in _PAPER}


EXPERIMENTS = {
    **{
        row: Experiment(
            "The table's row: the spiking autoencoder beside conventional ones of its size, test MSE after one epoch.",
            arms,
            minutes=(1, 4) if row == "table1-mnist" else (3, 20),
            paper=dict(zip(_PAPER, published, strict=True)),
        )
        for row, (arms, published) in _ROWS.items()
    },
    "table1-a2i-a": Experiment(
        "The table's row: audio to image, all utterances of a digit paired with one image.",
        _SPEECH,
        minutes=(5, 40),
        paper=dict(zip(_PAPER, (0.254, 0.408, 0.144), strict=True)),
    ),
    "table1-a2i-b": Experiment(
        "The table's row: audio to image, each utterance paired with an image of its own.",
        _SPEECH_B,
        minutes=(5, 40),
        paper=dict(zip(_PAPER, (0.543, 0.611, 0.556), strict=True)),
    ),
    "fig3": Experiment(
        "A small leak helps, a large one harms; 0.1 regenerates the input spikes best.",
        {f"leak {alpha:g}": replace(_DIGITS, alpha=alpha) for alpha in (0.0, 0.01, 0.1, 0.3, 0.5)},
        minutes=(1, 5),
        measures=("test/spike_mse", "train/spike_mse", "test/mse", "train/mse"),
    ),
    "fig4a": Experiment(
        "Without the mask the training does not converge; with it 85 % of the error vector are zero.",
        {"mask": _DIGITS, "no mask": replace(_DIGITS, mask=False)},
        minutes=(0.5, 2),
        measures=("test/mse", "test/error_share"),
    ),
    "fig4b": Experiment(
        "A longer input spike train lowers the error.",
        {f"T = {T}": replace(_DIGITS, num_steps=T) for T in (5, 10, 15, 20, 30, 60)},
        minutes=(1, 8),
    ),
    "fig5": Experiment(
        "On MNIST the spiking autoencoder lies between conventional ones trained by SGD and by Adam.",
        {name.replace(" paper", ""): _MNIST[name] for name in _PAPER},
        minutes=(0.5, 2),
        paper=dict(zip(("SNN", "ANN, SGD", "ANN, Adam"), _ROWS["table1-mnist"][1], strict=True)),
    ),
    "fig6": Experiment(
        "On Fashion-MNIST the spiking autoencoders, with 512 and 1024 hidden neurons, beat the conventional ones.",
        _as_in_paper("table1-fashion-512") | _as_in_paper("table1-fashion-1024"),
        minutes=(4, 30),
    ),
    "fig7a": Experiment(
        "More hidden neurons lower the error, from 64 to 196 more than from 196 to 400.",
        {f"{hidden} hidden": replace(_DIGITS, hidden=hidden) for hidden in (64, 196, 400)},
        minutes=(0.5, 3),
    ),
    "fig7b": Experiment(
        "At no learning rate of Adam does the conventional autoencoder reach the spiking one on Fashion-MNIST.",
        {"SNN, T = 60": _CLOTHES}
        | {
            f"ANN, lr {lr:g}": replace(_FASHION["ANN paper, Adam"], recipe=Recipe(lr=lr))
            for lr in (1e-4, 1e-3, 5e-3, 1e-2, 1e-1)
        },
        minutes=(3, 20),
    ),
    "fig7c": Experiment(
        "On Fashion-MNIST the number of time steps matters more: at 5 and 10 the conventional autoencoder is better.",
        {f"SNN, T = {T}": replace(_CLOTHES, num_steps=T) for T in (5, 10, 15, 30, 60)}
        | {"ANN, Adam": _FASHION["ANN paper, Adam"]},
        minutes=(4, 30),
    ),
    "fig9": Experiment(
        "The images drawn of data set A are clear and alike, those of data set B blurred.",
        {"A": _SPOKEN, "B": _SPEECH_B["SNN paper"]},
        minutes=(3, 30),
        paper={"A": 0.254, "B": 0.543},
        measures=("test/mse", "train/mse"),
    ),
    "fig10a": Experiment(
        "A hidden spike map of fewer time steps costs little.",
        {f"T_h = {steps}": replace(_SPOKEN, bits=steps) if steps != 15 else _SPOKEN for steps in _STEPS},
        minutes=(5, 75),
        paper={"T_h = 15": 0.254},
    ),
    "fig10b": Experiment(
        "The spiking audiocoder lies between conventional ones trained by SGD and by Adam.",
        {name.replace(" paper", ""): _SPEECH[name] for name in _PAPER},
        minutes=(3, 20),
        paper={"SNN": 0.254, "ANN, SGD": 0.408, "ANN, Adam": 0.144},
    ),
    "fig10c": Experiment(
        "At 1 and 2 bits of a hidden unit the spiking audiocoder beats the conventional one, above that it does not.",
        {f"SNN, T_h = {bits}": replace(_SPOKEN, bits=bits) if bits != 15 else _SPOKEN for bits in _STEPS}
        | {f"ANN, {bits} bit": replace(_SPOKEN_ANN, bits=bits) for bits in _STEPS},
        minutes=(6, 80),
        paper={"SNN, T_h = 15": 0.254},
    ),
    "full-size": Experiment(
        "The paper's own audiocoder, 58500-2048-196: memory, and the time of an epoch extrapolated from ten batches.",
        {
            name: replace(_SPEECH[name], hidden=2048, frames=1500, batches=12, recipe=replace(recipe, epochs=1))
            for name, recipe in _SPEECH_RECIPES.items()
            if name in ("SNN paper", "SNN best")
        },
        minutes=(2, 8),
    ),
    "choices": Experiment(
        "Where the paper is silent or says two things: what was chosen here, and what the other choice gives.",
        {
            "SNN, as chosen": _DIGITS,
            "SNN, weight decay 1e-5": replace(_DIGITS, recipe=replace(PAPER_SNN, weight_decay=1e-5)),
            "SNN, weight decay in the gradient": replace(_DIGITS, recipe=replace(PAPER_SNN, optimizer="adam_l2")),
            "SNN, initial weights x 0.5": replace(_DIGITS, gain=0.5),
            "SNN, initial weights x 2": replace(_DIGITS, gain=2.0),
            "SNN, maximum rate 0.5": replace(_DIGITS, max_rate=0.5),
            "ANN, Adam 1e-3, sigmoid output": _MNIST["ANN paper, Adam"],
            "ANN, Adam 1e-3, linear output": replace(_MNIST["ANN paper, Adam"], output="linear"),
            "ANN, Adam 0.1, sigmoid output": replace(_MNIST["ANN paper, Adam"], recipe=Recipe(lr=0.1)),
            "ANN, SGD 0.1, sigmoid output": _MNIST["ANN paper, SGD"],
            "ANN, SGD 0.1, linear output": replace(_MNIST["ANN paper, SGD"], output="linear"),
            "Fashion-1024: ANN, Adam 5e-3, sigmoid": _FASHION["ANN paper, Adam"],
            "Fashion-1024: ANN, Adam 5e-3, linear": replace(_FASHION["ANN paper, Adam"], output="linear"),
            "Fashion-1024: ANN, SGD 5e-3, sigmoid": _FASHION["ANN paper, SGD"],
            "Fashion-1024: ANN, SGD 5e-3, linear": replace(_FASHION["ANN paper, SGD"], output="linear"),
        },
        minutes=(2, 15),
    ),
    "choices-speech": Experiment(
        "The same for audio to image: time steps (the text says 60, the table 30), frames of the spectrogram (the "
        "paper's 1,500 for a second of speech are not explained), and other images for data set A.",
        {
            "T = 30, 100 frames": _SPEECH["SNN best"],
            "T = 60": replace(_SPEECH["SNN best"], num_steps=60),
            "200 frames": replace(_SPEECH["SNN best"], frames=200),
            "images nearest their class mean": replace(_SPEECH["SNN best"], pairing="A-mean"),
        },
        minutes=(4, 30),
    ),
    "probe": Experiment(
        "The code of the autoencoder serves to recognize as well as to regenerate.",
        {
            "code of SNN paper": ProbeTrial(PROBE, autoencoder=_DIGITS),
            "code of SNN best": ProbeTrial(PROBE, autoencoder=_MNIST["SNN best"]),
            "code of ANN paper, Adam": ProbeTrial(PROBE, autoencoder=_MNIST["ANN paper, Adam"]),
            "code of SNN, untrained": ProbeTrial(PROBE, autoencoder=_DIGITS, reads="untrained"),
            "pixels": ProbeTrial(PROBE, reads="pixels"),
        },
        minutes=(1, 8),
        measures=("test/accuracy",),
    ),
    "mask-classifier": Experiment(
        "The mask helps any spiking network with a large output layer: here a classifier with 1,000 output neurons.",
        {
            f"{rule}, {'mask' if mask else 'no mask'}": PopulationTrial(recipe, mask=mask)
            for rule, recipe in (("online", PAPER_SNN), ("bptt", CLASSIFIER))
            for mask in (True, False)
        },
        minutes=(1, 8),
        measures=("test/accuracy",),
    ),
}


def _tried(
    title: str, arm: Trial, rate: float, batches: tuple[int, ...], variants: Mapping[str, Mapping[str, Any]]
) -> dict[str, Trial]:
    """Batch sizes, for each two peaks of the learning rate (per sample of a batch), and variants of the network."""
    tried = {}
    for batch, factor, (variant, changes) in itertools.product(batches, (1, 2), variants.items()):
        recipe = replace(arm.recipe, lr=round(rate * batch * factor, 6), batch_size=batch)
        changed: Any = {"recipe": recipe, "search": True, **changes}
        tried[f"{title}, batch {batch}, lr {recipe.lr:g}, {variant}"] = replace(arm, **changed)
    return tried


_SLOPES: Mapping[str, Mapping[str, Any]] = {"slope 1": {"slope": 1.0}, "slope 2": {"slope": 2.0}}
_OUTPUTS: Mapping[str, Mapping[str, Any]] = {"linear": {"output": "linear"}, "sigmoid": {"output": "sigmoid"}}
_CLOTHES_512 = _ROWS["table1-fashion-512"][0]
SEARCHES = {
    "search-mnist": Experiment(
        "How the best recipes for MNIST were chosen: twelve trials each, on a tenth of the training images.",
        _tried("SNN", _MNIST["SNN best"], 8e-5, (10, 25, 50), _SLOPES)
        | _tried("ANN", _MNIST["ANN best"], 4e-5, (10, 25, 50), _OUTPUTS),
        minutes=(5, 20),
        measures=("val/mse",),
    ),
    "search-fashion": Experiment(
        "The same for Fashion-MNIST, with 512 hidden neurons: eight trials each.",
        _tried("SNN", _CLOTHES_512["SNN best"], 5e-5, (20, 50), _SLOPES)
        | _tried("ANN", _CLOTHES_512["ANN best"], 4e-5, (20, 50), _OUTPUTS),
        minutes=(5, 30),
        measures=("val/mse",),
    ),
    "search-speech": Experiment(
        "The same for audio to image, data set A: four trials each, on a tenth of the training utterances.",
        _tried("SNN", _SPEECH["SNN best"], 2e-5, (50,), _SLOPES)
        | _tried(
            "ANN",
            _SPEECH["ANN best"],
            1e-5,
            (50,),
            {
                f"autoencoder {name}": {"autoencoder": replace(_MNIST["ANN best"], **changes)}
                for name, changes in _OUTPUTS.items()
            },
        ),
        minutes=(10, 60),
        measures=("val/mse",),
    ),
}
"""Not of the paper, and not part of ``all``."""


def find(name: str) -> dict[str, Experiment]:
    """The experiments of a name: one of them, ``table1`` for all of its rows, or ``all``.

    Raises:
        InputError: if there is none.

    Example:
        >>> list(find("table1"))
        ['table1-mnist', 'table1-fashion-512', 'table1-fashion-1024', 'table1-a2i-a', 'table1-a2i-b']
    """
    if name == "all":
        return dict(EXPERIMENTS)
    every = EXPERIMENTS | SEARCHES
    found = {key: one for key, one in every.items() if name == key or (name == "table1" and key.startswith("table1-"))}
    if not found:
        raise InputError(f"Expected an experiment of {['all', 'table1', *every]}, got {name!r}")
    return found
