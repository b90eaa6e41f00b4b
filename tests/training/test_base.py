"""What all modules do alike: what they show, when they refuse to go on, and how a batch is numbered."""

import pytest
import torch

from snn_synth.models import (
    ACANN,
    AEANN,
    AESNN,
    ESVAE,
    FirstSpikeClassifier,
    HybridVAE,
    ImageClassifier,
    SpikingGAN,
)
from snn_synth.training import (
    LitAudiocoderANN,
    LitAutoencoder,
    LitAutoencoderANN,
    LitESVAE,
    LitFirstSpikeClassifier,
    LitHybridVAE,
    LitImageClassifier,
    LitSpikingGAN,
)
from snn_synth.training.loaders import SpeechBatch
from tests.training.tiny import TinyImages, quiet_trainer


class Square(TinyImages):
    """Of 8 x 8 pixels."""

    def __init__(self):
        super().__init__()
        self.images = torch.rand(70, 1, 8, 8, generator=torch.Generator().manual_seed(3))


class Spoken(TinyImages):
    """Each image as a spectrogram that is paired with itself, and no validation."""

    def batch(self, places):
        images, labels, index = super().batch(places)
        return SpeechBatch(images, labels, index, index)

    val_dataloader = None


def spoken():
    return LitAudiocoderANN(ACANN(12, 6, 5), AEANN(12, 5), torch.rand(70, 1, 3, 4))


SHOWN = {
    "autoencoder": (lambda: LitAutoencoder(AESNN(12, 5), num_steps=3), TinyImages, ["standardized_mse"]),
    "autoencoder of pixels": (lambda: LitAutoencoderANN(AEANN(12, 5)), TinyImages, ["standardized_mse"]),
    "audiocoder of pixels": (spoken, Spoken, []),
    "esvae": (lambda: LitESVAE(ESVAE(side=8, channels=(3,), latent=4, num_steps=3)), Square, ["pixel_mse"]),
    "hybrid": (lambda: LitHybridVAE(HybridVAE(12, 5, 4, num_steps=3, outputs=12)), TinyImages, ["pixel_mse"]),
    "classifier": (lambda: LitImageClassifier(ImageClassifier(features=8)), TinyImages, ["accuracy"]),
    "first spike": (lambda: LitFirstSpikeClassifier(FirstSpikeClassifier(12, 8, 10, 16)), TinyImages, ["accuracy"]),
    "gan": (
        lambda: LitSpikingGAN(SpikingGAN(3, 4, 8, 10, num_steps=16, smoothing=16.0)),
        TinyImages,
        ["fooled", "named"],
    ),
}


@pytest.mark.parametrize("name", SHOWN)
def test_the_progress_bar_shows_the_loss_and_the_measure_that_counts(name, tmp_path):
    torch.manual_seed(0)
    make, data, measures = SHOWN[name]
    trainer = quiet_trainer(tmp_path, max_epochs=1, limit_train_batches=1, limit_val_batches=1)
    trainer.fit(make(), data())
    losses = {"train/loss", "train/generator"} if name == "gan" else {"train/loss"}
    assert trainer.progress_bar_metrics.keys() == losses | {f"val/{measure}" for measure in measures}


@pytest.mark.parametrize("name", SHOWN)
def test_predictions_of_autoencoders_are_of_the_images_that_they_were_given(name):
    """What is drawn beside them on the command line rests on it."""
    assert SHOWN[name][0]().redraws == (name in {"autoencoder", "autoencoder of pixels", "esvae", "hybrid"})
