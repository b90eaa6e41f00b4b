"""Spoken words to new images, and beside it the network that learned one image for each utterance."""

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from snn_synth.data import MelSpectrogram, as_pixels
from snn_synth.evaluation import sample_quality
from snn_synth.experiments.reproduce.audiocoders import AudiocoderTrial
from snn_synth.experiments.reproduce.diffusion import VQDTrial
from snn_synth.experiments.reproduce.experiment import Experiment
from snn_synth.experiments.reproduce.generators import GENERATORS
from snn_synth.experiments.reproduce.images import classifier_of
from snn_synth.experiments.reproduce.recipes import Recipe
from snn_synth.experiments.reproduce.rows import SPEECH_B
from snn_synth.experiments.reproduce.trials import Trial
from snn_synth.functional import variance_ratio
from snn_synth.models import AudioToImage, CodeCondition, SpikingVQDiffusion
from snn_synth.models.vq_diffusion import GUIDANCE
from snn_synth.training import LitAudiocoder, LitSpokenDiffusion, SpokenDigitsData
from snn_synth.training.base import HELD_OUT
from snn_synth.training.images import load_images

EACH = 5  # images of an utterance
DIGITS = 10


@dataclass(frozen=True)
class WordTrial(Trial):
    """What both have in common: several images of each test utterance of FSDD, and what is measured of them."""

    @property
    def limit(self) -> int | None:
        """Batches of an epoch: all."""
        return None

    def prepare(self, root: str | None) -> None:
        """Get recordings, images and the networks that measure."""
        self.data(root, 0).prepare_data()
        classifier_of("mnist", deep=True)

    def watch(self, module: Any, data: SpokenDigitsData) -> dict[str, float]:
        """Nothing."""
        return {}

    @abstractmethod
    def images(self, module: Any, data: SpokenDigitsData, places: Tensor) -> Tensor:
        """Of each of some utterances ``[B, EACH, 1, 28, 28]``, always the same."""

    @torch.no_grad()
    def measure(self, module: Any, data: SpokenDigitsData) -> dict[str, dict[str, float]]:
        """How good the images of the test utterances are, how they vary among a digit's, and among an utterance's."""
        places = data.test_index
        images = self.images(module, data, places)
        words = data.corpus.labels[places]
        train, test = data.image_set, load_images(data.image_source, False, data.root)
        real, labels = as_pixels(test.images), words.repeat_interleave(EACH)
        found = sample_quality(
            images.flatten(0, 1),
            real,
            as_pixels(train.images),
            train.labels,
            classifier_of("mnist"),
            classifier_of("mnist", deep=True),
            labels,
            test.labels,
        )
        # Around the mean of its own five images, of which the variance is 4/5.
        apart = images - images.mean(1, keepdim=True)
        among = variance_ratio(apart.flatten(0, 1), labels, real, test.labels, DIGITS) * EACH / (EACH - 1)
        return {"test": found | {"utterance_variance": float(among)}}

    @torch.no_grad()
    def draw(self, module: Any, data: SpokenDigitsData) -> npt.NDArray[np.float32]:
        """An image of each digit, and all images of one test utterance of it."""
        labels = data.corpus.labels[data.test_index]
        places = torch.stack([data.test_index[labels == digit][0] for digit in range(DIGITS)])
        first = torch.stack([data.gallery[data.gallery_labels == digit][0] for digit in range(DIGITS)])
        rows = torch.cat([first[None], self.images(module, data, places).transpose(0, 1)])
        return rows.squeeze(2).numpy()


@dataclass(frozen=True)
class SpokenDiffusionTrial(WordTrial):
    """A condition between a trained audiocoder and a trained VQ-diffusion.

    Args:
        recipe: how it is trained.
        diffusion: trained first.
        audio: the audiocoder, by the name under which it comes with the package.
        guidance: of the images.
    """

    diffusion: VQDTrial = field(kw_only=True)
    audio: str = "fsdd"
    guidance: float = GUIDANCE

    @property
    def title(self) -> str:
        """Audiocoder and diffusion."""
        return f"spoken-{self.audio}-{self.diffusion.title}"

    def quick(self) -> Self:
        """For two epochs, with a diffusion that trains a tenth as long."""
        return replace(self, recipe=replace(self.recipe, epochs=2), diffusion=self.diffusion.quick())

    def prepare(self, root: str | None) -> None:
        """Get the data of the diffusion, too."""
        super().prepare(root)
        self.diffusion.prepare(root)

    def data(self, root: str | None, seed: int) -> SpokenDigitsData:
        """FSDD and its split; none held out, for nothing is chosen."""
        return SpokenDigitsData(
            "fsdd",
            self.diffusion.images,
            front_end=MelSpectrogram(),
            validation_fraction=0,
            batch_size=self.recipe.batch_size,
            root=root,
            seed=seed,
        )

    def module(self, seed: int, data: SpokenDigitsData, trials: Path) -> LitSpokenDiffusion:
        """The untrained condition with all that trains it."""
        folder = self.diffusion.trained(seed, trials, data.root)
        settings = {"guidance": self.guidance, "seed": seed, **self.recipe.factories()}
        module = LitSpokenDiffusion(CodeCondition(), self.audio, str(folder), **settings)
        module.adopt(AudioToImage.from_pretrained(self.audio), SpikingVQDiffusion.from_pretrained(folder))
        return module

    def images(self, module: LitSpokenDiffusion, data: SpokenDigitsData, places: Tensor) -> Tensor:
        """New ones."""
        spoken, generator = module.spoken_diffusion(), torch.Generator().manual_seed(0)
        rates = torch.cat([module.rates_of(data.batch(part)) for part in places.split(100)])  # type: ignore[no-untyped-call]
        parts = rates.split(100)  # type: ignore[no-untyped-call]
        return torch.cat([spoken.imagine(part, EACH, generator) for part in parts])


@dataclass(frozen=True)
class DrawnTrial(WordTrial):
    """The paper's way: an audiocoder of data set B, whose decoder draws each utterance from other input spikes.

    Args:
        recipe: of the audiocoder.
        audiocoder: which is trained.
    """

    audiocoder: AudiocoderTrial = field(kw_only=True)

    @property
    def title(self) -> str:
        """The audiocoder's."""
        return f"drawn-{self.audiocoder.title}"

    def quick(self) -> Self:
        """With a tenth of the epochs."""
        shorter = self.audiocoder.quick()
        return replace(self, recipe=shorter.recipe, audiocoder=shorter)

    def prepare(self, root: str | None) -> None:
        """Get the data of the autoencoder, too."""
        super().prepare(root)
        self.audiocoder.prepare(root)

    def data(self, root: str | None, seed: int) -> SpokenDigitsData:
        """The audiocoder's."""
        return self.audiocoder.data(root, seed)

    def module(self, seed: int, data: SpokenDigitsData, trials: Path) -> Any:
        """The untrained audiocoder with all that trains it."""
        return self.audiocoder.module(seed, data, trials)

    def images(self, module: LitAudiocoder, data: SpokenDigitsData, places: Tensor) -> Tensor:
        """The same image, as far as the input's spikes leave it so."""
        model, batch = module.audio_to_image().eval(), data.batch(places)
        shown = [module.encode(batch.spectrograms, batch.index, HELD_OUT - number) for number in range(EACH)]
        return torch.stack([model.draw(spikes).images for spikes in shown], 1)


_DIFFUSION = GENERATORS["vq-diffusion"].variants["MNIST"]
assert isinstance(_DIFFUSION, VQDTrial)
_B = SPEECH_B["SNN best"]

SPOKEN = {
    "spoken-diffusion": Experiment(
        "A spoken digit to five new images: the code of the audiocoder that comes with the package is the condition of "
        "a VQ-diffusion; beside it the network that learned another image for each utterance (data set B).",
        {
            "VQ-diffusion": SpokenDiffusionTrial(
                Recipe(lr=2e-2, weight_decay=1e-3, one_cycle=True, epochs=25, batch_size=50), diffusion=_DIFFUSION
            ),
            "data set B's network": DrawnTrial(_B.recipe, audiocoder=_B),
        },
        minutes=(3, 30),
        measures=("test/right", "test/sure", "test/pixel_variance", "test/utterance_variance"),
        also=("test/sure_second", "test/feature_variance", "test/distinct", "test/nearest_ratio"),
    )
}
