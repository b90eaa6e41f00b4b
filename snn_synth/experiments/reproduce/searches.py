"""How the best recipes were chosen: not of the paper, and not part of ``all``."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

from snn_synth.experiments.reproduce.experiment import Experiment
from snn_synth.experiments.reproduce.rows import CLOTHES_512, DIGITS, SPEECH_A
from snn_synth.experiments.reproduce.trials import Trial


class Variant(NamedTuple):
    """What differs beside batch size and learning rate."""

    trial: Mapping[str, Any] = MappingProxyType({})
    recipe: Mapping[str, Any] = MappingProxyType({})
    rate: int = 1
    """Times the learning rate of the other variants."""


def _tried(
    title: str, arm: Trial, rate: float, batches: tuple[int, ...], variants: Mapping[str, Variant]
) -> dict[str, Trial]:
    """Batch sizes, for each two peaks of the learning rate (per sample of a batch), and variants."""
    tried = {}
    for batch, factor, (name, variant) in itertools.product(batches, (1, 2), variants.items()):
        lr = round(rate * batch * factor * variant.rate, 6)
        settings: dict[str, Any] = {"lr": lr, "batch_size": batch, **variant.recipe}
        changed: dict[str, Any] = {"recipe": replace(arm.recipe, **settings), "search": True, **variant.trial}
        tried[f"{title}, batch {batch}, lr {lr:g}, {name}"] = replace(arm, **changed)
    return tried


_SNN = {
    "slope 1": Variant({"slope": 1.0}, {"loss": "membrane"}),
    "slope 2": Variant({"slope": 2.0}, {"loss": "membrane"}),
    "slope 2, rates": Variant({"slope": 2.0}, {"loss": "rate"}, rate=2),
}
_ANN = {
    "linear": Variant({"output": "linear"}),
    "sigmoid": Variant({"output": "sigmoid"}),
    "linear, weight decay 1e-2": Variant({"output": "linear"}, {"weight_decay": 1e-2}),
}
_SPEECH_ANN = {
    "autoencoder linear": Variant({"autoencoder": replace(DIGITS["ANN best"], output="linear")}),
    "autoencoder sigmoid": Variant({"autoencoder": replace(DIGITS["ANN best"], output="sigmoid")}),
    "autoencoder linear, weight decay 1e-2": Variant(
        {"autoencoder": replace(DIGITS["ANN best"], output="linear")}, {"weight_decay": 1e-2}
    ),
}
SEARCHES = {
    "search-mnist": Experiment(
        "How the best recipes for MNIST were chosen: eighteen trials each, on a tenth of the training images.",
        _tried("SNN", DIGITS["SNN best"], 8e-5, (10, 25, 50), _SNN)
        | _tried("ANN", DIGITS["ANN best"], 4e-5, (10, 25, 50), _ANN),
        minutes=(5, 20),
        measures=("val/mse",),
    ),
    "search-fashion": Experiment(
        "The same for Fashion-MNIST, with 512 hidden neurons: twelve trials each.",
        _tried("SNN", CLOTHES_512["SNN best"], 5e-5, (20, 50), _SNN)
        | _tried("ANN", CLOTHES_512["ANN best"], 4e-5, (20, 50), _ANN),
        minutes=(5, 30),
        measures=("val/mse",),
    ),
    "search-speech": Experiment(
        "The same for audio to image, data set A: six trials each, on a tenth of the training utterances.",
        _tried("SNN", SPEECH_A["SNN best"], 2e-5, (50,), _SNN)
        | _tried("ANN", SPEECH_A["ANN best"], 1e-5, (50,), _SPEECH_ANN),
        minutes=(10, 60),
        measures=("val/mse",),
    ),
}
