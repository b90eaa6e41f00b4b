import json

import pytest
import torch

from snn_synth.experiments.reproduce.recipes import Recipe
from snn_synth.experiments.reproduce.temporal import TemporalTrial, without_inhibition
from snn_synth.models import TemporalCodingAE

RECIPE = Recipe(lr=3e-3, weight_decay=0.0, one_cycle=True, epochs=1, batch_size=32)


@pytest.mark.parametrize("kind", ["ttfs", "ann"])
def test_a_trial_learns_and_measures(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    trial = TemporalTrial(RECIPE, kind=kind, images="mnist_subset", hidden=16)
    result = trial.run(0, tmp_path)
    test = result["test"]
    assert test["pixel_mse"] < test["mean_image"], "better than the mean image after 140 batches"
    assert 0.06 < test["mean_image"] < 0.075
    assert test["pca_32"] < test["pca_16"] < test["pca_8"] < test["mean_image"] < test["black"]
    assert test["probe"] > 0.4
    assert ("pixel_mse_without_inhibition" in test) == (kind == "ttfs")
    if kind == "ttfs":
        assert test["pixel_mse_without_inhibition"] > 2 * test["pixel_mse"]
        assert test["silent_output"] < 0.05
    assert json.loads((tmp_path / trial.key(0) / "result.json").read_text()) == result


@pytest.mark.slow
def test_a_long_latency_leaves_no_neuron_silent(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    test = TemporalTrial(RECIPE, images="mnist_subset", latency=8.0).run(0, tmp_path)["test"]
    assert test["silent_output"] < 0.01
    assert test["pixel_mse"] < 0.9 * test["black"], "after 140 batches"


def test_without_inhibition_no_weight_is_negative_and_the_network_stays():
    network = TemporalCodingAE(12, 5)
    before = [weight.detach().clone() for weight in network.parameters()]
    made = without_inhibition(network)
    assert (made.encoder.weight >= 0).all()
    torch.testing.assert_close(made.encoder.weight, before[0].clamp(min=0))
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), before, strict=True))


def test_a_quick_trial_is_one_epoch_of_a_tenth_of_the_images():
    trial = TemporalTrial(Recipe(lr=3e-3, epochs=12, batch_size=32))
    quick = trial.quick()
    assert (quick.train_images, quick.recipe.epochs) == (6_000, 1)
    assert quick.limit == 187
