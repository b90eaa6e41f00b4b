"""What each part of the best recipes brings, in each row of the table."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from snn_synth.experiments.reproduce.audiocoders import AudiocoderTrial
from snn_synth.experiments.reproduce.experiment import Experiment
from snn_synth.experiments.reproduce.rows import CLOTHES_512, CLOTHES_1024, DIGITS, SPEECH_A, SPEECH_B
from snn_synth.experiments.reproduce.trials import Trial
from snn_synth.functional.lif import Reset


def _with_neurons(trial: Any, reset: Reset, learned: bool) -> Any:
    """The same recipe with other neurons, of an audiocoder's autoencoder too."""
    if isinstance(trial, AudiocoderTrial):
        trial = replace(trial, autoencoder=_with_neurons(trial.autoencoder, reset, learned))
    return replace(trial, reset=reset, learned=learned)


def _changes(row: Mapping[str, Trial]) -> dict[str, Trial]:
    best = row["SNN best"]
    return {
        "the paper's neuron": _with_neurons(best, "zero", False),
        "learned leak and threshold": _with_neurons(best, "zero", True),
        "reset by subtraction": _with_neurons(best, "subtract", False),
        "both": best,
        "both, even input": row["SNN best, even input"],
    }


_ROWS: list[tuple[str, str, Mapping[str, Trial], tuple[float, float]]] = [
    ("mnist", "MNIST", DIGITS, (0.5, 5)),
    ("fashion-512", "Fashion-MNIST with 512 hidden neurons", CLOTHES_512, (1, 15)),
    ("fashion-1024", "Fashion-MNIST with 1,024 hidden neurons", CLOTHES_1024, (2, 30)),
    ("a2i-a", "audio to image A", SPEECH_A, (1, 15)),
    ("a2i-b", "audio to image B", SPEECH_B, (1, 15)),
]
ABLATIONS = {
    f"ablation-{name}": Experiment(
        f"What each part of the best recipe brings, {title}: neurons and input by themselves, all else the same.",
        _changes(row),
        minutes,
    )
    for name, title, row, minutes in _ROWS
}
