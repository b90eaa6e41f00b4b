"""The DataModule of Spiking Speech Commands' digits, paired with images."""

import functools

import torch

from snn_synth.data import SSC, ImageDataset
from snn_synth.training.cochlea import CochleaDigits
from snn_synth.training.images import load_images
from snn_synth.training.words import Pairing, Parts, classes_of


class SSCData(CochleaDigits):
    """The ten digits among the 35 words of SSC, each paired with an image of its digit, as :class:`SHDData` has them.

    SSC's three files are the split: no speaker is in two of them.

    Args:
        root: folder with ``ssc/ssc_train.h5``, ``ssc_valid.h5`` and ``ssc_test.h5``; ``SNN_SYNTH_DATA`` if not given,
            else the cache. They are not downloaded.
        images: ``mnist``, ``fashion_mnist`` or ``mnist_subset``, or any :class:`~snn_synth.data.ImageDataset`.
        pairing: ``A``, one image for each digit, its first; ``A-mean``, the one nearest its class mean; ``B``, another
            image of the digit for each word.
        num_steps: T; that of the model.
        step: of a time step, in microseconds; what comes after T of them is left out.
        channels: 700, or a divisor of it: neighbouring units share one.
        batch_size: of one process.
        seed: of pairing and order.

    Raises:
        InputError: for settings that do not fit each other, and what :class:`snn_synth.data.SSC` refuses.

    Source:
        Cramer, Stradmann, Schemmel & Zenke 2020 (the data); Roy, Panda & Roy 2019, section 4.2.1 (the pairing).

    Example:
        >>> data = SSCData("/my/data", pairing="B", channels=140)
        >>> data.inputs  # the files are read by `setup`, or a Trainer
        140
    """

    def __init__(
        self,
        root: str | None = None,
        images: ImageDataset | str = "mnist",
        pairing: Pairing = "A",
        num_steps: int = 50,
        step: int = 25_000,
        channels: int = 700,
        batch_size: int = 50,
        seed: int = 0,
    ) -> None:
        """Check and keep the settings."""
        super().__init__(root, images, pairing, num_steps, step, channels, 0.0, batch_size, seed)

    def setup(self, stage: str) -> None:
        """Pair the words with images."""
        if hasattr(self, "labels"):
            return
        *files, images = self._sources
        self._join(files)
        train, valid, test = torch.split(torch.arange(len(self.labels)), [len(file) for file in files])
        parts = Parts(train, test, test[:0], valid)
        self._arrange(self.labels, len(self.names), images, classes_of(self.names, images), parts)

    @functools.cached_property
    def _sources(self) -> tuple[SSC, SSC, SSC, ImageDataset]:
        """What all is made of, read once."""
        train, valid, test = (
            SSC(self.root, part, True, self.num_steps, self.step, self.channels) for part in ("train", "valid", "test")
        )
        return train, valid, test, load_images(self.image_source, True, self.root)
