"""The cost of a trained network's inference, and the size and quality of its stored hidden spikes."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from snn_synth.codec import pack, repeat_map, unpack
from snn_synth.evaluation import layer_costs, total_cost
from snn_synth.functional import standardized_mse
from snn_synth.models import SpikingAutoencoder
from snn_synth.training import LitAudiocoderANN, LitAutoencoderANN
from snn_synth.training.loaders import ImageBatch, SpeechBatch

STORED = (15, 10, 5, 2, 1)  # T_h, time steps of a stored map

Part = tuple[int, dict[str, float]]
"""How many samples were measured, and the means over them."""


def spiking_work(spikes: Sequence[Tensor], operators: Sequence[Any]) -> Part:
    """Work of a chain of spiking layers for one sample.

    Args:
        spikes: of the input and of each layer, ``[T, B, N]``.
        operators: of the layers, each with its ``fan_out``.

    Returns:
        ``spikes``; ``operations``, additions of a weight that a spike causes; ``updates`` of membranes, a product and a
        sum at every time step of every neuron.
    """
    layers = {str(place): fired for place, fired in enumerate(spikes)}
    total = total_cost(layer_costs(layers, [operator.fan_out for operator in operators]))
    return spikes[0].shape[1], {name: total[name] for name in ("spikes", "operations", "updates")}


def conventional_work(module: LitAutoencoderANN | LitAudiocoderANN, batch: ImageBatch | SpeechBatch) -> Part:
    """Multiply-accumulates, ``macs``, of a conventional network for one sample, as PyTorch counts them.

    Of images also ``inputs_not_zero``, the share of pixels whose products are not 0.
    """
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module.predict_step(batch)  # type: ignore[arg-type]
    found = {"macs": counter.get_total_flops() / 2 / len(batch.labels)}
    if isinstance(batch, ImageBatch):
        found["inputs_not_zero"] = (batch.images != 0).double().mean().item()
    return len(batch.labels), found


@torch.no_grad()
def stored_maps(network: SpikingAutoencoder, spikes: Tensor, images: Tensor) -> Part:
    """Hidden spikes of images as the codec stores them: bytes of each, and the error of what they still show.

    Args:
        network: the autoencoder.
        spikes: of the images, ``[T, B, 784]``.
        images: ``[B, 784]``.

    Returns:
        ``bytes, T_h = 15`` and ``standardized_mse, T_h = 15``, where the stored map is shown again and again for T
        steps, and so for each T_h up to T.
    """
    found, hidden = {}, network.encode(spikes)
    for steps in (steps for steps in STORED if steps <= len(spikes)):
        packed = pack(hidden[:steps])
        shown = network.decode(repeat_map(unpack(packed), len(spikes)).to(hidden.device)).sum(0)
        found[f"bytes, T_h = {steps}"] = float(packed.data.shape[1])
        found[f"standardized_mse, T_h = {steps}"] = standardized_mse(shown, images).mean().item()
    return len(images), found


def mean_work(parts: Iterable[Part]) -> dict[str, float]:
    """Means over the samples of all parts.

    Example:
        >>> mean_work([(1, {"spikes": 2.0}), (3, {"spikes": 6.0})])
        {'spikes': 5.0}
    """
    sums: dict[str, float] = {}
    samples = 0
    for count, found in parts:
        samples += count
        for name, value in found.items():
            sums[name] = sums.get(name, 0.0) + count * value
    return {name: value / samples for name, value in sums.items()}
