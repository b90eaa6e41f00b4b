"""The words that the demo tests on, and what its networks make of them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from snn_synth.data import FSDD, FrontEnd, MNISTSubset, SpokenWords, as_pixels
from snn_synth.data.perturbations import add_noise, surround
from snn_synth.encoding import sample_keys
from snn_synth.errors import InputError
from snn_synth.functional import best_of_class, gallery_mse, standardized_mse
from snn_synth.models import AEANN, AESNN
from snn_synth.training import LitAudiocoder, LitAudiocoderANN, SpokenDigitsData
from snn_synth.training.base import HELD_OUT
from snn_synth.training.loaders import SpeechBatch

NOISES: dict[str, Callable[[Tensor, int, int], Tensor]] = {
    "white noise, 10 dB below": lambda word, rate, seed: add_noise(word, rate, 10, seed=seed),
    "half a second of background before and after, 20 dB below": lambda word, rate, seed: surround(
        word, rate, -20, seed=seed
    ),
}
"""What words are heard with, of a waveform, its rate and a seed."""


class Words(NamedTuple):
    """Words that are tested on."""

    spectrograms: Tensor
    labels: Tensor
    waveforms: list[Tensor]
    sample_rate: int
    speakers: list[str]


class Networks(NamedTuple):
    """What is compared."""

    autoencoder: AESNN
    audiocoder: LitAudiocoder
    ann_autoencoder: AEANN
    ann: LitAudiocoderANN


def real_words(front_end: FrontEnd) -> Words | None:
    """The test words of FSDD, 300 of six people, if they are on this machine: nothing is downloaded."""
    try:
        corpus = FSDD(download=False)
    except InputError:
        return None
    split = corpus.official_split()
    assert split is not None
    return words_at(corpus, split[1], front_end)


def words_at(
    corpus: SpokenWords, places: Tensor, front_end: FrontEnd, noise: Callable[[Tensor, int, int], Tensor] | None = None
) -> Words:
    """The words at some places of a corpus, with a noise of `NOISES` if it is given."""
    waveforms = [corpus[place][0] for place in places.tolist()]
    if noise is not None:
        waveforms = [noise(one, corpus.sample_rate, seed) for seed, one in enumerate(waveforms)]
    return Words(
        torch.stack([front_end(one, corpus.sample_rate) for one in waveforms]),
        corpus.labels[places],
        waveforms,
        corpus.sample_rate,
        [corpus.speakers[place] for place in places.tolist()],
    )


@torch.no_grad()
def drawn_of(module: LightningModule, spectrograms: Tensor, labels: Tensor) -> Tensor:
    """Drawn images ``[N, 784]`` of words."""
    drawn = []
    for part in torch.split(torch.arange(len(labels)), 100):
        batch = SpeechBatch(spectrograms[part].float(), labels[part], part, part)
        drawn.append(module.predict_step(batch, 0).flatten(1))
    return torch.cat(drawn)


def _scores(module: LightningModule, spectrograms: Tensor, labels: Tensor, data: SpokenDigitsData) -> dict[str, float]:
    errors = gallery_mse(drawn_of(module, spectrograms, labels), data.gallery.flatten(1))
    error, _ = best_of_class(errors, labels, data.gallery_labels)
    nearest = data.gallery_labels[errors.argmin(1)] == labels
    return {"standardized_mse": error.mean().item(), "nearest_class": nearest.float().mean().item()}


def measure(data: SpokenDigitsData, real: Words | None, networks: Networks) -> dict[str, Any]:
    """Everything that the demo measures, of both kinds of networks.

    Args:
        data: that they were trained on; its test words and held-out voices are measured.
        real: words of real voices.
        networks: to measure.
    """
    module, ann = networks.audiocoder, networks.ann
    images = as_pixels(MNISTSubset(train=False).images)
    keys = sample_keys(module.seed, HELD_OUT, torch.arange(len(images)))
    redrawn = networks.autoencoder.reconstruct(images, module.hidden_steps, keys=keys)
    redrawn_ann = networks.ann_autoencoder.reconstruct(images)

    def both(spectrograms: Tensor, labels: Tensor) -> dict[str, Any]:
        return {
            "audio_to_image": _scores(module, spectrograms, labels, data),
            "ann": _scores(ann, spectrograms, labels, data),
            "utterances": len(labels),
        }

    heard, unheard = (
        both(data.spectrograms[places], data.corpus.labels[places]) for places in (data.test_index, data.held_out_index)
    )
    noisy = {}
    for name, noise in NOISES.items():
        words = words_at(data.corpus, data.held_out_index, data.front_end, noise)
        noisy[name] = both(words.spectrograms, words.labels)
    return {
        "autoencoder": {"standardized_mse": standardized_mse(redrawn, images).mean().item()},
        "audio_to_image": heard["audio_to_image"],
        "ann": heard["ann"] | {"autoencoder_standardized_mse": standardized_mse(redrawn_ann, images).mean().item()},
        "test_utterances": heard["utterances"],
        "held_out_voices": {"voices": data.held_out_speakers, **unheard},
        "noise": noisy,
        "real_voices": None if real is None else {"corpus": "FSDD", **both(real.spectrograms, real.labels)},
    }
