"""Choices that the paper leaves open or states in two ways, and the results of the alternatives."""

from dataclasses import replace
from typing import Any

from snn_synth.experiments.reproduce.autoencoders import AutoencoderTrial
from snn_synth.experiments.reproduce.experiment import Experiment
from snn_synth.experiments.reproduce.recipes import PAPER_SNN, Recipe
from snn_synth.experiments.reproduce.rows import CLOTHES_512, CLOTHES_1024, DIGITS, EARLIER_SPEECH, SPEECH_A

_DIGITS, _CLOTHES = DIGITS["SNN paper"], CLOTHES_512["SNN paper"]


def _clothes(**changes: Any) -> AutoencoderTrial:
    return replace(_CLOTHES, recipe=replace(PAPER_SNN, **changes))


CHOICES = {
    "choices": Experiment(
        "Choices that the paper leaves open or states in two ways: what was chosen here, and the results of the "
        "alternatives.",
        {
            "SNN, as chosen": _DIGITS,
            "SNN, weight decay 1e-5": replace(_DIGITS, recipe=replace(PAPER_SNN, weight_decay=1e-5)),
            "SNN, weight decay in the gradient": replace(_DIGITS, recipe=replace(PAPER_SNN, optimizer="adam_l2")),
            "SNN, initial weights x 0.5": replace(_DIGITS, gain=0.5),
            "SNN, initial weights x 2": replace(_DIGITS, gain=2.0),
            "SNN, maximum rate 0.5": replace(_DIGITS, max_rate=0.5),
            "ANN, Adam 1e-3, sigmoid output": DIGITS["ANN paper, Adam"],
            "ANN, Adam 1e-3, linear output": replace(DIGITS["ANN paper, Adam"], output="linear"),
            "ANN, Adam 0.1, sigmoid output": replace(DIGITS["ANN paper, Adam"], recipe=Recipe(lr=0.1)),
            "ANN, SGD 0.1, sigmoid output": DIGITS["ANN paper, SGD"],
            "ANN, SGD 0.1, linear output": replace(DIGITS["ANN paper, SGD"], output="linear"),
            "Fashion-1024: ANN, Adam 5e-3, sigmoid": CLOTHES_1024["ANN paper, Adam"],
            "Fashion-1024: ANN, Adam 5e-3, linear": replace(CLOTHES_1024["ANN paper, Adam"], output="linear"),
            "Fashion-1024: ANN, SGD 5e-3, sigmoid": CLOTHES_1024["ANN paper, SGD"],
            "Fashion-1024: ANN, SGD 5e-3, linear": replace(CLOTHES_1024["ANN paper, SGD"], output="linear"),
        },
        minutes=(1, 8),
    ),
    "choices-fashion": Experiment(
        "The same for Fashion-MNIST by the paper's rule, 512 hidden neurons: 60 updates a batch at 5e-4.",
        {
            "as chosen": _CLOTHES,
            "initial weights x 2": replace(_CLOTHES, gain=2.0),
            "initial weights x 4": replace(_CLOTHES, gain=4.0),
            "weight decay 1e-4 an update": _clothes(weight_decay=1e-4 / PAPER_SNN.lr),
            "learning rate 1e-4 instead of 5e-4": _clothes(lr=1e-4),
            "leak 0.5 instead of 0.1": replace(_CLOTHES, alpha=0.5),
            "1,024 hidden neurons, learning rate 1e-4": replace(
                CLOTHES_1024["SNN paper"], recipe=replace(PAPER_SNN, lr=1e-4)
            ),
        },
        minutes=(5, 64),
    ),
    "choices-speech": Experiment(
        "The same for audio to image: time steps (the text says 60, the table 30), frames of the spectrogram (the "
        "paper's 1,500 for a second of speech are not explained), and other images for data set A. Where it does not "
        "say the paper's recipe, it is the earlier recipe of `SNN, reset to zero` in the table.",
        {
            "T = 30, 100 frames": EARLIER_SPEECH,
            "T = 60": replace(EARLIER_SPEECH, num_steps=60),
            "200 frames": replace(EARLIER_SPEECH, frames=200),
            "images nearest their class mean": replace(EARLIER_SPEECH, pairing="A-mean"),
            "paper's recipe, 512 hidden neurons": SPEECH_A["SNN paper"],
            "paper's recipe, 1024 hidden neurons": replace(SPEECH_A["SNN paper"], hidden=1024),
            "paper's recipe, T = 60": replace(SPEECH_A["SNN paper"], num_steps=60),
        },
        minutes=(5, 77),
    ),
}
