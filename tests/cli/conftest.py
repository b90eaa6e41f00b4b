import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import wandb
from lightning.pytorch import Trainer

from snn_synth.cli import main
from snn_synth.data import MelSpectrogram
from snn_synth.models import ACSNN, AESNN
from snn_synth.training import AtomicCheckpointIO, LitAudiocoder

# Settings that bring the shipped `ae_mnist` down to the 60 images of `digits`.
TINY = [
    "--config=ae_mnist",
    "--trainer.accelerator=cpu",
    "--trainer.enable_model_summary=false",
    "--trainer.max_epochs=2",
    "--model.network.hidden=16",
    "--model.num_steps=6",
    "--data.batch_size=10",
    "--data.validation_fraction=0.25",
]


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path, tmp_path_factory):
    """No W&B, no data, an empty folder to work in; a run of W&B that a command left open ends with the test."""
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("SNN_SYNTH_CACHE", str(tmp_path_factory.mktemp("cache")))  # kept on purpose, so no output
    monkeypatch.delenv("SNN_SYNTH_DATA", raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    yield
    wandb.finish()


def write_idx(path: Path, values: np.ndarray) -> None:
    header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    path.write_bytes(gzip.compress(header + values.astype(np.uint8).tobytes()))


@pytest.fixture
def digits(tmp_path):
    """A data root with MNIST's files: 40 images to train, 20 to test, a bright bar whose place is the class."""
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    noise = np.random.default_rng(0)
    for part, count in (("train", 40), ("t10k", 20)):
        labels = np.arange(count) % 10
        images = noise.integers(0, 60, (count, 28, 28))
        for image, label in zip(images, labels, strict=True):
            image[2 * label + 2 : 2 * label + 6, 4:24] = 255
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", labels)
    return tmp_path / "data"


@pytest.fixture
def checkpoint(tmp_path):
    """A checkpoint of a LitAudiocoder that fires, as a fit leaves it, without the fit."""
    torch.manual_seed(0)
    autoencoder, network = AESNN(784, 12), ACSNN(80, 24, 12)
    with torch.no_grad():
        for weight in (*autoencoder.parameters(), *network.parameters()):
            weight.abs_()
    module = LitAudiocoder(network, num_steps=9)
    module.front_end = MelSpectrogram(channels=8, frames=10).config()
    module.name_labels(("left", "right", "go"), torch.rand(3, 1, 28, 28))
    module.adopt(autoencoder)
    return save(module, tmp_path / "audiocoder.ckpt")


def save(module, path):
    trainer = Trainer(accelerator="cpu", logger=False, plugins=[AtomicCheckpointIO()], enable_model_summary=False)
    trainer.strategy.connect(module)
    trainer.save_checkpoint(path)
    return path


def vowel(rate: int) -> np.ndarray:
    """Half a second of a voice whose formants glide, in silence: the same sound at any rate."""
    time = np.arange(int(0.5 * rate)) / rate
    pitch = 120 * time + 20 * time**2
    glide = np.linspace(0, 1, len(time))
    sound = np.zeros_like(time)
    for harmonic in range(1, 25):
        frequency = harmonic * 120
        formants = ((500 + 300 * glide, 80), (1500 - 500 * glide, 120), (2500, 160))
        loudness = sum(np.exp(-(((frequency - centre) / (2 * width)) ** 2)) for centre, width in formants)
        sound += loudness * np.sin(2 * np.pi * harmonic * pitch)
    sound *= np.hanning(len(time)) / np.abs(sound).max()
    quiet = np.zeros(rate // 5)
    return np.concatenate([quiet, 0.6 * sound, quiet])


@pytest.fixture
def word(tmp_path):
    """A WAV file at 8 kHz, mono, 16 bit."""
    path = tmp_path / "seven.wav"
    soundfile.write(path, vowel(8000), 8000)
    return path


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder, to see that nothing changed."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


@pytest.fixture
def refused(capsys, tmp_path):
    """Run a command that must fail as bad input does: exit code 2, one sentence (returned), nothing written."""

    def run(*words: object) -> str:
        before = snapshot(tmp_path)
        capsys.readouterr()
        code = main([str(word) for word in words])
        err = capsys.readouterr().err
        errors = [line for line in err.splitlines() if line.startswith("snn-synth: error: ")]
        assert code == 2, err
        assert len(errors) == 1, err
        assert err.rstrip().endswith(errors[0]), "the sentence comes last"
        assert "Traceback" not in err
        assert snapshot(tmp_path) == before
        return errors[0].removeprefix("snn-synth: error: ")

    return run
