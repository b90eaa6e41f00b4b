"""What DataModules that validate on a part of their training set share."""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from snn_synth.data import random_split
from snn_synth.errors import InputError
from snn_synth.training.hparams import DataModule
from snn_synth.training.loaders import Batches, ResumableLoader


class SplitData(DataModule):
    """Base class: a training set, of which a part validates, and a test set, in batches.

    Args:
        batch_size: of one process.
        validation_fraction: share of each class of the training set that is held out, by seed; 0 validates nothing.
        seed: of the split and of the order.

    Raises:
        InputError: for a batch size below 1.
    """

    train_set: Any
    """With that to validate; known after ``setup``, as are the others."""
    test_set: Any
    train_index: Tensor
    """Places in ``train_set``."""
    validation_index: Tensor
    """Likewise."""

    def __init__(self, batch_size: int, validation_fraction: float, seed: int) -> None:
        """Check and keep the settings."""
        super().__init__()
        check_batch_size(batch_size)
        self.batch_size, self.validation_fraction, self.seed = batch_size, validation_fraction, seed

    @abstractmethod
    def batch(self, samples: Any, places: Tensor) -> Any:
        """The samples at some places of a set."""

    def train_dataloader(self) -> ResumableLoader:
        """Shuffled by (seed, epoch)."""
        return self._loader(self.train_set, self.train_index, shuffle=True)

    def val_dataloader(self) -> list[ResumableLoader]:
        """In order; none if nothing is held out."""
        return [self._loader(self.train_set, self.validation_index)] if len(self.validation_index) else []

    def test_dataloader(self) -> ResumableLoader:
        """In order."""
        return self._loader(self.test_set, torch.arange(len(self.test_set)))

    def predict_dataloader(self) -> DataLoader[Any]:
        """The test set."""
        return self.test_dataloader().plain()

    def _loader(self, samples: Any, index: Tensor, shuffle: bool = False) -> ResumableLoader:
        batches = Batches(index, lambda places: self.batch(samples, places))
        # In training, a last batch of few samples moves the weights as far as a full one, and undoes some of its work.
        return ResumableLoader(batches, self.batch_size, shuffle=shuffle, seed=self.seed, drop_last=shuffle)


def hold_out(
    index: Tensor, labels: Tensor, fraction: float, seed: int, setting: str = "fraction"
) -> tuple[Tensor, Tensor]:
    """Split the places ``index`` of a set by seed and label: the rest, and a fraction that may be 0.

    Raises:
        InputError: for a fraction of which a side stays empty, or a label has no place in the rest; names ``setting``.
    """
    if fraction == 0:
        return index, index[:0]
    try:
        rest, part = random_split(len(index), fraction, seed, labels=labels[index])
    except InputError as error:
        raise InputError(f"{error} (`{setting}`)") from error
    return index[rest], index[part]


def mixed(index: Tensor, seed: int) -> Tensor:
    """Places in another order, by seed: a set may be sorted by class, and pictures show the first batch.

    Example:
        >>> mixed(torch.tensor([10, 11, 12, 13]), seed=0).sort().values
        tensor([10, 11, 12, 13])
    """
    return index[torch.randperm(len(index), generator=torch.Generator().manual_seed(seed))]


def check_batch_size(batch_size: int) -> None:
    """Raise InputError unless it is at least 1."""
    if batch_size < 1:
        raise InputError(f"Expected `batch_size` to be at least 1, got {batch_size}")
