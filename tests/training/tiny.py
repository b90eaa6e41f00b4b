"""Small data and a quiet trainer for tests of training."""

import numpy as np
import soundfile
import torch
from lightning.pytorch import LightningDataModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from snn_synth.models import AESNN
from snn_synth.training.loaders import Batches, ImageBatch, ResumableLoader


class TinyImages(LightningDataModule):
    """Random images of 3 x 4 pixels: 45 to train, 25 to validate and to test, so that the last batch is ragged."""

    def __init__(self, batch_size=10, dtype=torch.float32, train=45, test=25):
        super().__init__()
        self.batch_size = batch_size
        pixels = torch.rand(train + test, 1, 3, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
        self.images = pixels.to(dtype)
        self.train_index, self.test_index = torch.arange(train), torch.arange(train, train + test)

    def batch(self, places):
        return ImageBatch(self.images[places], places % 10, places)

    def train_dataloader(self):
        return ResumableLoader(Batches(self.train_index, self.batch), self.batch_size, shuffle=True, seed=4)

    def val_dataloader(self):
        return ResumableLoader(Batches(self.test_index, self.batch), self.batch_size)

    test_dataloader = val_dataloader

    def predict_dataloader(self):
        return self.test_dataloader().plain()


def quiet_trainer(folder, **settings):
    """A Trainer on the CPU without logger, progress bar or checkpoints of its own."""
    callbacks = settings.get("callbacks", [])
    defaults = {
        "accelerator": "cpu",
        "default_root_dir": folder,
        "logger": False,
        "enable_checkpointing": any(isinstance(callback, Checkpoint) for callback in callbacks),
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
    }
    return Trainer(**(defaults | settings))


def firing_autoencoder(*sizes, seed=0, gain=6.0):
    """An untrained AE-SNN that fires: its weights are larger than an untrained one's."""
    torch.manual_seed(seed)
    autoencoder = AESNN(*sizes)
    with torch.no_grad():
        for weight in autoencoder.parameters():
            weight.mul_(gain)
    return autoencoder


def write_fsdd(root, takes=12):
    """Spoken digits as the Free Spoken Digit Dataset stores them: tones with noise, their height the digit's."""
    folder = root / "fsdd" / "recordings"
    folder.mkdir(parents=True)
    noise = np.random.default_rng(0)
    time = np.arange(1200) / 8000
    for digit in range(10):
        for take in range(takes):
            tone = np.sin(2 * np.pi * (300 + 300 * digit) * time) + 0.1 * noise.standard_normal(len(time))
            soundfile.write(folder / f"{digit}_george_{take}.wav", 0.4 * tone, 8000)
    return str(root)
