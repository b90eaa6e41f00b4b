"""Trials of the other generators, on the 5,000 images that need no download."""

import dataclasses

import numpy as np
import pytest
import torch

from snn_synth.experiments.reproduce.classifiers import ImageClassifierTrial
from snn_synth.experiments.reproduce.first_spike import FirstSpikeTrial
from snn_synth.experiments.reproduce.generators import GENERATORS
from snn_synth.experiments.reproduce.hybrid import HybridTrial
from snn_synth.experiments.reproduce.recipes import Recipe
from snn_synth.experiments.reproduce.samples import ESVAETrial, GANTrial
from snn_synth.experiments.reproduce.trials import DRAWN

RECIPE = Recipe(lr=3e-3, weight_decay=0.0, one_cycle=True, epochs=1, batch_size=50)


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")


def of_subset(trial):
    return dataclasses.replace(trial, images="mnist_subset", recipe=RECIPE)


def drawn(trial, trials):

    return torch.from_numpy(np.load(trials / trial.key(0) / DRAWN))


@pytest.mark.slow
def test_a_hybrid_trial_says_what_a_judge_recognizes(tmp_path):
    trial = of_subset(HybridTrial(RECIPE, hidden=40, latent=16, num_steps=8))
    test = trial.run(0, tmp_path)["test"]
    assert test["pixel_mse"] < 1.1 * test["mean_image"]
    assert 0.05 < test["recognized"] < 1
    assert drawn(trial, tmp_path).shape == (2, 10, 28, 28)


@pytest.mark.slow
def test_an_esvae_trial_judges_reconstructions_and_samples(tmp_path):
    trial = of_subset(ESVAETrial(RECIPE, latent=16, num_steps=4))
    test = trial.run(0, tmp_path)["test"]
    assert test["pixel_mse"] < test["mean_image"], "after 90 batches"
    assert test["sure_of_shuffled"] < 0.05
    assert test["classifier_frechet"] > 0
    assert 0 <= test["sure"] <= 1
    assert drawn(trial, tmp_path).shape == (7, 10, 28, 28)


@pytest.mark.slow
def test_a_gan_trial_judges_samples(tmp_path):
    trial = of_subset(GANTrial(RECIPE))
    test = trial.run(0, tmp_path)["test"]
    assert test["sure_of_shuffled"] < 0.05
    assert test["sure"] > 0.01, "after 90 batches"
    assert drawn(trial, tmp_path).shape == (6, 10, 28, 28)


@pytest.mark.slow
def test_a_first_spike_trial_says_when_it_decides(tmp_path):
    trial = of_subset(FirstSpikeTrial(RECIPE, hidden=50))
    test = trial.run(0, tmp_path)["test"]
    assert test["accuracy"] > 0.4
    assert 0 < test["decision"] < 1
    assert test["spikes"] > 1


@pytest.mark.slow
def test_a_judge_is_right_on_most(tmp_path):
    test = of_subset(ImageClassifierTrial(RECIPE)).run(0, tmp_path)["test"]
    assert test["accuracy"] > 0.8


def test_quick_trials_are_at_most_a_tenth_as_long():
    for experiment in GENERATORS.values():
        for arm in experiment.arms.values():
            quick = arm.quick()
            batches = quick.limit * quick.recipe.epochs
            assert batches <= 0.1 * (60_000 // arm.recipe.batch_size) * arm.recipe.epochs
