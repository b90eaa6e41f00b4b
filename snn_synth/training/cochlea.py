"""What the DataModules of spoken digits that are spikes of a cochlea share."""

from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from snn_synth.codec import PackedSpikes, unpack
from snn_synth.data import ImageDataset
from snn_synth.training.words import PairedWords, Pairing


class SpokenSpikes(NamedTuple):
    """Spikes ``[T, B, channels]``, labels, places in the corpus, and places of their images in the gallery."""

    labels: Tensor
    index: Tensor  # type: ignore[assignment]
    image: Tensor
    spikes: Tensor


class CochleaDigits(PairedWords):
    """Base class: spoken digits as spikes, each paired with an image of its digit.

    Args:
        root: folder with the data; ``SNN_SYNTH_DATA`` if not given, else the cache.
        images: by name, or a data set.
        pairing: see :class:`~snn_synth.training.words.PairedWords`.
        num_steps: T; that of the model.
        step: of a time step, in microseconds; what comes after T of them is left out.
        channels: 700, or a divisor of it: neighbouring units share one.
        validation_fraction: of the training words; 0 validates nothing.
        batch_size: of one process.
        seed: of pairing, split and order.
    """

    gives_spikes: ClassVar[bool] = True
    """Its batches have spikes, which nobody has to encode."""
    batch_kind = SpokenSpikes
    packed: PackedSpikes
    """Of all words; known after ``setup``, as are ``labels``."""
    labels: Tensor

    def __init__(
        self,
        root: str | None,
        images: ImageDataset | str,
        pairing: Pairing,
        num_steps: int,
        step: int,
        channels: int,
        validation_fraction: float,
        batch_size: int,
        seed: int,
    ) -> None:
        """Check and keep the settings."""
        super().__init__(images, pairing, validation_fraction, batch_size, root, seed)
        self.num_steps, self.step, self.channels, self.inputs = num_steps, step, channels, channels

    def _join(self, sets: Any) -> None:
        """Keep the words of several files, one after the other."""
        first = sets[0]
        self.names = first.names
        self.speakers = [speaker for part in sets for speaker in part.speakers]
        self.packed = first.packed._replace(data=torch.cat([part.packed.data for part in sets]))
        self.labels = torch.cat([part.labels for part in sets])

    def batch(self, places: Tensor) -> SpokenSpikes:
        """The words at some places."""
        spikes: Any = unpack(self.packed._replace(data=self.packed.data[places]))
        return SpokenSpikes(self.labels[places], places, self.image_of[places], spikes)
