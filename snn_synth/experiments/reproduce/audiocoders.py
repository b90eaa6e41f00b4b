"""Trials of audiocoders, spiking or not, each in front of the decoder of an autoencoder."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from snn_synth.data import LyonCochleagram, MelSpectrogram, SpectrogramAugmentation
from snn_synth.evaluation import inference_layers, inference_spikes
from snn_synth.experiments.reproduce.autoencoders import AutoencoderTrial
from snn_synth.experiments.reproduce.measure import AT_ONCE, Errors, means, speech_errors
from snn_synth.experiments.reproduce.recipes import LATER
from snn_synth.experiments.reproduce.trials import Trial
from snn_synth.experiments.reproduce.work import conventional_work, mean_work, spiking_work
from snn_synth.functional.encoding import RateCode
from snn_synth.functional.lif import Reset
from snn_synth.kernels import Precision
from snn_synth.models import ACANN, ACSNN, AEANN, AESNN, Audiocoder, ConvACSNN
from snn_synth.training import LitAudiocoder, LitAudiocoderANN, SpokenDigitsData
from snn_synth.training.base import HELD_OUT
from snn_synth.training.loaders import SpeechBatch
from snn_synth.training.words import Pairing

FRONT_ENDS = {"mel": MelSpectrogram, "lyon": LyonCochleagram}
WATCHED = 200  # test utterances
DRAWN = 5  # utterances of each digit, as in figure 9B


@dataclass(frozen=True)
class AudiocoderTrial(Trial):
    """An audiocoder on spoken digits paired with images.

    Args:
        recipe: how it is trained.
        autoencoder: spiking or not, and so is the audiocoder.
        pairing: the paper's data set, ``A`` or ``B``.
        corpus: of spoken digits: ``fsdd``, with its own split, ``espeak``, or ``fsdd+espeak-many``.
        hidden: neurons between spectrogram and code.
        num_steps: T of a spiking network.
        alpha: its leak.
        slope: steepness of its surrogate.
        bits: T_h of a spiking network; a conventional one's code is quantized to so many, or not.
        frames: of the spectrogram, which has 39 channels.
        batches: stop after so many, to know what an epoch would cost.
        search: leave the test set unread: train on nine tenths of the training utterances and measure on the rest.
        network: of a spiking audiocoder, ``fc`` (fully connected) or ``conv``, which has no `hidden`.
        norm: its batch norm.
        train_steps: T in its training, if it is another.
        direct: train it on the spectrogram as a constant input.
        augmentation: strength of the training's; 0 for none.
        held_out: speakers who are left out whole, and are measured as ``unheard`` beside ``test``.
        front_end: ``mel``, or ``lyon``, the paper's.
        precision: of a spiking network's products in training, see :class:`~snn_synth.training.spiking.LitSpiking`.
        reset: of a spiking audiocoder's neurons.
        learned: whether it learns a leak and a threshold of each.
        code: how its input becomes spikes.
    """

    autoencoder: AutoencoderTrial
    pairing: Pairing = "A"
    corpus: str = "fsdd"
    hidden: int = 512
    num_steps: int = 30
    alpha: float = 0.1
    slope: float = 1.0
    bits: int | None = None
    frames: int = 100
    batches: int | None = None
    search: bool = False
    network: Literal["fc", "conv"] = field(default="fc", metadata=LATER)
    norm: bool = field(default=False, metadata=LATER)
    train_steps: int | None = field(default=None, metadata=LATER)
    direct: bool = field(default=False, metadata=LATER)
    augmentation: float = field(default=0.0, metadata=LATER)
    held_out: tuple[str, ...] = field(default=(), metadata=LATER)
    front_end: Literal["mel", "lyon"] = field(default="mel", metadata=LATER)
    precision: Precision = field(default="float32", metadata=LATER)
    reset: Reset = field(default="zero", metadata=LATER)
    learned: bool = field(default=False, metadata=LATER)
    code: RateCode = field(default="poisson", metadata=LATER)

    @property
    def every(self) -> int:  # type: ignore[override]
        """Batches between two points of the curve: an epoch of FSDD in batches of 50; ten if one of many networks."""
        return 540 if self.held_out else 54

    @property
    def title(self) -> str:
        """Pairing, kind and size, and who is left out."""
        size = self.hidden if self.network == "fc" else self.network
        without = f"-without-{self.held_out[0]}" if len(self.held_out) == 1 else ""
        return f"speech-{self.pairing.lower()}-{self.autoencoder.kind}-{size}{without}"

    @property
    def limit(self) -> int | None:
        """Batches of an epoch, if not all of them."""
        return self.batches

    def quick(self) -> Self:
        """With a tenth of the epochs, or of the batches; of six networks that leave out a speaker each, less."""
        recipe, batches = replace(self.recipe, epochs=-(-self.recipe.epochs // 10)), self.batches and 2
        if self.held_out:
            recipe, batches = replace(self.recipe, epochs=1), 30
        return replace(self, autoencoder=self.autoencoder.quick(), recipe=recipe, batches=batches)

    def prepare(self, root: str | None) -> None:
        """Get recordings and images."""
        self.autoencoder.prepare(root)
        self.data(root, 0).prepare_data()

    def data(self, root: str | None, seed: int) -> SpokenDigitsData:
        """The utterances; some are held out only in a search, for else nothing is chosen."""
        return SpokenDigitsData(
            self.corpus,
            self.autoencoder.images,
            self.pairing,
            FRONT_ENDS[self.front_end](frames=self.frames),
            split="official" if "fsdd" in self.corpus else "random",
            held_out_speakers=list(self.held_out),
            validation_fraction=0.1 if self.search else 0,
            batch_size=self.recipe.batch_size,
            root=root,
            seed=seed,
        )

    def module(self, seed: int, data: SpokenDigitsData, trials: Path) -> LightningModule:
        """The untrained audiocoder with its trained autoencoder, and all that trains it."""
        folder = self.autoencoder.trained(seed, trials, data.root)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            augmentation = SpectrogramAugmentation(self.augmentation) if self.augmentation else None
            settings = {"augmentation": augmentation, "seed": seed, **self.recipe.factories()}
            if self.autoencoder.kind == "ann":
                network = ACANN(data.inputs, self.hidden, self.autoencoder.hidden)
                decoder = AEANN.from_pretrained(folder)
                steps = self.num_steps if self.autoencoder.spike_input else None
                return LitAudiocoderANN(network, decoder, data.gallery, self.bits, num_steps=steps, **settings)
            module = LitAudiocoder(
                self._network(data),
                hidden_steps=self.bits or self.autoencoder.num_steps,
                rule=self.recipe.rule,
                loss=self.recipe.loss,
                traces=self.recipe.traces,
                fresh_moments=self.recipe.fresh_moments,
                num_steps=self.num_steps,
                train_steps=self.train_steps,
                direct=self.direct,
                precision=self.precision,
                code=self.code,
                neuron_share=self.recipe.neuron_share,
                **settings,
            )
            module.adopt(AESNN.from_pretrained(folder))
        return module

    def _network(self, data: SpokenDigitsData) -> Audiocoder:
        code, alpha, slope = self.autoencoder.hidden, self.alpha, self.slope
        neurons: dict[str, Any] = {"reset": self.reset, "learned": self.learned}
        if self.network == "conv":
            return ConvACSNN(*data.front_end.shape, code=code, alpha=alpha, slope=slope, norm=self.norm, **neurons)
        return ACSNN(data.inputs, self.hidden, code, alpha=alpha, slope=slope, norm=self.norm, **neurons)

    def watch(self, module: LightningModule, data: SpokenDigitsData) -> dict[str, float]:
        """Errors of test utterances, which the paper's figure 10A shows; of held out ones in a search."""
        places = self._measured(data)
        return means(_parts(module, data, places[torch.linspace(0, len(places) - 1, WATCHED).long()]))

    def measure(self, module: LightningModule, data: SpokenDigitsData) -> dict[str, dict[str, float]]:
        """Errors on the test utterances, and on those of speakers who were left out.

        If nobody was, and all training utterances were seen, on these, against their paired images.
        """
        if self.search:
            return {"val": means(_parts(module, data, data.validation_index))}
        found = {"test": means(_parts(module, data, data.test_index))}
        if self.held_out:
            found["unheard"] = means(_parts(module, data, data.held_out_index))
        elif self.batches is None:
            found["train"] = means(_parts(module, data, data.train_index, paired=True))
        return found

    @property
    def further_parts(self) -> tuple[str, ...]:
        """The work of inference."""
        return () if self.search else ("inference",)

    @torch.no_grad()
    def further(self, module: Any, data: SpokenDigitsData) -> dict[str, dict[str, float]]:
        """From the spectrograms of the test utterances to their images."""
        if self.search:
            return {}
        work = []
        for places in data.test_index.split(AT_ONCE):  # type: ignore[no-untyped-call]
            batch = SpeechBatch(*(part.to(module.device) for part in data.batch(places)))
            if isinstance(module, LitAudiocoderANN):
                work.append(conventional_work(module, batch))
                continue
            model = module.audio_to_image()
            operators = [operator for operator, _ in inference_layers(model)]
            spikes = inference_spikes(model, module.encode(batch.spectrograms, batch.index, HELD_OUT))
            work.append(spiking_work([*spikes.values()], operators))
        return {"inference": mean_work(work)}

    def draw(self, module: LightningModule, data: SpokenDigitsData) -> npt.NDArray[np.float32]:
        """An image of each digit, and what is drawn of five utterances of it that were measured."""
        index, places = data.held_out_index if self.held_out else self._measured(data), []
        for digit in range(10):
            said = index[data.corpus.labels[index] == digit]
            places.append(said[torch.linspace(0, len(said) - 1, DRAWN).long()])
        drawn, _, _ = speech_errors(module, data, data.batch(torch.stack(places, 1).flatten()), paired=False)
        first = torch.stack([torch.nonzero(data.gallery_labels == digit)[0, 0] for digit in range(10)])
        rows = torch.cat([data.gallery[first].flatten(1), drawn.cpu()])
        return rows.reshape(1 + DRAWN, 10, 28, 28).numpy()

    def _measured(self, data: SpokenDigitsData) -> Tensor:
        return data.validation_index if self.search else data.test_index


def _parts(module: LightningModule, data: SpokenDigitsData, places: Tensor, paired: bool = False) -> Iterator[Errors]:
    for part in places.split(AT_ONCE):  # type: ignore[no-untyped-call]
        yield speech_errors(module, data, data.batch(part), paired)
