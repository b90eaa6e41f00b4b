"""Speakers who were never heard: each of FSDD's six left out in turn."""

from dataclasses import replace

from snn_synth.experiments.reproduce.audiocoders import AudiocoderTrial
from snn_synth.experiments.reproduce.experiment import Experiment
from snn_synth.experiments.reproduce.recipes import (
    AUGMENTATION,
    BEST_SLOPE,
    ROBUST_ANN,
    ROBUST_CONV,
    ROBUST_FC,
    TRAIN_STEPS,
)
from snn_synth.experiments.reproduce.rows import DIGITS

SPEAKERS = "george", "jackson", "lucas", "nicolas", "theo", "yweweler"
EVERYBODY = AudiocoderTrial(
    ROBUST_CONV,
    DIGITS["SNN best"],
    corpus="fsdd+espeak-many",
    network="conv",
    augmentation=AUGMENTATION,
    slope=BEST_SLOPE,
    norm=True,
    train_steps=TRAIN_STEPS,
    direct=True,
)
"""What the shipped network is: trained on all speakers of FSDD and all voices."""
_FC = replace(EVERYBODY, recipe=ROBUST_FC, network="fc")
NETWORKS = {
    "ConvACSNN": EVERYBODY,
    "ACSNN": _FC,
    "ACSNN, no augmentation": replace(_FC, augmentation=0.0),
    "ACANN": AudiocoderTrial(ROBUST_ANN, DIGITS["ANN best"], corpus="fsdd+espeak-many", augmentation=AUGMENTATION),
}
GROUPS = {name: {speaker: f"{name}: {speaker}" for speaker in SPEAKERS} for name in NETWORKS}

UNSEEN = {
    "unseen-speakers": Experiment(
        "Speakers who were never heard: one speaker of FSDD is left out of the training whole, each in turn. "
        "`unheard` is of all words of that one, `test` of the others' test words. All train on espeak's voices, too.",
        {
            arm: replace(NETWORKS[name], held_out=(speaker,))
            for name, arms in GROUPS.items()
            for speaker, arm in arms.items()
        }
        | {"ConvACSNN, nobody left out": EVERYBODY},
        minutes=(5, 100),
        measures=("unheard/nearest_class", "test/nearest_class"),
        also=("unheard/mse", "test/mse"),
        groups=GROUPS,
    )
}
