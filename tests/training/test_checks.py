"""Settings that are refused before the training; docs/lightning.md lists them, and test_lightning.py tries each."""

from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.strategies import FSDPStrategy, ModelParallelStrategy
from torch.nn.parallel import DistributedDataParallel

from snn_synth.data import ImageDataset
from snn_synth.errors import InputError
from snn_synth.models import AESNN, ImageClassifier, SpikingGAN
from snn_synth.training import (
    FirstSpikes,
    ImageData,
    ImageGrid,
    LayerWarning,
    LitAutoencoder,
    LitImageClassifier,
    LitSpikingGAN,
    SampleGrid,
    SpikeStatistics,
)
from snn_synth.training.checks import check_classes, check_fit, check_images
from tests.training.tiny import TinyImages, quiet_trainer


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ({"gradient_clip_val": 0.1}, "gradient_clip_val"),
        ({"accumulate_grad_batches": 2}, "accumulate_grad_batches"),
        ({"accumulate_grad_batches": 0}, "accumulate_grad_batches"),
        ({"gradient_clip_val": -1.0}, "gradient_clip_val"),
        ({"check_val_every_n_epoch": 0}, "check_val_every_n_epoch"),
        ({"val_check_interval": 0}, "val_check_interval"),
        ({"precision": "16-true"}, "16-true"),
    ],
)
def test_what_a_gan_refuses(flags, named, tmp_path):
    module = LitSpikingGAN(SpikingGAN(3, 4, 8, 10, num_steps=16, smoothing=16.0))
    with pytest.raises(InputError, match=named):
        quiet_trainer(tmp_path, max_epochs=1, **flags).fit(module, TinyImages())


@pytest.mark.parametrize("strategy", [FSDPStrategy, ModelParallelStrategy])
def test_strategies_that_split_the_weights_are_refused(strategy, tmp_path, monkeypatch):
    """A trainer has one only where there are GPUs."""
    module, trainer = LitImageClassifier(ImageClassifier(features=8)), quiet_trainer(tmp_path)
    check_fit(trainer, module)
    monkeypatch.setattr(type(trainer), "strategy", strategy())
    with pytest.raises(InputError, match=rf"keeps whole weights .*, got {strategy.__name__}$"):
        check_fit(trainer, module)


@pytest.mark.parametrize(
    ("callback", "sentence"),
    [
        (SampleGrid(), "Expected a network that makes new images, got ImageClassifier"),
        (ImageGrid(), "Expected a module that gives `targets` in its validation, got LitImageClassifier"),
        (FirstSpikes(), "Expected a module that gives `times`"),
        (SpikeStatistics(), "Expected a module that gives `spikes`"),
    ],
)
def test_callbacks_of_ours_that_a_module_has_nothing_for(callback, sentence, tmp_path):
    module = LitImageClassifier(ImageClassifier(features=8))
    data = TinyImages()
    with pytest.raises(InputError, match=sentence):
        quiet_trainer(tmp_path, max_epochs=1, callbacks=[callback], num_sanity_val_steps=1).fit(module, data)
    quiet_trainer(tmp_path, max_epochs=1, callbacks=[LayerWarning()]).fit(module, data)


def test_images_of_one_class_are_refused_where_classes_are_learned(tmp_path):
    images = ImageDataset(torch.zeros(20, 28, 28, dtype=torch.uint8), torch.zeros(20, dtype=torch.int64), ["flat"])
    module, data = LitImageClassifier(ImageClassifier(features=8)), ImageData(images, batch_size=4)
    with pytest.raises(InputError, match=r"at least two classes for LitImageClassifier, .*got \['flat'\]"):
        quiet_trainer(tmp_path, max_epochs=1).fit(module, data)
    check_classes(SimpleNamespace(names=["cat", "dog"]), LitImageClassifier)
    check_classes(SimpleNamespace(), LitImageClassifier)


def test_images_or_networks_without_a_size_are_not_compared():
    data, network = SimpleNamespace(image_shape=(1, 3, 4)), SimpleNamespace(inputs=12)
    for given in ((data, network), (SimpleNamespace(), network), (data, SimpleNamespace())):
        check_images(*given)
    with pytest.raises(InputError, match=r"images of 1 x 3 x 4 values, got one with 11 inputs: give .* 12,"):
        check_images(data, SimpleNamespace(inputs=11))


@pytest.mark.parametrize("unused", [True, False])
def test_processes_that_expect_all_weights_in_each_update_are_refused(unused):
    model = DistributedDataParallel.__new__(DistributedDataParallel)
    vars(model)["find_unused_parameters"] = unused
    gan = LitSpikingGAN(SpikingGAN(3, 4, 8, 10, num_steps=16, smoothing=16.0))
    gan.trainer = SimpleNamespace(strategy=SimpleNamespace(model=model))
    if unused:
        gan.on_fit_start()
    else:
        with pytest.raises(InputError, match="ddp_find_unused_parameters_true`, for an update of one network leaves"):
            gan.on_fit_start()
    gan.trainer = SimpleNamespace(strategy=SimpleNamespace(model=gan))
    gan.on_fit_start()


def test_a_monitor_of_the_training_or_by_a_former_name_is_none_of_nothing(tmp_path):
    def fit(monitor):
        stop = EarlyStopping(monitor, mode="max", check_on_train_epoch_end=True)
        trainer = quiet_trainer(tmp_path, max_epochs=1, callbacks=[stop], num_sanity_val_steps=1)
        trainer.fit(LitAutoencoder(AESNN(12, 5), num_steps=3), TinyImages())
        return stop.best_score

    assert fit("train/loss") > 0
    with pytest.warns(match="EarlyStopping monitors val/mse, now val/standardized_mse: the old name ends with"):
        assert fit("val/mse") > 0
