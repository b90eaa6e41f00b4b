"""The demo: speech to image in a few minutes, on data that needs no download."""

import functools
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import soundfile
import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from torch import Tensor

from snn_synth import plot
from snn_synth.data import DIGIT_WORDS, MNISTSubset, as_pixels
from snn_synth.encoding import sample_keys
from snn_synth.experiments.record import versions
from snn_synth.experiments.report import write_report
from snn_synth.files import atomic_write, sole_writer
from snn_synth.functional import best_of_class, gallery_mse, standardized_mse
from snn_synth.models import ACANN, ACSNN, AEANN, AESNN, AudioToImage
from snn_synth.training import (
    AtomicCheckpointIO,
    LitAudiocoder,
    LitAudiocoderANN,
    LitAutoencoderANN,
    MNISTSubsetData,
    SpokenDigitsData,
)
from snn_synth.training.base import HELD_OUT
from snn_synth.training.console import quiet_lightning
from snn_synth.training.loaders import SpeechBatch
from snn_synth.training.pretraining import pretrain_autoencoder

HELD_OUT_VOICES = ["en-us+m3", "en+f4"]
HIDDEN = 512
AUTOENCODER_EPOCHS = 8
AUDIOCODER_EPOCHS = 4
IMAGE_STEPS, SPEECH_STEPS = 15, 30
SEED = 0
PER_DIGIT = 5  # as the paper's figure 9B
JOURNEYS = (2, 7, 4)  # digits whose way from sound to image the report shows


def run(out: Path) -> dict[str, Any]:
    """Train an autoencoder and an audiocoder on the embedded data, and write a report with pictures.

    Two of the sixteen voices are left out whole, and 15 % of the utterances of the others; both are only tested on.

    Args:
        out: folder for ``report.html``, its pictures, ``metrics.json``, the autoencoder and ``audiocoder.ckpt``.

    Returns:
        What ``metrics.json`` holds.

    Raises:
        InputError: if the extra ``demo`` is not installed, or ``out`` cannot be written.
    """
    seconds: dict[str, float] = {}
    start = time.perf_counter()
    with (
        atomic_write(out / "metrics.json") as draft,
        sole_writer(out),
    ):  # finds out at once whether `out` can be written
        seed_everything(SEED, verbose=False)
        with _stage("speak: 16 voices say 4,160 digits", "speak", seconds):
            data = SpokenDigitsData(
                corpus="espeak",
                images="mnist_subset",
                split="random",
                held_out_speakers=HELD_OUT_VOICES,
                validation_fraction=0,
                seed=SEED,
            )
            data.prepare_data()
            data.setup("fit")
        with _stage("autoencoder: learns to redraw digits from spikes", "autoencoder", seconds):
            autoencoder = pretrain_autoencoder(
                data.image_set, out / "autoencoder", epochs=AUTOENCODER_EPOCHS, seed=SEED
            )
        with _stage("audiocoder: learns to speak the autoencoder's spikes", "audiocoder", seconds):
            module = _train_audiocoder(data, out)
        with _stage("ann: a conventional network of the same size", "ann", seconds):
            ann, ann_autoencoder = _train_ann(data)
        with _stage("report: test, pictures", "report", seconds):
            metrics = _measure(data, autoencoder, module, ann, ann_autoencoder)
            sections = _draw(data, module, out, metrics)
        seconds["total"] = time.perf_counter() - start
        metrics |= {
            "seconds": {name: round(value, 1) for name, value in seconds.items()},
            "command": "snn-synth demo",
            "versions": versions(),
        }
        write_report(out / "report.html", metrics, sections)
        draft.write_text(json.dumps(metrics, indent=2) + "\n")
    print(
        f"\nImages that a spiking network drew from spoken words: {out / 'report.html'}\n"
        f"MSE {metrics['audio_to_image']['mse']:.3f}, nearest to their own digit "
        f"{metrics['audio_to_image']['nearest_class']:.1%}; an ANN of the same size {metrics['ann']['mse']:.3f}\n"
        f"Your own recording of a digit: snn-synth synthesize --checkpoint {out / 'audiocoder.ckpt'} "
        f"--out {out / 'mine'} FILE.wav"
    )
    return metrics


@contextmanager
def _stage(title: str, name: str, seconds: dict[str, float]) -> Iterator[None]:
    print(f"\n[{len(seconds) + 1}/5] {title}", file=sys.stderr, flush=True)
    start = time.perf_counter()
    with quiet_lightning():
        yield
    seconds[name] = time.perf_counter() - start


def _trainer(epochs: int, out: Path | None = None) -> Trainer:
    return Trainer(
        max_epochs=epochs,
        accelerator="auto",
        devices=1,
        default_root_dir=out,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        plugins=[AtomicCheckpointIO()],
    )


def _recipe(lr: float) -> dict[str, Any]:
    return {
        "optimizer": functools.partial(torch.optim.AdamW, lr=lr, weight_decay=1e-4, fused=True),
        "lr_scheduler": functools.partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=lr),
    }


def _train_audiocoder(data: SpokenDigitsData, out: Path) -> LitAudiocoder:
    network = ACSNN(data.inputs, HIDDEN, 196)
    module = LitAudiocoder(
        network,
        autoencoder=str(out / "autoencoder"),
        hidden_steps=IMAGE_STEPS,
        num_steps=SPEECH_STEPS,
        seed=SEED,
        **_recipe(2e-3),
    )
    trainer = _trainer(AUDIOCODER_EPOCHS, out)
    trainer.fit(module, datamodule=data)
    trainer.save_checkpoint(out / "audiocoder.ckpt", weights_only=True)
    return module.cpu().eval()


def _train_ann(data: SpokenDigitsData) -> tuple[LitAudiocoderANN, AEANN]:
    autoencoder = AEANN(784, 196)
    images = MNISTSubsetData(validation_fraction=0, seed=SEED)
    _trainer(AUTOENCODER_EPOCHS).fit(LitAutoencoderANN(autoencoder, **_recipe(1e-2)), datamodule=images)
    autoencoder.cpu()
    network = ACANN(data.inputs, HIDDEN, 196)
    module = LitAudiocoderANN(network, autoencoder, data.gallery, **_recipe(1e-3))
    _trainer(AUDIOCODER_EPOCHS).fit(module, datamodule=data)
    return module.cpu().eval(), autoencoder


@torch.no_grad()
def _drawn(module: LightningModule, data: SpokenDigitsData, places: Tensor) -> tuple[Tensor, Tensor]:
    """Drawn images, flat, of the utterances at some places, and their labels."""
    drawn = []
    for part in torch.split(places, 100):
        drawn.append(module.predict_step(data.batch(part), 0).flatten(1))
    return torch.cat(drawn), data.corpus.labels[places]


def _scores(drawn: Tensor, labels: Tensor, data: SpokenDigitsData) -> dict[str, float]:
    errors = gallery_mse(drawn, data.gallery.flatten(1))
    mse, _ = best_of_class(errors, labels, data.gallery_labels)
    nearest = data.gallery_labels[errors.argmin(1)] == labels
    return {"mse": mse.mean().item(), "nearest_class": nearest.float().mean().item()}


def _measure(
    data: SpokenDigitsData,
    autoencoder: AESNN,
    module: LitAudiocoder,
    ann: LitAudiocoderANN,
    ann_autoencoder: AEANN,
) -> dict[str, Any]:
    test = MNISTSubset(train=False)
    images = as_pixels(test.images)
    keys = sample_keys(SEED, HELD_OUT, torch.arange(len(images)))
    redrawn = autoencoder.reconstruct(images, IMAGE_STEPS, keys=keys)
    redrawn_ann = ann_autoencoder.reconstruct(images)
    ann_scores = _scores(*_drawn(ann, data, data.test_index), data)
    return {
        "autoencoder": {"mse": standardized_mse(redrawn, images).mean().item()},
        "audio_to_image": _scores(*_drawn(module, data, data.test_index), data),
        "held_out_voices": {
            "voices": HELD_OUT_VOICES,
            "audio_to_image": _scores(*_drawn(module, data, data.held_out_index), data),
            "ann": _scores(*_drawn(ann, data, data.held_out_index), data),
        },
        "ann": ann_scores | {"autoencoder_mse": standardized_mse(redrawn_ann, images).mean().item()},
        "test_utterances": len(data.test_index),
        "held_out_utterances": len(data.held_out_index),
    }


def _draw(data: SpokenDigitsData, module: LitAudiocoder, out: Path, metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """Draw every picture of the report; each section of it is a title, a text, and the names of its files."""
    a2i = module.audio_to_image()
    test = MNISTSubset(train=False)
    shown = torch.cat([torch.nonzero(test.labels == digit)[:1, 0] for digit in range(10)])
    images = as_pixels(test.images[shown])
    redrawn = a2i.autoencoder.reconstruct(images, IMAGE_STEPS, keys=sample_keys(SEED, HELD_OUT, shown))
    plot.save_figure(plot.reconstructions(images, redrawn), out / "reconstructions.png")

    for name, index in (("digits", data.test_index), ("digits-held-out", data.held_out_index)):
        places = _some_of_each(data.corpus.labels, index)
        drawn, _ = _drawn(module, data, places.flatten())
        plot.save_figure(plot.digit_grid(drawn.reshape(10, PER_DIGIT, 28, 28)), out / f"{name}.png")

    journeys = [_journey(data, module, a2i, digit, out) for digit in JOURNEYS]
    bars = {
        "audio to image\nSNN": metrics["audio_to_image"]["mse"],
        "audio to image\nANN": metrics["ann"]["mse"],
        "autoencoder\nSNN": metrics["autoencoder"]["mse"],
        "autoencoder\nANN": metrics["ann"]["autoencoder_mse"],
    }
    plot.save_figure(plot.comparison_bars(bars, "standardized test MSE"), out / "comparison.png")
    return [
        {
            "title": "From a word to an image",
            "text": "A test utterance, its mel spectrogram, the Poisson spikes of its values, the hidden spikes that "
            "the audiocoder makes of them, and what the autoencoder's decoder draws from these: the rate at which each "
            "pixel fires over 30 time steps, the fastest one white.",
            "words": journeys,
        },
        {
            "title": "Five test utterances of each digit",
            "text": "As in the paper's figure 9B (dataset A): voices known from training, other utterances.",
            "pictures": ["digits.png"],
        },
        {
            "title": "Voices never heard in training",
            "text": f"The same for the two voices that were left out whole, {' and '.join(HELD_OUT_VOICES)}.",
            "pictures": ["digits-held-out.png"],
        },
        {
            "title": "The autoencoder alone",
            "text": "Test images and their reconstruction from 15 time steps of spikes.",
            "pictures": ["reconstructions.png"],
        },
        {
            "title": "Beside conventional networks of the same size",
            "text": "Trained in the same run, on the same data, for the same number of epochs. Lower is better; a "
            "silent output scores 1.",
            "pictures": ["comparison.png"],
        },
    ]


def _some_of_each(labels: Tensor, index: Tensor) -> Tensor:
    """Places of the first few utterances of each digit among ``index``, spread over it: ``[10, PER_DIGIT]``."""
    rows = []
    for digit in range(10):
        places = index[labels[index] == digit]
        rows.append(places[torch.linspace(0, len(places) - 1, PER_DIGIT).long()])
    return torch.stack(rows)


def _journey(data: SpokenDigitsData, module: LitAudiocoder, a2i: AudioToImage, digit: int, out: Path) -> dict[str, str]:
    """Draw the way of one test word, and save its sound: what the report shows of it."""
    place = data.test_index[data.corpus.labels[data.test_index] == digit][digit : digit + 1]
    batch: SpeechBatch = data.batch(place)
    stages = a2i(batch.spectrograms, SPEECH_STEPS, keys=sample_keys(SEED, HELD_OUT, batch.index))
    word = DIGIT_WORDS[digit]
    samples, _ = data.corpus[int(place)]
    rate = data.corpus.sample_rate
    figure = plot.word_journey(
        samples,
        rate,
        batch.spectrograms[0],
        stages.input_spikes[:, 0],
        stages.hidden[:, 0],
        stages.images[0, 0],
        data.gallery[digit, 0],
        title=f"“{word}”, voice {data.corpus.speakers[int(place)]}",
    )
    plot.save_figure(figure, out / f"{word}.png")
    plot.save_animation(plot.image_forming(stages.output_spikes[:, 0]), out / f"{word}.gif")
    with atomic_write(out / f"{word}.wav") as draft:
        soundfile.write(draft, samples.numpy(), rate, format="WAV", subtype="PCM_16")
    return {"word": word, "picture": f"{word}.png", "animation": f"{word}.gif", "sound": f"{word}.wav"}
