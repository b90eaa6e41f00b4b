import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from snn_synth.experiments.reproduce.audiocoders import AudiocoderTrial
from snn_synth.experiments.reproduce.autoencoders import AutoencoderTrial
from snn_synth.experiments.reproduce.measure import speech_errors
from snn_synth.experiments.reproduce.recipes import Recipe
from snn_synth.models import ACSNN, AEANN, AESNN, Audiocoder, ConvACSNN
from snn_synth.training import SpokenDigitsData
from snn_synth.training.base import HELD_OUT
from tests.training.tiny import write_fsdd

from .test_measure import z

IMAGES = AutoencoderTrial(
    Recipe(lr=0.02, one_cycle=True, batch_size=20), images="mnist_subset", hidden=30, num_steps=6, train_images=2000
)
SPIKING = AudiocoderTrial(
    Recipe(lr=0.01, one_cycle=True, epochs=60, batch_size=10), IMAGES, hidden=32, num_steps=8, frames=20
)
SHORT = replace(SPIKING, recipe=replace(SPIKING.recipe, epochs=2))  # where it need not have learned


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_fsdd(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    """Where all trials of these tests lie, so that they share their autoencoders."""
    return tmp_path_factory.mktemp("trials")


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("SNN_SYNTH_CACHE", str(tmp_path_factory.mktemp("cache")))


def made(trial, root, trials):
    """The untrained module with its trained autoencoder, and the data."""
    data = trial.data(root, 0)
    data.prepare_data()
    data.setup("fit")
    return trial.module(0, data, trials), data


@pytest.mark.parametrize("paired", [True, False])
def test_a_drawing_is_compared_with_its_pair_or_the_nearest_of_its_digit(paired, root, trials):
    trial = replace(SPIKING, pairing="B")
    module, data = made(trial, root, trials)
    with torch.no_grad():
        for weight in module.network.parameters():
            weight.mul_(6)  # so that it fires before any training
    index = data.train_index if paired else data.test_index
    drawn, aims, found = speech_errors(module, data, data.batch(index[::7]), paired)
    spikes = module.encode(data.batch(index[::7]).spectrograms, index[::7], HELD_OUT).numpy()
    layers = [
        w.detach().double().numpy() for w in (*module.network.parameters(), module.autoencoder.layers[1][0].weight)
    ]
    potentials, count = [0.0, 0.0, 0.0], 0.0
    for below in spikes:  # equations 1 and 2, three layers on top of each other
        for place, weight in enumerate(layers):
            potentials[place] = 0.9 * potentials[place] * (potentials[place] < 1) + below @ weight.T
            below = potentials[place] >= 1
        count = count + below
    assert count.any()
    np.testing.assert_allclose(drawn, count / len(spikes), atol=1e-6)
    gallery = data.gallery.flatten(1).double().numpy()
    errors = ((z(count, 1)[:, None] - z(gallery, 1)[None]) ** 2).mean(2)
    labels, of_gallery = data.corpus.labels[index[::7]].numpy(), data.gallery_labels.numpy()
    own = np.where(labels[:, None] == of_gallery, errors, np.inf)
    best = np.arange(len(data.train_index))[::7] if paired else own.argmin(1)
    rows = np.arange(len(count))
    np.testing.assert_allclose(aims, gallery[best], atol=1e-6)
    np.testing.assert_allclose(found["standardized_mse"], errors[rows, best], atol=1e-4)
    np.testing.assert_array_equal(found["nearest_class"], of_gallery[errors.argmin(1)] == labels)


def test_a_spiking_trial_learns_from_its_autoencoder(root, trials):
    result = SPIKING.run(0, trials, root)
    assert result["test"]["standardized_mse"] < 0.75, "tones of ten heights are easily told apart"
    assert result["test"]["nearest_class"] > 0.5
    module, _ = made(SPIKING, root, trials)
    saved = AESNN.from_pretrained(trials / IMAGES.key(0) / "network")
    assert all(torch.equal(a, b) for a, b in zip(module.autoencoder.parameters(), saved.parameters(), strict=True))
    assert module.hidden_steps == 6
    assert made(replace(SPIKING, bits=3), root, trials)[0].hidden_steps == 3
    rows = np.load(trials / SPIKING.key(0) / "drawn.npy")
    assert rows.shape == (6, 10, 28, 28)
    assert result["cost"]["measured_batches"] == 60 * 7


def test_a_conventional_trial_aims_at_a_code_of_so_many_bits(root, trials):
    images = replace(IMAGES, kind="ann", output="sigmoid")
    trial = replace(SPIKING, autoencoder=images, bits=2)
    module, data = made(trial, root, trials)
    encoder = AEANN.from_pretrained(trials / images.key(0) / "network").encode[0]
    exact = np.maximum(
        data.gallery.flatten(1).numpy() @ encoder.weight.detach().numpy().T + encoder.bias.detach().numpy(), 0
    )
    levels = np.linspace(0, exact.max(), 4)
    nearest = levels[np.abs(exact[..., None] - levels).argmin(2)]
    np.testing.assert_allclose(module.codes, nearest, atol=1e-4)
    result = trial.run(0, trials, root)
    assert result["test"]["standardized_mse"] < 0.9
    assert "spike_mse" not in result["test"]


def test_a_search_leaves_the_test_set_alone(root, trials, monkeypatch):
    trial = replace(SHORT, search=True)
    _, data = made(trial, root, trials)
    read, batch = [], SpokenDigitsData.batch
    monkeypatch.setattr(SpokenDigitsData, "batch", lambda self, places: read.append(places) or batch(self, places))
    result = trial.run(0, trials, root)
    assert set(result) & {"val", "test", "train"} == {"val"}
    seen = set(torch.cat(read).tolist())
    assert set(data.validation_index.tolist()) <= seen
    assert seen.isdisjoint(data.test_index.tolist())


def test_a_full_size_trial_stops_early_and_says_what_an_epoch_would_take(root, trials):
    trial = replace(SHORT, batches=3, recipe=replace(SHORT.recipe, epochs=1))
    cost = trial.run(0, trials, root)["cost"]
    assert cost["measured_batches"] == 3
    assert cost["epoch_seconds"] == pytest.approx(7 * cost["batch_seconds"], abs=0.1)
    assert cost["peak_gb"] > 0.1


@pytest.fixture(scope="module")
def two_speakers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    root = write_fsdd(folder)
    for file in sorted((folder / "fsdd" / "recordings").glob("*.wav")):
        digit, _, take = file.stem.split("_")
        shutil.copy(file, file.with_name(f"{digit}_theo_{take}.wav"))
    return root


@pytest.mark.parametrize("network", ["fc", "conv"])
def test_a_speaker_who_is_left_out_is_measured_beside_the_others(two_speakers, trials, network):
    one = replace(
        SHORT,
        network=network,
        norm=True,
        augmentation=0.5,
        direct=True,
        train_steps=4,
        batches=6,
        held_out=("george",),
    )
    module, data = made(one, two_speakers, trials)
    assert isinstance(module.network, ConvACSNN if network == "conv" else ACSNN)
    assert module.network.config["norm"]
    assert (module.direct, module.train_steps, module.augmentation.strength) == (True, 4, 0.5)
    speakers = [data.corpus.speakers[place] for place in data.train_index]
    assert "george" not in speakers
    assert len(speakers) > 0
    result = one.run(0, trials, two_speakers)
    assert set(result) & {"test", "unheard", "train"} == {"test", "unheard"}
    saved = Audiocoder.from_pretrained(trials / one.key(0) / "network")
    module.network = saved
    module.hidden_maps = None
    parts = [data.held_out_index, data.test_index]
    for part, places in zip(("unheard", "test"), parts, strict=True):
        _, _, found = speech_errors(module, data, data.batch(places), paired=False)
        assert result[part]["nearest_class"] == pytest.approx(found["nearest_class"].mean().item(), abs=1e-6)
        assert result[part]["standardized_mse"] == pytest.approx(found["standardized_mse"].mean().item(), abs=1e-5)
    assert "-without-george" in one.key(0)


def test_measuring_in_the_middle_of_training_teaches_batch_norm_nothing(two_speakers, trials):
    one = replace(SPIKING, network="conv", norm=True, held_out=("george",))
    module, data = made(one, two_speakers, trials)
    norm = module.network.layers[0][0].norm
    one.watch(module, data)
    assert norm.num_batches_tracked == 0
    assert module.network.training
