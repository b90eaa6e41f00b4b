"""Trials of the network that predicts spikes: what it can tell of the past and of the future."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from snn_synth.experiments.reproduce.trials import Trial
from snn_synth.models import HybridPredictor
from snn_synth.models.time_decoder import Decoding
from snn_synth.training import DriftingBlobsData, LitHybridPredictor
from snn_synth.training.sequences import SequenceBatch

QUICK = 5_000  # sequences
WATCHED = 100  # sequences


@dataclass(frozen=True)
class PredictorTrial(Trial):
    """A hybrid network on drifting blobs.

    Args:
        recipe: how it is trained.
        delay: of the target.
        decoding: of the code.
        beta: what information costs.
        sequences: to train on.
        steps: T.
    """

    delay: int = 0
    decoding: Decoding = "linear"
    beta: float = 1e-2
    sequences: int = 50_000
    steps: int = 100

    every = 100
    """Batches between two points of the curve."""

    @property
    def title(self) -> str:
        """Delay and decoding."""
        return f"blobs-{self.decoding}-{self.delay}"

    def quick(self) -> Self:
        """With a tenth of the sequences."""
        return replace(self, sequences=QUICK)

    def prepare(self, root: str | None) -> None:
        """Nothing: the sequences are made."""

    def data(self, root: str | None, seed: int) -> DriftingBlobsData:
        """The sequences."""
        return DriftingBlobsData(
            self.sequences, self.steps, delay=self.delay, batch_size=self.recipe.batch_size, seed=seed
        )

    def module(self, seed: int, data: DriftingBlobsData, trials: Path) -> LitHybridPredictor:
        """The untrained network with all that trains it."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = HybridPredictor(decoding=self.decoding)
            return LitHybridPredictor(network, self.beta, seed=seed, **self.recipe.factories())

    def watch(self, module: LitHybridPredictor, data: DriftingBlobsData) -> dict[str, float]:
        """Accuracy on the first training sequences."""
        return {"accuracy": _accuracy(module, data.batch(torch.arange(min(WATCHED, self.sequences))))}

    @torch.no_grad()
    def measure(self, module: LitHybridPredictor, data: DriftingBlobsData) -> dict[str, dict[str, float]]:
        """How often both blobs are told right, beside always telling the most common pair; and the rate of the code."""
        batch = data.batch(data.test_index)
        told = batch.targets[module.network.window - 1 :].flatten()
        out = module.network(batch.spikes, torch.Generator().manual_seed(0))
        return {
            "test": {
                "accuracy": _accuracy(module, batch),
                "most_common": (told == told.mode().values).float().mean().item(),
                "rate": out.code.mean().item(),
            }
        }

    def draw(self, module: LitHybridPredictor, data: DriftingBlobsData) -> npt.NDArray[np.float32] | None:
        """Nothing: there are no images."""
        return None


@torch.no_grad()
def _accuracy(module: LitHybridPredictor, batch: SequenceBatch) -> float:
    told = module.predict_step(batch).T
    return (told == batch.targets[module.network.window - 1 :]).float().mean().item()
