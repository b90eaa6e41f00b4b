"""The demo: speech to image in a few minutes, on data that needs no download."""

import functools
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer, seed_everything

from snn_synth.data import SpectrogramAugmentation
from snn_synth.data.espeak import MANY_VOICES
from snn_synth.experiments.demo_pictures import draw_sections
from snn_synth.experiments.demo_words import Networks, measure, real_words
from snn_synth.experiments.record import versions
from snn_synth.experiments.report import write_report
from snn_synth.files import atomic_write, sole_writer
from snn_synth.models import AEANN, ConvACANN, ConvACSNN
from snn_synth.training import (
    AtomicCheckpointIO,
    LitAudiocoder,
    LitAudiocoderANN,
    LitAutoencoderANN,
    MNISTSubsetData,
    SpokenDigitsData,
)
from snn_synth.training.console import quiet_lightning
from snn_synth.training.pretraining import pretrain_autoencoder

# The recipe. Both kinds of networks get the same data, sizes, epochs, augmentation and schedule. The rates of both
# audiocoders, and rate and batches of the conventional autoencoder, were the best of several on words and images that
# were held out.
# Of FSDD's 300 test words, real voices, it draws about half right.
HELD_OUT = "m3", "f4"  # with every accent
TEST = 0.05  # of the words of voices that are trained on
VALIDATION = 0.05  # of the words to train on: they say how sure the recognition may be
CODE, WIDTHS = 196, (20, 40, 64)
SLOPE = 2.0  # of the surrogate
AUTOENCODER_EPOCHS = 8
AUDIOCODER_EPOCHS = 20
BATCH = 50
STRENGTH = 0.5  # of the augmentation
AUDIOCODER_LR = ANN_AUDIOCODER_LR = 4e-2
ANN_AUTOENCODER_BATCH, ANN_AUTOENCODER_LR = 5, 1.6e-3
WEIGHT_DECAY, WARM_UP = 1e-2, 0.15
TRAIN_STEPS = 8  # of constant input; what is measured and drawn has spikes
IMAGE_STEPS, SPEECH_STEPS = 15, 30


def run(out: Path, seed: int = 0) -> dict[str, Any]:
    """Train an autoencoder and an audiocoder on the embedded data, and write a report with pictures.

    Two of espeak's variants are left out with all their accents, and a twentieth of the utterances of the others; both
    are only tested on, and so are the 300 test words of FSDD, real voices, where that is at hand.

    Args:
        out: folder for ``report.html``, ``metrics.json``, some test words, the autoencoder and ``audiocoder.ckpt``.
        seed: of the split, the pairing with images, the weights and the spikes.

    Returns:
        What ``metrics.json`` holds.

    Raises:
        InputError: if the extra ``demo`` is not installed, or ``out`` cannot be written.
    """
    seconds: dict[str, float] = {}
    start = time.perf_counter()
    with (
        atomic_write(out / "metrics.json") as draft,  # finds out at once whether `out` can be written
        sole_writer(out),
        tempfile.TemporaryDirectory() as pictures,
    ):
        seed_everything(seed, verbose=False)
        with _stage(f"speak: {len(MANY_VOICES)} voices say {10 * len(MANY_VOICES):,} digits", "speak", seconds):
            data = SpokenDigitsData(
                corpus="espeak-many",
                images="mnist_subset",
                split="random",
                held_out_speakers=[voice for voice in MANY_VOICES if voice.split("+")[1] in HELD_OUT],
                test_fraction=TEST,
                validation_fraction=VALIDATION,
                batch_size=BATCH,
                seed=seed,
            )
            data.prepare_data()
            data.setup("fit")
        with _stage("autoencoder: learns to redraw digits from spikes", "autoencoder", seconds):
            folder = out / "autoencoder"
            autoencoder = pretrain_autoencoder(data.image_set, folder, CODE, AUTOENCODER_EPOCHS, seed)
        with _stage("audiocoder: learns to speak the autoencoder's spikes", "audiocoder", seconds):
            module = _train_audiocoder(data, out, seed)
        with _stage("ann: a conventional network of the same size", "ann", seconds):
            ann, ann_autoencoder = _train_ann(data, seed)
        with _stage("report: test, pictures", "report", seconds):
            real = real_words(data.front_end)
            metrics = measure(data, real, Networks(autoencoder, module, ann_autoencoder, ann))
            sections = draw_sections(data, real, module, metrics, Path(pictures), out)
        seconds["total"] = time.perf_counter() - start
        metrics |= {
            "seconds": {name: round(value, 1) for name, value in seconds.items()},
            "command": "snn-synth demo",
            "seed": seed,
            "versions": versions(),
        }
        write_report(out / "report.html", metrics, sections)
        draft.write_text(json.dumps(metrics, indent=2) + "\n")
    print(
        f"\nImages that a spiking network drew from spoken words: {out / 'report.html'}\n"
        f"Standardized MSE {metrics['audio_to_image']['standardized_mse']:.3f}, nearest to their own digit "
        f"{metrics['audio_to_image']['nearest_class']:.1%}; an ANN of the same size "
        f"{metrics['ann']['standardized_mse']:.3f}\n"
        f"Your own recording of a digit, by the networks that come with the package: snn-synth synthesize "
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
        check_val_every_n_epoch=epochs,  # once, at the end
        num_sanity_val_steps=0,
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
        "optimizer": functools.partial(torch.optim.AdamW, lr=lr, weight_decay=WEIGHT_DECAY, fused=True),
        "lr_scheduler": functools.partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=lr, pct_start=WARM_UP),
    }


def _train_audiocoder(data: SpokenDigitsData, out: Path, seed: int) -> LitAudiocoder:
    channels, frames = data.front_end.shape
    module = LitAudiocoder(
        ConvACSNN(channels, frames, WIDTHS, CODE, slope=SLOPE, reset="subtract"),
        autoencoder=str(out / "autoencoder"),
        hidden_steps=IMAGE_STEPS,
        num_steps=SPEECH_STEPS,
        train_steps=TRAIN_STEPS,
        direct=True,
        augmentation=SpectrogramAugmentation(STRENGTH),
        loss="rate",
        seed=seed,
        **_recipe(AUDIOCODER_LR),
    )
    trainer = _trainer(AUDIOCODER_EPOCHS, out)
    trainer.fit(module, datamodule=data)
    trainer.save_checkpoint(out / "audiocoder.ckpt", weights_only=True)
    return module.cpu().eval()


def _train_ann(data: SpokenDigitsData, seed: int) -> tuple[LitAudiocoderANN, AEANN]:
    autoencoder = AEANN(data.gallery[0].numel(), CODE)
    images = MNISTSubsetData(batch_size=ANN_AUTOENCODER_BATCH, validation_fraction=0, seed=seed)
    _trainer(AUTOENCODER_EPOCHS).fit(LitAutoencoderANN(autoencoder, **_recipe(ANN_AUTOENCODER_LR)), datamodule=images)
    autoencoder.cpu()
    channels, frames = data.front_end.shape
    module = LitAudiocoderANN(
        ConvACANN(channels, frames, WIDTHS, CODE),
        autoencoder,
        data.gallery,
        augmentation=SpectrogramAugmentation(STRENGTH),
        seed=seed,
        **_recipe(ANN_AUDIOCODER_LR),
    )
    _trainer(AUDIOCODER_EPOCHS).fit(module, datamodule=data)
    return module.cpu().eval(), autoencoder
