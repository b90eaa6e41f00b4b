import warnings
from types import SimpleNamespace

import matplotlib.image
import numpy as np
import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.loggers import CSVLogger, WandbLogger
from matplotlib.figure import Figure

from snn_synth.errors import InputError
from snn_synth.models import AESNN, HybridVAE, TemporalCodingAE
from snn_synth.training import (
    FirstSpikes,
    ImageGrid,
    LayerWarning,
    LitAutoencoder,
    LitHybridVAE,
    LitTemporalCodingAE,
    SampleGrid,
    SpikeStatistics,
)
from tests.training.tiny import TinyImages, firing_autoencoder, quiet_trainer


def frozen(network, **settings):
    """A module that trains without moving."""
    settings = {"num_steps": 9, "optimizer": torch.optim.SGD} | settings
    module = LitAutoencoder(network, **settings)
    module.configure_optimizers = lambda: torch.optim.SGD(network.parameters(), lr=0.0)
    return module


@pytest.mark.parametrize("batch_size", [3, 10])  # 25 images: the last batch is ragged
def test_spike_statistics_equal_a_direct_count(tmp_path, batch_size):
    network, data = firing_autoencoder(12, 10), TinyImages(batch_size)
    with torch.no_grad():
        next(network.parameters())[:2] = -1.0  # two silent neurons
        next(network.parameters())[2:5] = 9.0  # three that always fire
    data.images[data.test_index] = data.images[data.test_index].clamp_min(0.8)  # at least one spike at each step
    module = frozen(network)
    trainer = quiet_trainer(tmp_path, callbacks=[SpikeStatistics()])
    (logged,) = trainer.validate(module, data, verbose=False)

    batch = data.batch(data.test_index)
    with torch.no_grad():
        spikes = module.encode(batch.images, batch.index, epoch=-1)
        out = network(spikes)
    layers = {"input": spikes, "hidden": out.hidden, "output": out.spikes}
    for name, layer in layers.items():
        array = layer.numpy()
        assert logged[f"spikes/{name}/rate"] == pytest.approx(array.sum() / array.size, abs=1e-6)
        by_neuron = array.sum((0, 1))
        assert logged[f"spikes/{name}/silent"] == pytest.approx((by_neuron == 0).mean())
        assert logged[f"spikes/{name}/saturated"] == pytest.approx((by_neuron == 9 * 25).mean())
    assert logged["spikes/hidden/silent"] >= 0.2
    assert logged["spikes/hidden/saturated"] >= 0.3
    additions = (spikes.sum() * 10 + out.hidden.sum() * 12) / 25
    assert logged["spikes/synaptic_operations"] == pytest.approx(additions.item(), rel=1e-6)


def test_spike_statistics_count_each_validation_anew(tmp_path):
    logged = []

    class Watch(SpikeStatistics):
        def on_validation_epoch_end(self, trainer, pl_module):
            super().on_validation_epoch_end(trainer, pl_module)
            with torch.no_grad():
                pl_module.network.layers[0][0].weight.neg_()

        def on_validation_end(self, trainer, pl_module):
            logged.append(trainer.callback_metrics["spikes/hidden/rate"].item())

    network = firing_autoencoder(12, 10)
    with torch.no_grad():
        next(network.parameters()).abs_()
    quiet_trainer(tmp_path, max_epochs=2, callbacks=[Watch()]).fit(frozen(network), TinyImages())
    assert logged[0] > 0.1
    assert logged[1] == 0


def said(network, folder, epochs=3, **settings):
    """The warnings about layers that a run of some epochs gives."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer = quiet_trainer(folder, max_epochs=epochs, num_sanity_val_steps=2, callbacks=[LayerWarning()])
        trainer.fit(frozen(network, **settings), TinyImages())
    return [str(warning.message) for warning in caught if str(warning.message).startswith("The layer")]


def test_silent_and_saturated_layers_are_named_once_and_a_healthy_one_is_not(tmp_path):
    network = AESNN(12, 10)
    encoder, decoder = network.parameters()
    with torch.no_grad():
        encoder.fill_(0.1)
        decoder.fill_(-1.0)
    (silent,) = said(network, tmp_path)
    assert "`output` is silent" in silent
    with torch.no_grad():
        encoder.fill_(50.0)
        decoder.fill_(0.05)
    (saturated,) = said(network, tmp_path)
    assert "`hidden` is saturated" in saturated
    assert said(firing_autoencoder(12, 10), tmp_path) == []


def test_a_silent_input_is_named_and_so_are_the_layers_that_it_silences(tmp_path):
    messages = said(firing_autoencoder(12, 10), tmp_path, max_rate=1e-9)
    assert [message.split("`")[1] for message in messages] == ["input", "hidden", "output"]
    assert all("silent" in message for message in messages)
    assert "check the values it encodes" in messages[0]


def test_neurons_that_fire_at_most_once_may_all_fire_but_not_be_silent(tmp_path):
    def names(decay_rate):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.manual_seed(0)
            module = LitTemporalCodingAE(TemporalCodingAE(12, 6, decay_rate=decay_rate))
            quiet_trainer(tmp_path, max_epochs=1, callbacks=[LayerWarning()]).fit(module, TinyImages())
        return [str(one.message).split("`")[1] for one in caught if str(one.message).startswith("The layer")]

    assert names(0.2) == []
    assert names(50.0) == ["hidden", "output"]


def blocks(picture):
    """How many separate pictures a drawing shows in its rows and in its columns."""
    ink = (picture[..., :3] < 0.99).any(-1)

    def runs(lines):
        # Lettering is thin; an image of noise inks most of its rows and columns.
        return int((np.diff(np.concatenate([[0], lines.astype(int), [0]])) == 1).sum())

    rows = ink.mean(1) > 0.3
    return runs(rows), runs(ink[rows].mean(0) > 0.5)


@pytest.mark.parametrize(("images", "shown"), [(4, 4), (10, 10), (30, 20)])
def test_the_image_grid_shows_the_images_asked_for_as_far_as_a_batch_has_them(tmp_path, images, shown):
    data = TinyImages(batch_size=20)
    data.images = 0.3 * torch.rand(70, 1, 28, 28, generator=torch.Generator().manual_seed(0)) + 0.3
    network = AESNN(784, 5)
    with torch.no_grad():
        encoder, decoder = network.parameters()
        encoder.fill_(0.002)
        decoder.copy_(0.3 * torch.rand(784, 5))
    trainer = quiet_trainer(
        tmp_path, max_epochs=2, num_sanity_val_steps=1, limit_train_batches=2, callbacks=[ImageGrid(images)]
    )
    trainer.fit(frozen(network, rule="online", num_steps=5), data)
    pngs = sorted((tmp_path / "images").iterdir())
    # One a validation, none of the sanity check; batches are counted, not the time steps of the online rule.
    assert [png.name for png in pngs] == ["epoch=000-batch=000002.png", "epoch=001-batch=000004.png"]
    for png in pngs:
        assert blocks(matplotlib.image.imread(png)) == (2, shown)


class Sampler(AESNN):
    def sample(self, count, generator):
        return 0.3 * torch.rand(count, 1, 14, 14, generator=generator) + 0.3


def test_the_sample_grid_shows_new_images_of_the_same_seed(tmp_path):
    trainer = quiet_trainer(
        tmp_path, max_epochs=2, num_sanity_val_steps=1, limit_train_batches=2, callbacks=[SampleGrid(20)]
    )
    trainer.fit(frozen(Sampler(12, 5), num_steps=5), TinyImages())
    pngs = sorted((tmp_path / "samples").iterdir())
    assert [png.name for png in pngs] == ["epoch=000-batch=000002.png", "epoch=001-batch=000004.png"]
    first, second = (matplotlib.image.imread(png) for png in pngs)
    assert blocks(first) == (2, 10)
    assert (first == second).all()
    with pytest.raises(InputError, match="Expected `samples` to be at least 1, got 0"):
        SampleGrid(0)


def test_first_spikes_are_drawn_after_each_validation(tmp_path):
    torch.manual_seed(0)
    module = LitTemporalCodingAE(TemporalCodingAE(12, 5))
    trainer = quiet_trainer(
        tmp_path, max_epochs=2, num_sanity_val_steps=1, limit_train_batches=2, callbacks=[FirstSpikes()]
    )
    trainer.fit(module, TinyImages())
    pngs = sorted((tmp_path / "spikes").iterdir())
    assert [png.name for png in pngs] == ["epoch=000-batch=000002.png", "epoch=001-batch=000004.png"]


def test_an_image_grid_wants_an_image():
    with pytest.raises(InputError, match="Expected `images` to be at least 1, got 0"):
        ImageGrid(0)
    assert (ImageGrid(1).images, SampleGrid(1).samples) == (1, 1)


class Outputs(Callback):
    """What a validation hands to the callbacks, batch by batch."""

    def __init__(self):
        self.batches = []

    def on_validation_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0):
        self.batches.append(outputs)


def test_pictures_are_of_the_first_batch_and_of_seed_0(tmp_path, monkeypatch):
    drawn = {}
    for name in ("reconstructions", "image_grid", "first_spikes"):

        def draw(*what, name=name):
            drawn[name] = what
            return Figure()

        monkeypatch.setattr(f"snn_synth.plot.{name}", draw)
    outputs, grids = Outputs(), [ImageGrid(4), SampleGrid(7)]
    quiet_trainer(tmp_path, callbacks=[*grids, outputs]).validate(
        frozen(Sampler(12, 5), num_steps=5), TinyImages(), verbose=False
    )
    first = outputs.batches[0]
    assert len(outputs.batches) == 3
    targets, images = drawn["reconstructions"]
    assert torch.equal(targets, first["targets"][:4])
    assert torch.equal(images, first["images"][:4])
    [samples] = drawn["image_grid"]
    assert torch.equal(samples, Sampler.sample(None, 7, torch.Generator().manual_seed(0)))

    torch.manual_seed(0)
    outputs, module = Outputs(), LitTemporalCodingAE(TemporalCodingAE(12, 5))
    quiet_trainer(tmp_path, callbacks=[FirstSpikes(), outputs]).validate(module, TinyImages(), verbose=False)
    times, never = drawn["first_spikes"]
    assert never == torch.inf
    assert times.keys() == outputs.batches[0]["times"].keys()
    for name, layer in outputs.batches[0]["times"].items():
        assert torch.equal(times[name], layer[0])


def trainer_after(batches, folder, **settings):
    """What a picture is named by."""
    loop = SimpleNamespace(epoch_loop=SimpleNamespace(total_batch_idx=batches - 1))
    made = {"fit_loop": loop, "current_epoch": 2, "default_root_dir": folder, "fast_dev_run": False, "loggers": []}
    return SimpleNamespace(**(made | settings))


def test_a_picture_goes_to_wandb_with_its_epoch_and_batch_and_to_no_other_logger(tmp_path):
    seen = []
    wandb = WandbLogger.__new__(WandbLogger)
    wandb.log_image = lambda *what, **how: seen.append((what, how))
    callback = ImageGrid(1)
    callback.shown = torch.rand(1, 1, 3, 4), torch.rand(1, 1, 3, 4)
    trainer = trainer_after(7, tmp_path, sanity_checking=False, loggers=[CSVLogger(tmp_path), wandb])
    callback.on_validation_epoch_end(trainer, None)
    path = tmp_path / "images" / "epoch=002-batch=000007.png"
    assert path.is_file()
    assert seen == [(("val/images", [str(path)]), {"caption": ["epoch 2, batch 7"]})]
    trainer = trainer_after(8, tmp_path, sanity_checking=False, fast_dev_run=1)
    callback.on_validation_epoch_end(trainer, None)
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def warned(spikes=None, times=None, **limits):
    """What is said about a layer of these spikes, or times of 8 steps."""
    callback = LayerWarning(**limits)
    outputs = {"spikes": {"hidden": spikes}} if times is None else {"times": {"hidden": times}}
    module = SimpleNamespace(network=SimpleNamespace(num_steps=8))
    callback.on_validation_batch_end(None, module, outputs, None, 0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        callback.on_validation_epoch_end(SimpleNamespace(sanity_checking=False), module)
    return [str(warning.message).partition(": ")[0] for warning in caught]


def test_a_layer_at_a_limit_is_silent_or_saturated():
    quarter = torch.tensor([1.0, 0.0, 0.0, 0.0]).view(4, 1, 1)
    assert warned(quarter, silent=0.25) == ["The layer `hidden` is silent"]
    assert warned(quarter, silent=0.24) == []
    assert warned(1 - quarter, saturated=0.75) == ["The layer `hidden` is saturated"]
    assert warned(1 - quarter, saturated=0.76) == []
    assert warned(0 * quarter, silent=0.0) == ["The layer `hidden` is silent"]


def test_neurons_that_all_fire_once_count_as_half_way_to_saturation():
    assert warned(times=torch.zeros(3, 4), silent=0.4) == []
    assert warned(times=torch.zeros(3, 4), silent=0.48) == ["The layer `hidden` is silent"]
    assert warned(times=torch.full((3, 4), 8.0)) == ["The layer `hidden` is silent"]


def test_without_fan_outs_each_spike_reaches_all_neurons_of_the_next_layer(tmp_path):
    torch.manual_seed(0)
    outputs, module = Outputs(), LitHybridVAE(HybridVAE(12, 5, 4, num_steps=1, outputs=12))
    trainer = quiet_trainer(tmp_path, callbacks=[SpikeStatistics(), outputs])
    [logged] = trainer.validate(module, TinyImages(), verbose=False)
    given, hidden = (sum(one["spikes"][name].sum() for one in outputs.batches) for name in ("input", "hidden"))
    assert hidden > 0
    assert logged["spikes/synaptic_operations"] == pytest.approx(float(given * 5 + hidden * 4) / 25)

    callback = SpikeStatistics()
    callback.on_validation_epoch_start(None, module)
    callback.on_validation_batch_end(None, module, {"spikes": {"code": torch.ones(2, 3, 4)}}, None, 0)
    assert callback.operations == 0
    wrong = {"spikes": {"a": torch.ones(2, 3, 4), "b": torch.ones(2, 3, 4)}, "fan_out": [4, 4]}
    with pytest.raises(ValueError, match="zip"):
        callback.on_validation_batch_end(None, module, wrong, None, 0)
