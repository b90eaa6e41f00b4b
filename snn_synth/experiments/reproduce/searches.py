"""How the best recipes were chosen: not of the paper, and not part of ``all``."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from snn_synth.experiments.reproduce.experiment import Experiment
from snn_synth.experiments.reproduce.rows import CLOTHES_512, DIGITS, SPEECH_A
from snn_synth.experiments.reproduce.trials import Trial


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
SEARCHES = {
    "search-mnist": Experiment(
        "How the best recipes for MNIST were chosen: twelve trials each, on a tenth of the training images.",
        _tried("SNN", DIGITS["SNN best"], 8e-5, (10, 25, 50), _SLOPES)
        | _tried("ANN", DIGITS["ANN best"], 4e-5, (10, 25, 50), _OUTPUTS),
        minutes=(5, 20),
        measures=("val/mse",),
    ),
    "search-fashion": Experiment(
        "The same for Fashion-MNIST, with 512 hidden neurons: eight trials each.",
        _tried("SNN", CLOTHES_512["SNN best"], 5e-5, (20, 50), _SLOPES)
        | _tried("ANN", CLOTHES_512["ANN best"], 4e-5, (20, 50), _OUTPUTS),
        minutes=(5, 30),
        measures=("val/mse",),
    ),
    "search-speech": Experiment(
        "The same for audio to image, data set A: four trials each, on a tenth of the training utterances.",
        _tried("SNN", SPEECH_A["SNN best"], 2e-5, (50,), _SLOPES)
        | _tried(
            "ANN",
            SPEECH_A["ANN best"],
            1e-5,
            (50,),
            {
                f"autoencoder {name}": {"autoencoder": replace(DIGITS["ANN best"], **changes)}
                for name, changes in _OUTPUTS.items()
            },
        ),
        minutes=(10, 60),
        measures=("val/mse",),
    ),
}
