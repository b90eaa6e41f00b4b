"""The paper's figures, and what it only claims."""

from dataclasses import replace

from snn_synth.experiments.reproduce.autoencoders import AutoencoderTrial
from snn_synth.experiments.reproduce.classifiers import PopulationTrial, ProbeTrial
from snn_synth.experiments.reproduce.experiment import Experiment
from snn_synth.experiments.reproduce.recipes import CLASSIFIER, FULL_SIZE_SNN, PAPER_SNN, PROBE, Recipe
from snn_synth.experiments.reproduce.rows import (
    CLOTHES_512,
    CLOTHES_1024,
    DIGITS,
    EARLIER_SPEECH,
    PAPER,
    ROWS,
    SPEECH_A,
    SPEECH_B,
)

_DIGITS, _CLOTHES = DIGITS["SNN paper"], CLOTHES_1024["SNN paper"]
_SPOKEN, _SPOKEN_ANN = SPEECH_A["SNN paper"], SPEECH_A["ANN paper, Adam"]
_ADAM = CLOTHES_512["ANN paper, Adam"]
_STEPS = (15, 10, 5, 2, 1)  # T_h

_FULL_SIZE = {
    name: replace(trial, hidden=2048, frames=1500, front_end="lyon")
    for name, trial in (("SNN paper", _SPOKEN), ("SNN, reset to zero", EARLIER_SPEECH))
}


def _as_in_paper(row: dict[str, AutoencoderTrial], size: int) -> dict[str, AutoencoderTrial]:
    return {name.replace(" paper", f"-{size}"): row[name] for name in PAPER}


FIGURES = {
    "fig3": Experiment(
        "Leaks of 0 to 0.5. The paper: a small one helps, a large one harms, and 0.1 regenerates the input best.",
        {f"leak {alpha:g}": replace(_DIGITS, alpha=alpha) for alpha in (0.0, 0.01, 0.1, 0.3, 0.5)},
        minutes=(0.5, 5),
        measures=("test/spike_mse", "train/spike_mse", "test/standardized_mse", "train/standardized_mse"),
    ),
    "fig4a": Experiment(
        "Training with the mask of the loss and without. The paper: without it training does not converge, and with it "
        "85 % of the error vector is zero.",
        {"mask": _DIGITS, "no mask": replace(_DIGITS, mask=False)},
        minutes=(0.5, 2),
        measures=("test/standardized_mse", "test/error_share"),
    ),
    "fig4b": Experiment(
        "Input spike trains of 5 to 60 time steps. The paper: longer ones lower the error.",
        {f"T = {T}": replace(_DIGITS, num_steps=T) for T in (5, 10, 15, 20, 30, 60)},
        minutes=(0.5, 9),
    ),
    "fig5": Experiment(
        "Spiking and conventional autoencoders on MNIST. The paper: the spiking one lies between SGD and Adam.",
        {name.replace(" paper", ""): DIGITS[name] for name in PAPER},
        minutes=(0.5, 1),
        paper={name.replace(" paper", ""): error for name, error in ROWS["table1-mnist"].paper.items()},
    ),
    "fig6": Experiment(
        "The same on Fashion-MNIST, with 512 and 1,024 hidden neurons. The paper: the spiking ones are better.",
        _as_in_paper(CLOTHES_512, 512) | _as_in_paper(CLOTHES_1024, 1024),
        minutes=(2, 24),
    ),
    "fig7a": Experiment(
        "64 to 400 hidden neurons. The paper: more lower the error, from 64 to 196 more than from 196 to 400.",
        {f"{hidden} hidden": replace(_DIGITS, hidden=hidden) for hidden in (64, 196, 400)},
        minutes=(0.5, 3),
    ),
    "fig7b": Experiment(
        "Learning rates of Adam for the conventional autoencoder on Fashion-MNIST. The paper: with none does it reach "
        "the spiking one.",
        {"SNN, T = 60": _CLOTHES}
        | {
            f"ANN, lr {lr:g}": replace(CLOTHES_1024["ANN paper, Adam"], recipe=Recipe(lr=lr))
            for lr in (1e-4, 1e-3, 5e-3, 1e-2, 1e-1)
        },
        minutes=(1, 16),
    ),
    "fig7c": Experiment(
        "Time steps on Fashion-MNIST. The paper: they matter more than on MNIST, and with 5 and 10 the conventional "
        "autoencoder is better.",
        {f"SNN, T = {T}": replace(_CLOTHES, num_steps=T) for T in (5, 10, 15, 30, 60)}
        | {"ANN, Adam": CLOTHES_1024["ANN paper, Adam"]},
        minutes=(2, 28),
    ),
    "fig9": Experiment(
        "Images drawn of data sets A and B (T_h = 10). The paper: those of A are clear and alike, those of B blurred.",
        {"A": replace(_SPOKEN, bits=10), "B": SPEECH_B["SNN paper"]},
        minutes=(2, 21),
        paper={"B": 0.543},  # of A the table has T_h = 15
        measures=("test/standardized_mse", "train/standardized_mse"),
    ),
    "fig10a": Experiment(
        "Hidden spikes of 1 to 15 time steps. The paper: fewer cost little.",
        {f"T_h = {steps}": replace(_SPOKEN, bits=steps) if steps != 15 else _SPOKEN for steps in _STEPS},
        minutes=(3, 53),
        paper={"T_h = 15": 0.254},
    ),
    "fig10b": Experiment(
        "Spiking and conventional audiocoders. The paper: the spiking one lies between SGD and Adam.",
        {name.replace(" paper", ""): SPEECH_A[name] for name in PAPER},
        minutes=(1, 10),
        paper={"SNN": 0.254, "ANN, SGD": 0.408, "ANN, Adam": 0.144},
    ),
    "fig10c": Experiment(
        "Hidden units of 1 to 15 bits. The paper: with 1 and 2 the spiking audiocoder is better than the conventional "
        "one, with more it is not.",
        {f"SNN, T_h = {bits}": replace(_SPOKEN, bits=bits) if bits != 15 else _SPOKEN for bits in _STEPS}
        | {f"ANN, {bits} bit": replace(_SPOKEN_ANN, bits=bits) for bits in _STEPS},
        minutes=(3, 55),
        paper={"SNN, T_h = 15": 0.254},
    ),
    "updates": Experiment(
        "Conventional autoencoders by the paper's recipes, with one update a batch, and with as many as the online "
        "rule gives the spiking ones: T, 15 on MNIST and 60 on Fashion-MNIST (512 hidden units). `lr 5e-4` is the rate "
        "of the spiking one, a tenth of the conventional one's.",
        {
            f"{images}, {by}, updates: {updates}": replace(row[f"ANN paper, {by}"], updates=updates)
            for images, row, steps in (("MNIST", DIGITS, 15), ("Fashion-MNIST", CLOTHES_512, 60))
            for by in ("SGD", "Adam")
            for updates in (1, steps)
        }
        | {
            f"Fashion-MNIST, Adam, updates: {updates}, lr 5e-4": replace(
                _ADAM, recipe=replace(_ADAM.recipe, lr=PAPER_SNN.lr), updates=updates
            )
            for updates in (60, 1)
        },
        minutes=(1, 9),
    ),
    "full-size": Experiment(
        "The paper's own audiocoder, 58500-2048-196, on FSDD's words by the paper's front end, Lyon's 39 x 1500: 12 "
        "batches by the paper's rule, and as many by backpropagation through time with the loss of rates. By the "
        "latter also 20 epochs, as many as the paper's of TI-46, in mixed precision, trained on the cochleagram as a "
        "constant input and measured with Poisson spikes.",
        {
            f"{name}, 12 batches": replace(trial, recipe=replace(trial.recipe, epochs=1), batches=12)
            for name, trial in _FULL_SIZE.items()
        }
        | {
            "SNN, reset to zero, 20 epochs": replace(
                _FULL_SIZE["SNN, reset to zero"], recipe=FULL_SIZE_SNN, direct=True, precision="mixed"
            )
        },
        minutes=(5, 45),
    ),
    "probe": Experiment(
        "Does the code of an autoencoder serve to recognize, too? A linear classifier on it, and one on the pixels.",
        {
            "code of SNN paper": ProbeTrial(PROBE, autoencoder=_DIGITS),
            "code of SNN best": ProbeTrial(PROBE, autoencoder=DIGITS["SNN best"]),
            "code of ANN paper, Adam": ProbeTrial(PROBE, autoencoder=DIGITS["ANN paper, Adam"]),
            "code of SNN, untrained": ProbeTrial(PROBE, autoencoder=_DIGITS, reads="untrained"),
            "pixels": ProbeTrial(PROBE, reads="pixels"),
        },
        minutes=(0.5, 3),
        measures=("test/accuracy",),
    ),
    "mask-classifier": Experiment(
        "Does the mask help any spiking network with a large output layer? A classifier with 1,000 output neurons.",
        {
            f"{rule}, {'mask' if mask else 'no mask'}": PopulationTrial(recipe, mask=mask)
            for rule, recipe in (("online", PAPER_SNN), ("bptt", CLASSIFIER))
            for mask in (True, False)
        },
        minutes=(0.5, 5),
        measures=("test/accuracy",),
    ),
}
