"""The pictures and words of the demo's report."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import soundfile
import torch
from torch import Tensor

from snn_synth import plot
from snn_synth.data import DIGIT_WORDS, MNISTSubset, as_pixels
from snn_synth.encoding import sample_keys
from snn_synth.experiments.demo_words import Words, drawn_of, words_at
from snn_synth.files import atomic_write
from snn_synth.training import LitAudiocoder, SpokenDigitsData
from snn_synth.training.base import HELD_OUT

PER_DIGIT = 5  # as the paper's figure 9B
EXAMPLES = (2, 7, 4)  # digits of which the report shows every step from sound to image
REAL = 7  # and that of a real voice


def draw_sections(
    data: SpokenDigitsData,
    real: Words | None,
    module: LitAudiocoder,
    metrics: dict[str, Any],
    pictures: Path,
    sounds: Path,
) -> list[dict[str, Any]]:
    """Draw every picture of the report.

    Args:
        data: that the networks were trained on.
        real: words of real voices.
        module: the audiocoder with its autoencoder.
        metrics: what was measured.
        pictures: folder for them.
        sounds: folder for the words that can be heard.

    Returns:
        The report's sections: each a title, a text, and ``pictures`` or ``words`` (files).
    """
    test = MNISTSubset(train=False)
    shown = torch.cat([torch.nonzero(test.labels == digit)[:1, 0] for digit in range(10)])
    images = as_pixels(test.images[shown])
    a2i = module.audio_to_image()
    redrawn = a2i.autoencoder.reconstruct(images, module.hidden_steps, keys=sample_keys(module.seed, HELD_OUT, shown))
    plot.save_figure(plot.reconstructions(images, redrawn), pictures / "reconstructions.png")

    def grid(name: str, spectrograms: Tensor, labels: Tensor) -> Path:
        places = _some_of_each(labels)
        drawn = drawn_of(module, spectrograms[places.flatten()], labels[places.flatten()])
        plot.save_figure(plot.digit_grid(drawn.reshape(10, PER_DIGIT, 28, 28)), pictures / f"{name}.png")
        return pictures / f"{name}.png"

    heard, unheard = (
        grid(name, data.spectrograms[index], data.corpus.labels[index])
        for name, index in (("heard", data.test_index), ("unheard", data.held_out_index))
    )
    of_digits = [data.test_index[data.corpus.labels[data.test_index] == digit] for digit in EXAMPLES]
    chosen = [words[digit % len(words)] for digit, words in zip(EXAMPLES, of_digits, strict=True)]
    spoken = words_at(data.corpus, torch.stack(chosen), data.front_end)
    examples = [
        _sound_to_image(module, spoken, place, data.gallery[digit, 0], pictures, sounds / f"{DIGIT_WORDS[digit]}.wav")
        for place, digit in enumerate(EXAMPLES)
    ]
    bars = {
        "audio to image\nSNN": metrics["audio_to_image"]["standardized_mse"],
        "audio to image\nANN": metrics["ann"]["standardized_mse"],
        "autoencoder\nSNN": metrics["autoencoder"]["standardized_mse"],
        "autoencoder\nANN": metrics["ann"]["autoencoder_standardized_mse"],
    }
    plot.save_figure(plot.comparison_bars(bars, "standardized test MSE"), pictures / "comparison.png")
    return [
        {
            "title": "From a word to an image",
            "text": "A test word, its mel spectrogram, the Poisson spikes of its values, the hidden spikes that the "
            "audiocoder makes of them, and what the autoencoder's decoder draws from these: the rate at which each "
            f"pixel fires over {module.num_steps} time steps, the fastest one white.",
            "words": examples,
        },
        {
            "title": "Five test words of each digit",
            "text": "As in the paper's figure 9B (dataset A): voices known from training, other recordings.",
            "pictures": [heard],
        },
        {
            "title": "Synthetic voices never heard in training",
            "text": f"The same for {len(data.held_out_speakers)} voices that were left out whole, such as "
            f"{data.held_out_speakers[0]} and {data.held_out_speakers[-1]} (espeak-ng's names).",
            "pictures": [unheard],
        },
        *([] if real is None else [_real_section(module, real, data, pictures, grid, metrics)]),
        {
            "title": "The autoencoder alone",
            "text": f"Test images and their reconstruction from {module.hidden_steps} time steps of spikes.",
            "pictures": [pictures / "reconstructions.png"],
        },
        {
            "title": "Beside conventional networks of the same size",
            "text": "Trained in the same run: the same layers with ReLU instead of spiking neurons, and for as many "
            "epochs on the same words with the same augmentation. Lower is better; a silent output scores 1.",
            "pictures": [pictures / "comparison.png"],
        },
    ]


def _real_section(
    module: LitAudiocoder,
    real: Words,
    data: SpokenDigitsData,
    pictures: Path,
    grid: Callable[[str, Tensor, Tensor], Path],
    metrics: dict[str, Any],
) -> dict[str, Any]:
    place = int(torch.nonzero(real.labels == REAL)[0])
    share = metrics["real_voices"]["audio_to_image"]["nearest_class"]
    return {
        "title": "Real people, never heard in training",
        "text": f"Test words of the Free Spoken Digit Dataset (Z. Jackson and others, CC BY-SA 4.0), six people at a "
        f"telephone's sample rate. {share:.0%} of {len(real.labels)} are nearest to their own digit.",
        "words": [_sound_to_image(module, real, place, data.gallery[REAL, 0], pictures, pictures / "real.wav")],
        "pictures": [grid("real", real.spectrograms, real.labels)],
    }


def _some_of_each(labels: Tensor) -> Tensor:
    """Places of a few words of each digit, spread over all: ``[10, PER_DIGIT]``."""
    rows = []
    for digit in range(10):
        places = torch.nonzero(labels == digit).flatten()
        rows.append(places[torch.linspace(0, len(places) - 1, PER_DIGIT).long()])
    return torch.stack(rows)


def _sound_to_image(
    module: LitAudiocoder, words: Words, place: int, target: Tensor, pictures: Path, sound: Path
) -> dict[str, Any]:
    """Draw each step from one word's sound to its image, and save the sound: an entry of the report."""
    keys = sample_keys(module.seed, HELD_OUT, torch.tensor([place]))
    stages = module.audio_to_image()(words.spectrograms[place : place + 1].float(), module.num_steps, keys=keys)
    word, samples = DIGIT_WORDS[int(words.labels[place])], words.waveforms[place]
    figure = plot.word_to_image(
        samples,
        words.sample_rate,
        words.spectrograms[place],
        stages.input_spikes[:, 0],
        stages.hidden[:, 0],
        stages.images[0, 0],
        target,
        title=f"“{word}”, voice {words.speakers[place]}",
    )
    picture, animation = pictures / f"{sound.stem}-way.png", pictures / f"{sound.stem}-forming.gif"
    plot.save_figure(figure, picture)
    plot.save_animation(plot.image_forming(stages.output_spikes[:, 0]), animation)
    with atomic_write(sound) as draft:
        soundfile.write(draft, samples.numpy(), words.sample_rate, format="WAV", subtype="PCM_16")
    return {"word": word, "picture": picture, "animation": animation, "sound": sound}
