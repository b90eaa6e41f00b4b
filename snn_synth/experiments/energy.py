"""The cost of an inference of a trained network on real images or words, beside a conventional network of its size."""

import math
import re
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from snn_synth.data import AudioFolder, ImageFolder, build_front_end
from snn_synth.encoding import sample_keys
from snn_synth.errors import InputError
from snn_synth.evaluation import LayerCosts, inference_layers, inference_spikes, layer_costs, mean_costs, total_cost
from snn_synth.experiments.robustness import Words, find_test_words, spread
from snn_synth.functional.encoding import RateCode
from snn_synth.kernels import encode
from snn_synth.models import AudioToImage
from snn_synth.models.pretrained import shipped_models
from snn_synth.training.base import HELD_OUT
from snn_synth.training.images import IMAGE_SETS, image_batch, load_images

BATCH = 100  # samples at a time
MOST = 2**27  # places for a spike in memory at once: fewer samples at a time, if it is many steps
LONGEST = 5_000  # time steps
CORPORA = ("fsdd", "espeak")
IMAGES = (*IMAGE_SETS, "mnist_subset")


class Subject(NamedTuple):
    """A model, and how it is run."""

    model: nn.Module
    num_steps: int
    max_rate: float = 1.0
    seed: int = 0
    code: RateCode = "poisson"

    def encode(self, values: Tensor, index: Tensor) -> Tensor:
        """Input spikes ``[T, B, N]`` of values ``[B, N]``, those that a test of the training would see."""
        keys = sample_keys(self.seed, HELD_OUT, index)
        return encode(values, self.num_steps, self.max_rate, keys=keys, code=self.code)


class Samples(NamedTuple):
    """What a model is shown."""

    name: str
    values: Tensor
    """``[N, inputs]`` in [0, 1]."""
    places: Tensor
    """Of the samples in the data set, which key the spikes."""


def training_settings(name: str) -> dict[str, str]:
    """``num_steps`` and ``images`` of a network that comes with the package, from its card; nothing of any other.

    Example:
        >>> training_settings("fashion-mnist")["num_steps"], training_settings("my_folder")
        ('60', {})
    """
    folder = shipped_models().get(name)
    if folder is None or Path(name).exists():
        return {}
    return dict(re.findall(r"^\| (num_steps|images) \| (\w+) \|$", (folder / "README.md").read_text(), re.M))


def find_samples(model: nn.Module, data: str, count: int) -> Samples:
    """The first images of a test set, or words that are spread over labels and speakers, as inputs of a model.

    Args:
        model: an AudioToImage takes words, any other network images.
        data: ``mnist``, ``fashion_mnist``, ``mnist_subset``, or ``fsdd``, ``espeak``; or a folder.
        count: at most so many.

    Raises:
        InputError: for data that is not there, or of another size than the model's input.
    """
    if isinstance(model, AudioToImage):
        return _words(model, data, count)
    inputs: int = inference_layers(model)[0][0].in_features
    if data not in IMAGES and not Path(data).exists():
        raise InputError(f"Expected images of {list(IMAGES)} or a folder of them, got {data!r}")
    images = load_images(data if data in IMAGES else _folder(data, inputs), train=False)
    batch = image_batch(images, torch.arange(min(count, len(images))))
    values = batch.images.flatten(1)
    if values.shape[1] != inputs:
        raise InputError(
            f"Expected images of {inputs} values, which the network takes, got {list(batch.images.shape[1:])} of {data}"
        )
    return Samples(f"test images of {data}", values, batch.index)


def _folder(root: str, inputs: int) -> ImageFolder:
    for channels in (1, 3):
        side = math.isqrt(inputs // channels)
        if channels * side**2 == inputs:
            return ImageFolder(Path(root).absolute(), size=side, color=channels == 3)
    return ImageFolder(Path(root).absolute())


def _words(model: AudioToImage, data: str, count: int) -> Samples:
    if model.front_end is None:
        raise InputError("Expected a model that holds its front end, to start from sound, got one without")
    words = _corpus(data, count)
    front_end = build_front_end(model.front_end)
    spectrograms = [front_end(words.corpus[place][0], words.corpus.sample_rate) for place in words.places]
    return Samples(f"test words of {data}", torch.stack(spectrograms).flatten(1), torch.tensor(words.places))


def _corpus(data: str, count: int) -> Words:
    if data in CORPORA:
        found = find_test_words(count)[CORPORA.index(data)]
        if found is None:
            other = next(name for name in CORPORA if name != data)
            raise InputError(f"Expected the words of {data}, got none of them: give --data {other} or a folder")
        return found
    if not Path(data).exists():
        raise InputError(f"Expected words of {list(CORPORA)} or a folder of them, got {data!r}")
    corpus = AudioFolder(Path(data).absolute())
    split = corpus.official_split()
    return Words(corpus, spread(corpus, (torch.arange(len(corpus)) if split is None else split[1]).tolist(), count))


@torch.no_grad()
def count_costs(subject: Subject, samples: Samples) -> LayerCosts:
    """Means over the samples, see :func:`snn_synth.evaluation.layer_costs`.

    Raises:
        InputError: for more time steps than there is memory for.
    """
    operators = [operator for operator, _ in inference_layers(subject.model)]
    fan_outs = [operator.fan_out for operator in operators]
    neurons = samples.values.shape[1] + sum(operator.out_features for operator in operators)
    most = min(LONGEST, MOST // neurons)
    if not 1 <= subject.num_steps <= most:
        raise InputError(f"Expected 1 to {most} time steps with a model of this size, got {subject.num_steps}")
    size = min(BATCH, MOST // (neurons * subject.num_steps))
    parts = []
    for values, index in zip(samples.values.split(size), samples.places.split(size), strict=True):  # type: ignore[no-untyped-call]
        spikes = inference_spikes(subject.model, subject.encode(values, index))
        parts.append((len(index), layer_costs(spikes, fan_outs)))
    return mean_costs(parts)


def table(costs: LayerCosts) -> str:
    """Layers and their sum as lines of text.

    Example:
        >>> cost = {"neurons": 4.0, "spikes": 20.0, "operations": 60.0, "updates": 0.0, "macs": 12.0}
        >>> print(table({"input": cost}))
        layer  neurons  spikes  synaptic operations  membrane updates  conventional multiply-accumulates
        input        4    20.0                   60                 0                                 12
        all          4    20.0                   60                 0                                 12
    """
    heads = ("neurons", "spikes", "synaptic operations", "membrane updates", "conventional multiply-accumulates")
    rows = {name: _cells(cost) for name, cost in costs.items()}
    rows["all"] = _cells(total_cost(costs))
    widths = [max(len(head), *(len(row[place]) for row in rows.values())) for place, head in enumerate(heads)]
    first = max(len("layer"), *map(len, rows))
    lines = [(f"{'layer':<{first}}", heads), *((f"{name:<{first}}", row) for name, row in rows.items())]
    return "\n".join(
        "  ".join([name, *(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))]) for name, row in lines
    )


def _cells(cost: dict[str, float]) -> list[str]:
    return [
        f"{cost[key]:,.1f}" if key == "spikes" else f"{cost[key]:,.0f}"
        for key in ("neurons", "spikes", "operations", "updates", "macs")
    ]
