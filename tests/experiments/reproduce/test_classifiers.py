import numpy as np
import pytest
import torch

from snn_synth.data import MNISTSubset
from snn_synth.experiments.reproduce.autoencoders import AutoencoderTrial
from snn_synth.experiments.reproduce.classifiers import PopulationTrial, ProbeTrial
from snn_synth.experiments.reproduce.recipes import Recipe
from snn_synth.training.base import HELD_OUT
from snn_synth.training.images import image_batch

RECIPE = Recipe(lr=0.01, one_cycle=True, batch_size=20)
IMAGES = AutoencoderTrial(RECIPE, images="mnist_subset", hidden=60, num_steps=6, train_images=2000)
BATCH = image_batch(MNISTSubset(train=False), torch.arange(0, 500, 9))


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    """Where all trials of these tests lie, so that they share their autoencoder."""
    return tmp_path_factory.mktemp("trials")


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")


def made(trial, trials):
    data = trial.data(None, 0)
    data.setup("fit")
    return trial.module(0, data, trials)


def potential(before, spikes, weight):
    return 0.9 * before * (before < 1) + spikes @ weight.T


def test_a_probe_reads_the_rates_of_the_code(trials):
    trial = ProbeTrial(RECIPE, images="mnist_subset", autoencoder=IMAGES)
    module = made(trial, trials)
    spikes = module.autoencoder.encode(BATCH.images, BATCH.index, HELD_OUT).double().numpy()
    weight = module.autoencoder.network.layers[0][0].weight.detach().double().numpy()
    v, rate = 0.0, 0.0
    for shown in spikes:
        v = potential(v, shown, weight)
        rate = rate + (v >= 1) / len(spikes)
    assert rate.any()
    np.testing.assert_allclose(module.features(BATCH, HELD_OUT), rate, atol=1e-6)
    w, b = (p.detach().double().numpy() for p in module.network.parameters())
    np.testing.assert_array_equal(module.classify(BATCH), (rate @ w.T + b).argmax(1))


def test_a_trained_code_is_recognized_and_not_changed(trials):
    found = {}
    for reads in ("code", "untrained", "pixels"):
        trial = ProbeTrial(
            RECIPE, images="mnist_subset", autoencoder=None if reads == "pixels" else IMAGES, reads=reads
        )
        found[reads] = trial.run(0, trials)["test"]["accuracy"]
    assert found["pixels"] > 0.8
    assert found["code"] > max(0.5, found["untrained"] + 0.2)
    weights = [made(ProbeTrial(RECIPE, images="mnist_subset", autoencoder=IMAGES), trials) for _ in range(2)]
    first, second = (module.autoencoder.network.layers[0][0].weight for module in weights)
    assert torch.equal(first, second)
    assert not first.requires_grad


def test_the_population_that_fires_most_is_the_class(trials):
    trial = PopulationTrial(RECIPE, images="mnist_subset", hidden=30, population=7, num_steps=5)
    module = made(trial, trials)
    with torch.no_grad():
        for weight in module.network.parameters():
            weight.mul_(6)  # so that it fires before any training
    spikes = module.encode(BATCH.images, BATCH.index, HELD_OUT).double().numpy()
    first, second = (p.detach().double().numpy() for p in module.network.parameters())
    hidden = out = count = 0.0
    for shown in spikes:
        hidden = potential(hidden, shown, first)
        out = potential(out, hidden >= 1, second)
        count = count + (out >= 1)
    assert count.any()
    votes = count.reshape(len(count), 10, 7).sum(2)
    np.testing.assert_array_equal(module.classify(BATCH), votes.argmax(1))


def test_a_population_learns_to_fire_for_its_class_alone(trials):
    trial = PopulationTrial(RECIPE, images="mnist_subset", hidden=60, population=10, num_steps=6, train_images=4000)
    result = trial.run(0, trials)
    assert result["test"]["accuracy"] > 0.75
    assert result["curve"]["accuracy"][-1] > result["curve"]["accuracy"][0] + 0.3
