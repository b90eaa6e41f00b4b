"""Images of event-camera digits, from recordings that are written here in the format of MNIST-DVS."""

import pytest
import torch

from snn_synth.cli import main
from snn_synth.data import MNISTSubset
from snn_synth.errors import InputError
from snn_synth.models import AESNN, HybridVAE
from snn_synth.training import LitAutoencoder, LitHybridVAE, MNISTDVSData, NMNISTData, events
from snn_synth.training.images import load_images
from tests.recordings import write_aedat, write_nmnist
from tests.training.tiny import TinyImages, quiet_trainer

STEPS, STEP = 12, 25_000
PATH = [(0, 0), (1, 1), (2, 2), (1, 3), (0, 4), (-1, 3), (-2, 2), (-1, 1)]  # of the digit on the screen


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Twenty recordings of each digit: a pixel that becomes brighter fires ON, one that becomes darker OFF."""
    root, digits = tmp_path_factory.mktemp("data"), MNISTSubset(train=True)
    for label in range(10):
        images = digits.images[digits.labels == label][:20].float() / 255
        for number, image in enumerate(images, start=1):
            events, before = [], image
            for t in range(1, STEPS + 1):
                now = torch.roll(image, PATH[t % len(PATH)], (0, 1))
                for change, polarity in ((now - before, 1), (before - now, 0)):
                    for row, column in (change[1:27, 1:27] > 0.3).nonzero().tolist():
                        events.append((48 + row, 48 + column, polarity, t * STEP + 100 * row))
                before = now
            name = f"grabbed_data{label}/scale4/mnist_{label}_scale04_{number:04d}.aedat"
            write_aedat(root / "mnist_dvs" / name, sorted(events, key=lambda event: event[3]))
    return root


def test_a_batch_has_spikes_and_the_first_image_of_each_digit(recordings):
    data = MNISTDVSData(str(recordings), "mnist_subset", STEPS, STEP, batch_size=20)
    data.prepare_data()
    data.setup("fit")
    batch = next(iter(data.train_dataloader()))
    digits = MNISTSubset(train=True)
    assert batch.spikes.shape == (STEPS, 20, 2 * 26 * 26)
    for place, label in enumerate(batch.labels):
        first = digits.images[digits.labels == label][0] / 255
        assert torch.equal(batch.images[place, 0], first)
        spikes, found = data.train_set[int(batch.index[place])]
        assert found == label
        assert torch.equal(batch.spikes[:, place], spikes.flatten(1))
    assert len(data.train_index) + len(data.validation_index) == 180
    assert len(data.test_set) == 20


def test_recordings_and_images_are_read_once_for_all_stages(recordings, monkeypatch):
    data, reads, read = MNISTDVSData(str(recordings), "mnist_subset", STEPS, STEP), [], MNISTDVSData.recordings
    monkeypatch.setattr(data, "recordings", lambda train: (reads.append(train), read(data, train))[1])
    monkeypatch.setattr(events, "load_images", lambda *what: (reads.append(what), load_images(*what))[1])
    data.prepare_data()
    images = ("mnist_subset", True, str(recordings))
    assert reads == [images, True]  # those to train, which say whether all is there
    reads.clear()
    for stage in ("fit", "test", "predict"):
        data.setup(stage)
    assert reads == [True, False, images]


@pytest.mark.slow
def test_the_config_learns_to_draw_what_was_recorded(recordings, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.chdir(tmp_path)
    sizes = [f"--data.num_steps={STEPS}", f"--model.network.num_steps={STEPS}", f"--data.step={STEP}"]
    quick = ["--trainer.max_epochs=40", "--trainer.check_val_every_n_epoch=40", "--trainer.accelerator=cpu"]
    quick += ["--data.batch_size=10"]
    words = ["fit", "--config=hv_mnist_dvs", f"--data.root={recordings}", "--data.images=mnist_subset", *sizes, *quick]
    assert main(words) == 0
    data = MNISTDVSData(str(recordings), "mnist_subset", STEPS, STEP)
    data.setup("fit")
    module = LitHybridVAE.load_from_checkpoint(tmp_path / "runs/hv_mnist_dvs/best.ckpt", weights_only=False)
    batch = next(iter(data.test_dataloader()))
    drawn = module.eval().predict_step(batch)
    nearest = torch.cdist(drawn.flatten(1), data.drawn.flatten(1)).argmin(1)
    assert (nearest == batch.labels).float().mean() >= 0.35, "of twenty recordings that it has not seen"


def test_missing_recordings_are_named_before_anything_trains(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["fit", "--config=hv_mnist_dvs", f"--data.root={tmp_path}", "--data.images=mnist_subset"]
    assert main(words) == 2
    assert "found none: unpack grabbed_data0.zip" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_batches_without_spikes_are_refused(tmp_path):
    module = LitHybridVAE(HybridVAE(12, 5, 4, num_steps=3, outputs=12), encoding="events")
    with pytest.raises(InputError, match="Expected batches with spikes, as of MNISTDVSData, got ImageBatch"):
        quiet_trainer(tmp_path, max_epochs=1).fit(module, TinyImages())


@pytest.fixture(scope="module")
def saccades(tmp_path_factory):
    """Four recordings of each digit in N-MNIST's format to train, one to test: edges that move right and then down."""
    root, digits = tmp_path_factory.mktemp("data"), MNISTSubset(train=True)
    for label in range(10):
        for number, image in enumerate(digits.images[digits.labels == label][:5].float() / 255):
            events, before = [], image
            for t in range(6):
                now = torch.roll(before, 1, t // 3)
                for change, polarity in ((now - before, 1), (before - now, 0)):
                    for row, column in (change > 0.3).nonzero().tolist():
                        events.append((column + 3, row + 3, polarity, 21_000 * t + 100 * row))
                before = now
            part = "Test" if number == 4 else "Train"
            write_nmnist(root / "nmnist" / part / str(label) / f"{number:05d}.bin", sorted(events, key=lambda e: e[3]))
    return root


@pytest.fixture
def nmnist(saccades, monkeypatch, tmp_path):
    monkeypatch.setenv("SNN_SYNTH_CACHE", str(tmp_path / "cache"))
    return NMNISTData(str(saccades), num_steps=6, batch_size=8, validation_fraction=0.25)


def test_recordings_of_n_mnist_are_read_in_one_process_and_found_once(nmnist, monkeypatch):
    reads, read = [], NMNISTData.recordings
    monkeypatch.setattr(nmnist, "recordings", lambda train: (reads.append(train), read(nmnist, train))[1])
    nmnist.prepare_data()
    assert reads == [True]
    for stage in ("fit", "test"):
        nmnist.setup(stage)
    assert reads == [True, True, False]


def test_a_batch_of_one_recording_is_drawn(nmnist):
    nmnist.setup("fit")
    batch = nmnist.batch(nmnist.train_set, torch.tensor([3]))
    lit = LitAutoencoder(AESNN(2312, 8), num_steps=6)
    assert lit.predict_step(batch).shape == (1, 1, 68, 34)


def test_a_batch_of_n_mnist_has_spikes_and_their_rates_as_images(nmnist):
    nmnist.setup("fit")
    batch = next(iter(nmnist.train_dataloader()))
    assert batch.spikes.shape == (6, 8, 2312)
    assert torch.equal(batch.images, batch.spikes.mean(0).view(8, 1, 68, 34))
    for place in range(8):
        spikes, label = nmnist.train_set[int(batch.index[place])]
        assert torch.equal(batch.spikes[:, place], spikes)
        assert batch.labels[place] == label
    assert (len(nmnist.train_index), len(nmnist.validation_index), len(nmnist.test_set)) == (30, 10, 10)
    assert nmnist.validation_index.tolist() != sorted(nmnist.validation_index.tolist()), "pictures show mixed digits"


@pytest.mark.parametrize("settings", [{}, {"loss": "rate"}, {"rule": "online"}], ids=str)
def test_an_autoencoder_learns_the_spikes_themselves(nmnist, settings, tmp_path, monkeypatch):
    torch.manual_seed(0)
    lit, seen = LitAutoencoder(AESNN(2312, 32), num_steps=6, **settings), []
    monkeypatch.setattr(lit, "encode", lambda *arguments: pytest.fail("spikes are encoded"))
    learn = lit.learn
    monkeypatch.setattr(lit, "learn", lambda *both: (seen.append(both), learn(*both))[1])
    trainer = quiet_trainer(tmp_path, max_epochs=1)
    trainer.fit(lit, datamodule=nmnist)
    first = next(iter(nmnist.train_dataloader())).spikes
    assert all(torch.equal(shown, first) for shown in seen[0]), "the target is the input"
    [measured] = trainer.test(lit, datamodule=nmnist, verbose=False)
    batch = next(iter(nmnist.test_dataloader()))
    rates = lit.network(batch.spikes).spikes.mean(0)
    assert torch.equal(trainer.predict(lit, datamodule=nmnist)[0].flatten(1), rates)
    assert measured["test/standardized_mse"] == pytest.approx(measured["test/spike_mse"], rel=1e-5)


def test_an_autoencoder_of_other_time_steps_or_pixels_is_refused(nmnist, recordings, tmp_path):
    with pytest.raises(InputError, match=r"the same `num_steps` of model and data, .* got 15 and 6"):
        quiet_trainer(tmp_path, max_epochs=1).fit(LitAutoencoder(AESNN(2312, 8)), datamodule=nmnist)
    with pytest.raises(InputError, match="Expected a network for images of 1 x 68 x 34 values, got one with 784"):
        quiet_trainer(tmp_path, max_epochs=1).fit(LitAutoencoder(AESNN(784, 8), num_steps=6), datamodule=nmnist)
    dvs = MNISTDVSData(str(recordings), "mnist_subset", STEPS, STEP)
    with pytest.raises(InputError, match="Expected spikes of each of 784 pixels to draw, got those of 1352"):
        quiet_trainer(tmp_path, max_epochs=1).fit(LitAutoencoder(AESNN(1352, 8), num_steps=STEPS), datamodule=dvs)
    lit = LitAutoencoder(AESNN(2312, 8), num_steps=7)
    nmnist.setup("fit")
    with pytest.raises(InputError, match="Expected spikes of `num_steps` 7 time steps, got 6"):
        quiet_trainer(tmp_path, max_epochs=1).fit(lit, nmnist.train_dataloader())
