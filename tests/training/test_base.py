"""What all modules do alike: what they show, when they refuse to go on, and how a batch is numbered."""

import functools
from types import SimpleNamespace

import pytest
import torch
import yaml
from lightning.pytorch import Trainer
from lightning.pytorch.cli import ReduceLROnPlateau
from lightning.pytorch.loggers import CSVLogger

from snn_synth.errors import InputError
from snn_synth.models import (
    ACANN,
    ACSNN,
    AEANN,
    AESNN,
    ESVAE,
    FirstSpikeClassifier,
    HybridVAE,
    ImageClassifier,
    SpikingGAN,
)
from snn_synth.training import (
    LitAudiocoder,
    LitAudiocoderANN,
    LitAutoencoder,
    LitAutoencoderANN,
    LitESVAE,
    LitFirstSpikeClassifier,
    LitHybridVAE,
    LitImageClassifier,
    LitSpikingGAN,
)
from snn_synth.training.hparams import DataModule
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


def test_samples_without_an_index_are_numbered_by_batch_and_process(tmp_path, monkeypatch):
    module, trainer = LitAutoencoder(AESNN(12, 5)), quiet_trainer(tmp_path)
    monkeypatch.setattr(Trainer, "world_size", 3)
    monkeypatch.setattr(Trainer, "global_rank", 1)
    trainer.training = True
    trainer.fit_loop.epoch_loop.batch_progress.current.ready = 5
    module.trainer = trainer
    batch = module.on_before_batch_transfer(torch.rand(4, 1, 3, 4), 0)
    assert batch.index.tolist() == [(5 * 3 + 1) * 2**32 + place for place in range(4)]


def test_weights_that_are_nan_are_neither_trained_nor_measured_nor_saved():
    for module in (LitAutoencoder(AESNN(12, 5)), LitAudiocoder(ACSNN(12, 6, 5))):
        next(module.parameters()).detach()[0, 0] = torch.nan
        hooks = [module.on_train_start, module.on_validation_start, module.on_test_start, module.on_predict_start]
        for hook in (*hooks, functools.partial(module.on_save_checkpoint, {})):
            with pytest.raises(InputError, match="Expected finite weights, got nan"):
                hook()


@pytest.mark.parametrize("scaler", [None, object()])
def test_a_gradient_that_is_nan_ends_the_run_unless_a_scaler_leaves_the_update_out(scaler):
    module = LitAutoencoderANN(AEANN(12, 5))
    module.trainer = SimpleNamespace(precision_plugin=SimpleNamespace(scaler=scaler))
    optimizer = torch.optim.SGD(module.network.parameters())
    next(module.parameters()).grad = torch.full((5, 12), torch.nan)
    if scaler is None:
        with pytest.raises(InputError, match="Expected finite gradients"):
            module.on_before_optimizer_step(optimizer)
    else:
        module.on_before_optimizer_step(optimizer)


def clipping(precision, value, optimizer=torch.optim.AdamW, **options):
    """The optimizer of a module under a trainer that clips gradients."""
    module = LitAutoencoder(AESNN(12, 5), optimizer=functools.partial(optimizer, lr=0.25, **options))
    module._trainer = precision and SimpleNamespace(gradient_clip_val=value, precision=precision)
    return module.configure_optimizers()


@pytest.mark.parametrize("precision", [None, "32-true", "bf16-mixed"])
@pytest.mark.parametrize("value", [None, 0.1])
def test_a_fused_optimizer_stays_one_unless_gradients_are_clipped_in_mixed_precision(precision, value, caplog):
    made = clipping(precision, value, fused=True)
    both = precision == "bf16-mixed" and value is not None
    assert made.defaults["fused"] == (not both)
    assert made.defaults["lr"] == 0.25
    assert ("fused=False is used" in caplog.text) == both
    assert clipping(precision, value).defaults["fused"] is None
    assert type(clipping(precision, value, torch.optim.Rprop)) is torch.optim.Rprop  # takes no `fused`


@pytest.mark.parametrize("rule", ["bptt", "online"])
def test_lightning_is_told_of_a_monitor_only_where_it_steps_the_scheduler(rule):
    plateau = functools.partial(ReduceLROnPlateau, monitor="val/spike_mse")
    module = LitAutoencoder(AESNN(12, 5), rule=rule, lr_scheduler=plateau)
    module.trainer = SimpleNamespace(max_epochs=1)
    assert module.configure_optimizers()["lr_scheduler"].get("monitor") == ("val/spike_mse" if rule == "bptt" else None)


def test_the_hyper_parameters_of_the_module_are_logged_and_those_of_the_data_are_not(tmp_path):
    class Images(DataModule, TinyImages):
        def __init__(self, seed):
            TinyImages.__init__(self)
            DataModule.__init__(self)
            self.batch_size = 10

    logger = CSVLogger(tmp_path, "", "")
    trainer = quiet_trainer(tmp_path, max_epochs=1, limit_train_batches=1, limit_val_batches=0, logger=logger)
    trainer.fit(LitAutoencoder(AESNN(12, 5), num_steps=3, seed=1), datamodule=Images(seed=2))
    logged = yaml.safe_load((tmp_path / "hparams.yaml").read_text())
    assert (logged["seed"], logged["num_steps"]) == (1, 3)
