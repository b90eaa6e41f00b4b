"""Trials of spoken words to new images, and of the network that has one image for each."""

import dataclasses

import numpy as np
import pytest
import torch

from snn_synth.experiments.reproduce.diffusion import VQDTrial
from snn_synth.experiments.reproduce.recipes import Recipe
from snn_synth.experiments.reproduce.spoken import EACH, SPOKEN, DrawnTrial, SpokenDiffusionTrial
from snn_synth.experiments.reproduce.trials import DRAWN
from tests.training.tiny import write_fsdd

RECIPE = Recipe(lr=5e-2, weight_decay=0.0, one_cycle=True, epochs=1, batch_size=20)


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("SNN_SYNTH_CACHE", str(tmp_path / "cache"))
    return write_fsdd(tmp_path / "data")


@pytest.mark.slow
def test_a_trial_measures_new_images_of_each_word(root, tmp_path, monkeypatch):
    recipe = dataclasses.replace(RECIPE, lr=3e-3, epochs=2)
    diffusion = VQDTrial(recipe, "mnist_subset", 1_000, channels=(4, 8), codebook=16, hidden=32, autoencoder_epochs=1)
    diffusion = dataclasses.replace(diffusion, sampling_steps=5, samples=20)
    monkeypatch.setattr(VQDTrial, "measure", lambda self, module, data: {"test": {"pixel_mse": 0.0}})
    monkeypatch.setattr(VQDTrial, "further_parts", ())
    monkeypatch.setattr(VQDTrial, "further", lambda self, module, data: {})
    trial = SpokenDiffusionTrial(RECIPE, diffusion=diffusion)
    test = trial.run(0, tmp_path / "trials", root)["test"]
    assert 0 <= test["right"] <= 1
    assert test["utterance_variance"] > 0.1, "images of one word differ"
    rows = np.load(tmp_path / "trials" / trial.key(0) / DRAWN)
    assert rows.shape == (1 + EACH, 10, 28, 28)


@pytest.mark.slow
def test_the_variance_of_one_words_images_is_measured_around_their_mean(root, tmp_path, monkeypatch):
    chosen = SPOKEN["spoken-diffusion"].variants["data set B's network"].audiocoder
    below = dataclasses.replace(chosen.autoencoder, images="mnist_subset")
    trial = DrawnTrial(RECIPE, audiocoder=dataclasses.replace(chosen, autoencoder=below))
    data = trial.data(root, 0)
    data.prepare_data()
    data.setup("fit")

    def real(images_of_words):
        monkeypatch.setattr(DrawnTrial, "images", lambda self, module, data, places: images_of_words(places))
        return trial.measure(None, data)["test"]

    pixels, generator = data.image_set, torch.Generator().manual_seed(0)

    def others(places):
        """Five real images of each word's digit."""
        found = []
        for label in data.corpus.labels[places].tolist():
            of_digit = torch.nonzero(pixels.labels == label).flatten()
            found.append(of_digit[torch.randint(len(of_digit), (EACH,), generator=generator)])
        return pixels.images[torch.cat(found)].view(len(places), EACH, 1, 28, 28).float() / 255

    varied = real(others)
    assert varied["utterance_variance"] == pytest.approx(1, abs=0.1), "as much as real images do"
    assert varied["right"] > 0.95
    same = real(lambda places: others(places)[:, :1].expand(-1, EACH, -1, -1, -1))
    assert same["utterance_variance"] < 1e-10
    assert same["pixel_variance"] > 0.5, "though the words differ from each other"
