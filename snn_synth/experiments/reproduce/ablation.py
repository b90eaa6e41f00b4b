"""What each part of the best recipes brings, in each row of the table."""

from collections.abc import Mapping
from typing import Any

from snn_synth.experiments.reproduce.experiment import Experiment
from snn_synth.experiments.reproduce.rows import (
    CLOTHES_512,
    CLOTHES_1024,
    DIGITS,
    SPEECH_A,
    SPEECH_B,
    Coder,
    with_neurons,
)


def _changes(row: Mapping[str, Coder]) -> dict[str, Coder]:
    best, even = row["SNN best"], row["SNN best, even input"]
    return {
        "the paper's neuron": with_neurons(best, "zero", learned=False),
        "learned leak and threshold": with_neurons(best, "zero", learned=True),
        "reset by subtraction": with_neurons(best, "subtract", learned=False),
        "both": with_neurons(best, "subtract", learned=True),
        "both, even input": with_neurons(even, "subtract", learned=True),
    }


_ROWS: list[tuple[str, str, Mapping[str, Any], tuple[float, float]]] = [
    ("mnist", "MNIST", DIGITS, (0.5, 5)),
    ("fashion-512", "Fashion-MNIST with 512 hidden neurons", CLOTHES_512, (1, 15)),
    ("fashion-1024", "Fashion-MNIST with 1,024 hidden neurons", CLOTHES_1024, (2, 30)),
    ("a2i-a", "audio to image A", SPEECH_A, (1, 30)),
    ("a2i-b", "audio to image B", SPEECH_B, (1, 26)),
]
ABLATIONS = {
    f"ablation-{name}": Experiment(
        f"What each part of the best recipe brings, {title}: neurons and input by themselves, all else the same.",
        _changes(row),
        minutes,
    )
    for name, title, row, minutes in _ROWS
}
