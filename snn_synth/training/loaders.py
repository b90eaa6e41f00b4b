"""Batches whose order depends on (seed, epoch) alone, and which a killed run takes up where it stopped."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler


class ImageBatch(NamedTuple):
    """Images ``[B, C, H, W]`` in [0, 1], their labels, and their places in the data set.

    Example:
        >>> batch = ImageBatch(torch.rand(2, 1, 28, 28), labels=torch.tensor([7, 2]), index=torch.tensor([0, 1]))
        >>> batch.images.shape, batch.labels.tolist()
        (torch.Size([2, 1, 28, 28]), [7, 2])
    """

    images: Tensor
    labels: Tensor
    index: Tensor  # type: ignore[assignment]


class SpeechBatch(NamedTuple):
    """Spectrograms ``[B, C, F]`` in [0, 1], labels, places in the corpus, and places of their images in the gallery.

    Example:
        >>> labels, index = torch.tensor([7, 2]), torch.tensor([0, 1])
        >>> batch = SpeechBatch(torch.rand(2, 39, 100), labels, index, image=labels)  # an image for each digit
        >>> batch.spectrograms.shape, batch.image.tolist()
        (torch.Size([2, 39, 100]), [7, 2])
    """

    spectrograms: Tensor
    labels: Tensor
    index: Tensor  # type: ignore[assignment]
    image: Tensor


class Batches(Dataset[Any]):
    """A data set that is asked for whole batches.

    Args:
        index: places of the samples of this split.
        fetch: gives the batch of some places.
    """

    def __init__(self, index: Tensor, fetch: Callable[[Tensor], Any]) -> None:
        """Keep both."""
        self.index = index
        self.fetch = fetch

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, positions: list[int]) -> Any:
        return self.fetch(self.index[positions])


class BatchSampler(DistributedSampler[Any]):
    """Lists of positions: a permutation by (seed, epoch), cut into batches, each shared among the ranks.

    Two ranks with batches of 50 see, step by step, the samples of one rank with batches of 100. A DistributedSampler,
    so that Lightning sets its epoch and puts no other in its place.

    Args:
        size: number of samples.
        batch_size: of one rank.
        shuffle: else in order.
        seed: of the permutations.
        distributed: False gives every rank all samples.
        drop_last: leave out a last batch that is not full, unless it is the only one.

    Example:
        >>> list(BatchSampler(5, batch_size=2, shuffle=False, seed=0))
        [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        size: int,
        batch_size: int,
        shuffle: bool,
        seed: int,
        distributed: bool = True,
        drop_last: bool = False,
    ) -> None:
        """Ask torch.distributed for rank and number of ranks, if it runs."""
        ranked = distributed and dist.is_available() and dist.is_initialized()
        ranks, rank = (dist.get_world_size(), dist.get_rank()) if ranked else (1, 0)
        super().__init__(range(size), ranks, rank, shuffle=shuffle, seed=seed)  # type: ignore[arg-type]
        self.batch_size = batch_size
        self.drop_ragged = (
            drop_last and size >= batch_size * ranks
        )  # not `drop_last`, which is DistributedSampler's own
        self.first = 0

    def __len__(self) -> int:
        joint = self.batch_size * self.num_replicas
        return self.total_size // joint if self.drop_ragged else -(-self.total_size // joint)

    def __iter__(self) -> Iterator[list[int]]:
        size = len(self.dataset)  # type: ignore[arg-type]
        order = torch.arange(size)
        if self.shuffle:
            order = torch.randperm(size, generator=torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch))
        order = torch.cat([order, order[: self.total_size - size]])  # every rank gets as many
        joint = self.batch_size * self.num_replicas
        for start in range(self.first * joint, len(self) * joint, joint):
            yield order[start : start + joint].chunk(self.num_replicas)[self.rank].tolist()


class ResumableLoader(DataLoader[Any]):
    """A DataLoader that knows how many batches it has given, so that Lightning can save and restore it.

    Args:
        batches: the data.
        batch_size: of one rank.
        shuffle: by (seed, epoch).
        seed: of the order.
        distributed: False gives every rank all samples.
        drop_last: leave out a last batch that is not full, unless it is the only one.
        sampler: left to this class; Lightning gives it where it makes the loader anew, in order, to overfit or predict.
        batch_sampler: the same.

    Example:
        >>> loader = ResumableLoader(Batches(torch.arange(6), lambda index: index), batch_size=2)
        >>> batches = iter(loader)
        >>> next(batches), loader.state_dict()
        (tensor([0, 1]), {'batches': 1})
        >>> again = ResumableLoader(Batches(torch.arange(6), lambda index: index), batch_size=2)
        >>> again.load_state_dict({"batches": 1})
        >>> list(again)
        [tensor([2, 3]), tensor([4, 5])]
    """

    def __init__(
        self,
        batches: Batches,
        batch_size: int,
        *,
        shuffle: bool = False,
        seed: int = 0,
        distributed: bool = True,
        drop_last: bool = False,
        sampler: Any = None,
        batch_sampler: Any = None,
    ) -> None:
        """Make the sampler."""
        sampler = BatchSampler(len(batches), batch_size, shuffle, seed, distributed, drop_last)
        super().__init__(batches, batch_size=None, sampler=sampler)
        self._given = 0
        self._resume_at = 0

    def __iter__(self) -> Any:
        self.sampler.first = self._given = self._resume_at  # type: ignore[attr-defined]
        self._resume_at = 0
        for batch in super().__iter__():
            self._given += 1
            yield batch

    def plain(self) -> DataLoader[Any]:
        """The same batches from a DataLoader as Lightning expects it to predict, where it makes the loader anew."""
        return DataLoader(self.dataset, batch_size=None, sampler=self.sampler)

    def state_dict(self) -> dict[str, int]:
        """How many batches of this epoch have been given."""
        return {"batches": self._given}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Start the next epoch after so many batches; a full epoch means a new one."""
        self._resume_at = state["batches"] % len(self)
