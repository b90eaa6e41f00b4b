"""The DataModule of spoken digits that are spikes of a cochlea, paired with images."""

import functools
from typing import Literal, get_args

import torch

from snn_synth.data import SHD, ImageDataset
from snn_synth.data.shd import Language
from snn_synth.errors import InputError
from snn_synth.training.cochlea import CochleaDigits
from snn_synth.training.images import load_images
from snn_synth.training.words import Pairing, Parts, classes_of

Split = Literal["official", "held-out-speakers"]


class SHDData(CochleaDigits):
    """Spoken digits of SHD as spikes of a cochlea, each paired with an image of its digit, as other spoken words are.

    SHD's own files are the split: two of its twelve speakers are in the test file alone.

    Args:
        root: folder with ``shd/shd_train.h5`` and ``shd/shd_test.h5``; ``SNN_SYNTH_DATA`` if not given, else the cache.
            They are not downloaded.
        language: ``english``, ``german`` or ``both``; the digits of both become the same images.
        images: ``mnist``, ``fashion_mnist`` or ``mnist_subset``, or any :class:`~snn_synth.data.ImageDataset`.
        pairing: ``A``, one image for each digit, its first; ``A-mean``, the one nearest its class mean; ``B``, another
            image of the digit for each word.
        split: ``official``, the test file is the test; ``held-out-speakers``, of the test file the words of speakers
            who are not in the training file, and the others' words are a second test, of heard voices.
        num_steps: T; that of the model.
        step: of a time step, in microseconds; what comes after T of them is left out.
        channels: 700, or a divisor of it: neighbouring units share one.
        validation_fraction: of the words of the training file; 0 validates nothing.
        batch_size: of one process.
        seed: of pairing, split and order.

    Raises:
        InputError: for settings that do not fit each other, and what :class:`snn_synth.data.SHD` refuses.

    Source:
        Cramer, Stradmann, Schemmel & Zenke 2020 (the data); Roy, Panda & Roy 2019, section 4.2.1 (the pairing).

    Example:
        >>> data = SHDData("/my/data", language="english", split="held-out-speakers", channels=350)
        >>> data.inputs, data.tests_unheard  # the files are read by `setup`, or a Trainer
        (350, True)
    """

    def __init__(
        self,
        root: str | None = None,
        language: Language = "both",
        images: ImageDataset | str = "mnist",
        pairing: Pairing = "A",
        split: Split = "official",
        num_steps: int = 50,
        step: int = 25_000,
        channels: int = 700,
        validation_fraction: float = 0.1,
        batch_size: int = 50,
        seed: int = 0,
    ) -> None:
        """Check and keep the settings."""
        super().__init__(root, images, pairing, num_steps, step, channels, validation_fraction, batch_size, seed)
        if split not in get_args(Split):
            raise InputError(f"Expected `split` of {list(get_args(Split))}, got {split!r}")
        self.language, self.split = language, split

    @property
    def tests_unheard(self) -> bool:
        """Whether the test is of the speakers who are in the test file alone."""
        return self.split == "held-out-speakers"

    def setup(self, stage: str) -> None:
        """Split the words and pair them with images."""
        if hasattr(self, "labels"):
            return
        train, test, images = self._sources
        self.languages = [*train.languages, *test.languages]
        self._join([train, test])
        classes = classes_of(train.names, images)
        self._arrange(self.labels, len(train.names), images, classes, self._divide(train, test))

    @functools.cached_property
    def _sources(self) -> tuple[SHD, SHD, ImageDataset]:
        """What all is made of, read once."""
        train, test = (
            SHD(self.root, part, self.language, self.num_steps, self.step, self.channels) for part in (True, False)
        )
        return train, test, load_images(self.image_source, True, self.root)

    def _divide(self, train: SHD, test: SHD) -> Parts:
        """Who trains and who tests; places in the training file's words and, after them, the test file's."""
        places = torch.arange(len(train) + len(test))
        heard = torch.tensor([speaker in set(train.speakers) for speaker in test.speakers])
        of_test = places[len(train) :]
        if self.tests_unheard and heard.all():
            raise InputError(
                "Expected speakers in shd_test.h5 who are not in shd_train.h5, for the split 'held-out-speakers', got "
                f"none among {', '.join(sorted(set(test.speakers)))}"
            )
        return Parts(places[: len(train)], of_test[heard] if self.tests_unheard else of_test, of_test[~heard])
