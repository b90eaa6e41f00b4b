"""DataModule of drifting blobs."""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader

from snn_synth.data.blobs import drifting_blobs, pair_index
from snn_synth.errors import InputError
from snn_synth.training.hparams import DataModule
from snn_synth.training.loaders import Batches, ResumableLoader
from snn_synth.training.splits import check_batch_size

_HELD_OUT = 1_000  # sequences to validate, and as many to test


class SequenceBatch(NamedTuple):
    """Spike trains ``[T, B, N]``, which pair of neurons is to be told at each step ``[T, B]``, and their places."""

    spikes: Tensor
    targets: Tensor
    index: Tensor  # type: ignore[assignment]


class DriftingBlobsData(DataModule):
    """Two blobs at a time, each a spike of one neuron at each step; the target is which neurons see them, later.

    Args:
        sequences: to train on; 1,000 more validate, and 1,000 test.
        steps: T.
        neurons: N; there are N (N + 1) / 2 targets.
        delay: steps by which the target lies ahead of the input, or behind it where negative.
        batch_size: of one process.
        seed: of the blobs and of the order.

    Raises:
        InputError: for sequences, steps, neurons or a batch size below 1.

    Source:
        Skatchkovsky, Simeone & Jang 2021 (predictive coding).

    Example:
        >>> data = DriftingBlobsData(sequences=4, steps=6, batch_size=2)
        >>> data.setup("fit")
        >>> batch = next(iter(data.train_dataloader()))
        >>> batch.spikes.shape, batch.targets.shape
        (torch.Size([6, 2, 20]), torch.Size([6, 2]))
    """

    def __init__(
        self,
        sequences: int = 50_000,
        steps: int = 100,
        neurons: int = 20,
        delay: int = 0,
        batch_size: int = 50,
        seed: int = 0,
    ) -> None:
        """Keep the settings."""
        super().__init__()
        check_batch_size(batch_size)
        if min(sequences, steps, neurons) < 1:
            raise InputError(
                f"Expected sequences, steps and neurons of at least 1, got {sequences}, {steps} and {neurons}"
            )
        self.sequences, self.steps, self.neurons, self.delay = sequences, steps, neurons, delay
        self.batch_size, self.seed = batch_size, seed

    @property
    def pairs(self) -> int:
        """Targets, N (N + 1) / 2."""
        return self.neurons * (self.neurons + 1) // 2

    def setup(self, stage: str) -> None:
        """Let the blobs drift."""
        if hasattr(self, "places"):
            return
        count = self.sequences + 2 * _HELD_OUT
        places = drifting_blobs(2 * count, self.steps + abs(self.delay), self.neurons, self.seed)
        self.places = places.view(count, 2, -1)
        everything = torch.arange(count)
        self.train_index, self.validation_index = everything[: -2 * _HELD_OUT], everything[-2 * _HELD_OUT : -_HELD_OUT]
        self.test_index = everything[-_HELD_OUT:]

    def batch(self, index: Tensor) -> SequenceBatch:
        """The sequences at some places."""
        places = self.places[index]
        seen = places[..., max(-self.delay, 0) :][..., : self.steps]
        told = places[..., max(self.delay, 0) :][..., : self.steps]
        spikes = F.one_hot(seen, self.neurons).amax(1).float()
        return SequenceBatch(spikes.transpose(0, 1), pair_index(told[:, 0], told[:, 1], self.neurons).T, index)

    def train_dataloader(self) -> ResumableLoader:
        """Shuffled by (seed, epoch)."""
        return self._loader(self.train_index, shuffle=True)

    def val_dataloader(self) -> ResumableLoader:
        """In order."""
        return self._loader(self.validation_index)

    def test_dataloader(self) -> ResumableLoader:
        """In order."""
        return self._loader(self.test_index)

    def predict_dataloader(self) -> DataLoader[Any]:
        """The test sequences."""
        return self.test_dataloader().plain()

    def _loader(self, index: Tensor, shuffle: bool = False) -> ResumableLoader:
        return ResumableLoader(
            Batches(index, self.batch), self.batch_size, shuffle=shuffle, seed=self.seed, drop_last=shuffle
        )
