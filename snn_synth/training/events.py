"""DataModule of an event camera's recordings, each with the image that is to be drawn of it."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from snn_synth.data import MNISTDVS, as_pixels
from snn_synth.training.hparams import DataModule
from snn_synth.training.images import check_batch_size, hold_out, load_images
from snn_synth.training.loaders import Batches, ResumableLoader


class EventBatch(NamedTuple):
    """Images to draw ``[B, 1, H, W]`` in [0, 1], their labels, the recordings' places, and spikes ``[T, B, N]``."""

    images: Tensor
    labels: Tensor
    index: Tensor  # type: ignore[assignment]
    spikes: Tensor


class MNISTDVSData(DataModule):
    """Recordings of MNIST-DVS; the image to draw is the first training image of the digit, the same for all of them.

    Args:
        root: folder with the data; ``SNN_SYNTH_DATA`` if not given, else the cache. Recordings are not downloaded.
        images: ``mnist``, ``fashion_mnist`` or ``mnist_subset``: where the images come from.
        num_steps: T.
        step: of a time step, in microseconds.
        batch_size: of one process.
        validation_fraction: share of the training recordings that is held out, by seed; 0 validates nothing.
        seed: of the split and of the order.

    Raises:
        InputError: for a batch size below 1, and what :class:`snn_synth.data.MNISTDVS` refuses.

    Source:
        Skatchkovsky, Simeone & Jang 2021 (naturalization of neuromorphic images).
    """

    def __init__(
        self,
        root: str | None = None,
        images: str = "mnist",
        num_steps: int = 80,
        step: int = 25_000,
        batch_size: int = 32,
        validation_fraction: float = 0.1,
        seed: int = 0,
    ) -> None:
        """Keep the settings."""
        super().__init__()
        check_batch_size(batch_size)
        self.root, self.images, self.num_steps, self.step = root, images, num_steps, step
        self.batch_size, self.validation_fraction, self.seed = batch_size, validation_fraction, seed

    def prepare_data(self) -> None:
        """Download the images, in one process only, and look for the recordings."""
        load_images(self.images, True, self.root)
        self._recordings(True)

    def setup(self, stage: str) -> None:
        """Find the recordings, split, and keep the image of each digit."""
        if hasattr(self, "train_set"):
            return
        self.train_set, self.test_set = self._recordings(True), self._recordings(False)
        images = load_images(self.images, True, self.root)
        firsts = torch.stack([images.images[images.labels == label][0] for label in range(10)])
        self.drawn = as_pixels(firsts)
        everything = torch.arange(len(self.train_set))
        self.train_index, self.validation_index = hold_out(
            everything, self.train_set.labels, self.validation_fraction, self.seed
        )

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
        """The test recordings."""
        return self.test_dataloader().plain()

    def batch(self, recordings: MNISTDVS, places: Tensor) -> EventBatch:
        """The recordings at some places."""
        spikes = torch.stack([recordings[int(place)][0].flatten(1) for place in places], 1)
        labels = recordings.labels[places]
        return EventBatch(self.drawn[labels], labels, places, spikes)

    def _recordings(self, train: bool) -> MNISTDVS:
        return MNISTDVS(self.root, train, self.num_steps, self.step)

    def _loader(self, recordings: MNISTDVS, index: Tensor, shuffle: bool = False) -> ResumableLoader:
        batches = Batches(index, lambda places: self.batch(recordings, places))
        return ResumableLoader(batches, self.batch_size, shuffle=shuffle, seed=self.seed, drop_last=shuffle)
