"""Speakers who were never heard: each of FSDD's six left out in turn."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from snn_synth.experiments.reproduce.audiocoders import AudiocoderTrial
from snn_synth.experiments.reproduce.experiment import Experiment
from snn_synth.experiments.reproduce.recipes import (
    AUGMENTATION,
    BEST_SLOPE,
    EVERYBODY_EPOCHS,
    FC_AUGMENTATION,
    ROBUST_ANN,
    ROBUST_CONV,
    ROBUST_FC,
    TRAIN_STEPS,
)
from snn_synth.experiments.reproduce.rows import DIGITS

SPEAKERS = "george", "jackson", "lucas", "nicolas", "theo", "yweweler"
LEFT_OUT = AudiocoderTrial(
    ROBUST_CONV,
    DIGITS["SNN, reset to zero"],
    corpus="fsdd+espeak-many",
    network="conv",
    augmentation=AUGMENTATION,
    slope=BEST_SLOPE,
    norm=True,
    train_steps=TRAIN_STEPS,
    direct=True,
)
EVERYBODY = replace(LEFT_OUT, recipe=replace(ROBUST_CONV, epochs=EVERYBODY_EPOCHS))
"""The shipped network: trained on all speakers of FSDD, and longer."""
_FC = replace(LEFT_OUT, recipe=ROBUST_FC, network="fc", augmentation=FC_AUGMENTATION)
OTHERS = {
    "ACSNN": _FC,
    "ACSNN, no augmentation": replace(_FC, augmentation=0.0),
    "ACANN": AudiocoderTrial(ROBUST_ANN, DIGITS["ANN best"], corpus="fsdd+espeak-many", augmentation=FC_AUGMENTATION),
}
SHOWS = (
    "One speaker of FSDD is left out of the training whole{turn}: `unheard` is of all words of that one, `test` of the "
    "others' test words. All train on espeak's voices, too. "
)


def unseen(
    shows: str,
    networks: Mapping[str, AudiocoderTrial],
    minutes: tuple[float, float],
    speakers: Sequence[str] = SPEAKERS,
) -> Experiment:
    """Each network without each of the speakers."""
    groups = {name: {speaker: f"{name}: {speaker}" for speaker in speakers} for name in networks}
    return Experiment(
        SHOWS.format(turn=", each in turn" if len(speakers) > 1 else "") + shows,
        {
            variant: replace(networks[name], held_out=(speaker,))
            for name, variants in groups.items()
            for speaker, variant in variants.items()
        },
        minutes=minutes,
        measures=("unheard/nearest_class", "test/nearest_class"),
        also=("unheard/standardized_mse", "test/standardized_mse"),
        groups=groups,
    )


UNSEEN = {
    "unseen-speakers": unseen(
        "The best network for speakers who were not in the training.", {"ConvACSNN": LEFT_OUT}, (4, 45)
    ),
    "unseen-speakers-others": unseen(
        "The paper's fully connected network with batch norm, with and without augmentation, and a conventional one.",
        OTHERS,
        (5, 60),
    ),
    "any-speaker": Experiment(
        "The network for any speaker, which comes with the package: as in unseen-speakers, but no speaker is left out.",
        {"ConvACSNN": EVERYBODY},
        minutes=(2, 12),
        measures=("test/nearest_class", "test/standardized_mse"),
    ),
}
