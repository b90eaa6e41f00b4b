"""DataModules of an event camera's recordings, whose spikes go into a network as they are."""

from abc import abstractmethod
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from snn_synth.data import MNISTDVS, NMNIST, as_pixels
from snn_synth.training.images import load_images
from snn_synth.training.splits import SplitData, hold_out, mixed


class EventBatch(NamedTuple):
    """Images to draw ``[B, 1, H, W]`` in [0, 1], their labels, the recordings' places, and spikes ``[T, B, N]``."""

    images: Tensor
    labels: Tensor
    index: Tensor  # type: ignore[assignment]
    spikes: Tensor


class EventData(SplitData):
    """Base class: recordings in batches to train, to validate and to test.

    Args:
        root: folder with the data; ``SNN_SYNTH_DATA`` if not given, else the cache. Recordings are not downloaded.
        num_steps: T.
        step: of a time step, in microseconds.
        batch_size: of one process.
        validation_fraction: share of the training recordings that is held out, by seed; 0 validates nothing.
        seed: of the split and of the order.

    Raises:
        InputError: for a batch size below 1.
    """

    gives_spikes: ClassVar[bool] = True
    """Its batches have spikes, which nobody has to encode."""

    def __init__(
        self,
        root: str | None,
        num_steps: int,
        step: int,
        batch_size: int,
        validation_fraction: float,
        seed: int,
    ) -> None:
        """Keep the settings."""
        super().__init__(batch_size, validation_fraction, seed)
        self.root, self.num_steps, self.step = root, num_steps, step

    @abstractmethod
    def recordings(self, train: bool) -> Any:
        """The recordings to train, or those to test; they have ``labels``."""

    def prepare_data(self) -> None:
        """Look for the recordings, and read what is read once, in one process only."""
        self.recordings(True)

    def setup(self, stage: str) -> None:
        """Find the recordings, and split."""
        if hasattr(self, "train_set"):
            return
        self.train_set, self.test_set = self.recordings(True), self.recordings(False)
        labels, everything = self.train_set.labels, torch.arange(len(self.train_set))
        self.train_index, self.validation_index = hold_out(everything, labels, self.validation_fraction, self.seed)


class MNISTDVSData(EventData):
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

    Example:
        >>> data = MNISTDVSData("/my/data", num_steps=40)  # the files are read by `setup`, or a Trainer
        >>> data.num_steps, data.gives_spikes
        (40, True)
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
        super().__init__(root, num_steps, step, batch_size, validation_fraction, seed)
        self.images = images

    def prepare_data(self) -> None:
        """Download the images, in one process only, and look for the recordings."""
        load_images(self.images, True, self.root)
        super().prepare_data()

    def setup(self, stage: str) -> None:
        """Find the recordings, split, and keep the image of each digit."""
        if hasattr(self, "train_set"):
            return
        super().setup(stage)
        images = load_images(self.images, True, self.root)
        firsts = torch.stack([images.images[images.labels == label][0] for label in range(10)])
        self.drawn = as_pixels(firsts)

    def recordings(self, train: bool) -> MNISTDVS:
        """The first nine tenths of each digit's, or the others."""
        return MNISTDVS(self.root, train, self.num_steps, self.step)

    def batch(self, samples: MNISTDVS, places: Tensor) -> EventBatch:
        """The recordings at some places, and the images of their digits."""
        spikes = torch.stack([samples[int(place)][0].flatten(1) for place in places], 1)
        labels = samples.labels[places]
        return EventBatch(self.drawn[labels], labels, places, spikes)


class NMNISTData(EventData):
    """Recordings of N-MNIST; the image to draw is the mean rate of each pixel, OFF events above ON events.

    Args:
        root: folder with ``nmnist/Train`` and ``nmnist/Test``; ``SNN_SYNTH_DATA`` if not given, else the cache.
            Recordings are not downloaded.
        num_steps: T; that of the model.
        step: of a time step, in microseconds; what comes after T of them is left out.
        batch_size: of one process.
        validation_fraction: share of the training recordings that is held out, by seed; 0 validates nothing.
        seed: of the split and of the order.

    Raises:
        InputError: for a batch size below 1, and what :class:`snn_synth.data.NMNIST` refuses.

    Example:
        >>> data = NMNISTData("/my/data", num_steps=10)  # the files are read by `setup`, or a Trainer
        >>> data.image_shape, data.gives_spikes
        ((1, 68, 34), True)
    """

    image_shape = (1, 68, 34)
    """Channels, height and width of the image to draw: 2 x 34 x 34 pixels, one polarity above the other."""

    def __init__(
        self,
        root: str | None = None,
        num_steps: int = 15,
        step: int = 21_000,
        batch_size: int = 50,
        validation_fraction: float = 0.1,
        seed: int = 0,
    ) -> None:
        """Keep the settings."""
        super().__init__(root, num_steps, step, batch_size, validation_fraction, seed)

    def setup(self, stage: str) -> None:
        """Find the recordings and split; those to validate are mixed, for pictures show the first batch."""
        if hasattr(self, "train_set"):
            return
        super().setup(stage)
        self.validation_index = mixed(self.validation_index, self.seed)

    def recordings(self, train: bool) -> NMNIST:
        """N-MNIST's own parts, binned once and kept on disk."""
        return NMNIST(self.root, train, self.num_steps, self.step)

    def batch(self, samples: NMNIST, places: Tensor) -> EventBatch:
        """The recordings at some places."""
        spikes = samples.spikes(places)
        return EventBatch(spikes.mean(0).view(-1, *self.image_shape), samples.labels[places], places, spikes)
