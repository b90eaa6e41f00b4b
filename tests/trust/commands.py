"""Commands made small, in processes of their own. See test_kills_of_commands.py."""

import os
from pathlib import Path

from snn_synth.data import FSDD, MelSpectrogram, spectrograms
from snn_synth.data.download import fetch
from snn_synth.experiments import demo
from snn_synth.experiments.reproduce import run
from snn_synth.experiments.reproduce.autoencoders import AutoencoderTrial
from snn_synth.experiments.reproduce.experiment import Experiment
from snn_synth.experiments.reproduce.recipes import Recipe
from snn_synth.experiments.sweep import run as sweep
from snn_synth.training import LitAutoencoder, speech
from tests.processes import command

SNN = AutoencoderTrial(
    Recipe(lr=0.01, one_cycle=True), images="mnist_subset", hidden=12, num_steps=5, train_images=1000
)
ANN = AutoencoderTrial(Recipe(lr=1e-3), kind="ann", images="mnist_subset", hidden=12, train_images=500)


def reproduce(out):
    """An experiment of two networks."""
    run.run("tiny", Experiment("A test.", {"SNN": SNN, "ANN": ANN}, (1, 1)), Path(out), "full")


def speak_and_draw(out):
    """The demo, with fewer voices and epochs."""
    demo.MANY_VOICES = speech.MANY_VOICES = demo.MANY_VOICES[::8]
    demo.AUTOENCODER_EPOCHS = demo.AUDIOCODER_EPOCHS = 1
    demo.run(Path(out))


def build_cache(root, cache):
    """The spectrograms of a corpus."""
    spectrograms(FSDD(root), MelSpectrogram(), cache=cache, progress=False)


def download(url, path, digest):
    """A file."""
    fetch([url], Path(path), digest, progress=False)


def counted_sweep(path, jobs):
    """A sweep; the file `starts` has a line for each start of a run."""
    sweep.PROGRAM = ("sh", "-c", 'echo "$WANDB_RUN_ID" >> starts; exec "$@"', "sh", *sweep.PROGRAM)
    sweep.run(Path(path), jobs=jobs)


def leaking_fit(what, words):
    """A command that keeps each batch in a list, or opens a file with each and does not close it."""
    kept = []

    def keep(module, outputs, batch, place):
        kept.append(batch.images.clone() if what == "bytes" else open(os.devnull))  # noqa: SIM115

    LitAutoencoder.on_train_batch_end = keep
    command(words)
