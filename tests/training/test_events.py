"""Images of event-camera digits, from recordings that are written here in the format of MNIST-DVS."""

import pytest
import torch

from snn_synth.cli import main
from snn_synth.data import MNISTSubset
from snn_synth.errors import InputError
from snn_synth.models import HybridVAE
from snn_synth.training import LitHybridVAE, MNISTDVSData
from tests.recordings import write_aedat
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


@pytest.mark.slow
def test_the_config_learns_to_draw_what_was_recorded(recordings, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.chdir(tmp_path)
    sizes = [f"--data.num_steps={STEPS}", f"--model.network.num_steps={STEPS}", f"--data.step={STEP}"]
    quick = ["--trainer.max_epochs=40", "--data.batch_size=10", "--trainer.accelerator=cpu"]
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
