from dataclasses import replace

import pytest
import torch

from snn_synth.experiments.reproduce.autoencoders import AutoencoderTrial
from snn_synth.experiments.reproduce.recipes import Recipe
from snn_synth.experiments.reproduce.trials import NETWORK
from snn_synth.models import AEANN

ANN = AutoencoderTrial(
    Recipe(lr=0.01, batch_size=20), kind="ann", images="mnist_subset", hidden=12, train_images=60, output="sigmoid"
)


@pytest.mark.parametrize("updates", [1, 3])
def test_a_conventional_network_is_updated_so_often_on_each_batch(updates, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    trial = replace(ANN, updates=updates)
    result = trial.run(0, tmp_path)
    assert result["curve"]["batch"][-1] == 3, "batches are counted, not updates"
    data = trial.data(None, 0)
    data.prepare_data()
    data.setup("fit")
    network = trial.module(0, data, tmp_path).network
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01, weight_decay=1e-4)
    batches = iter(data.train_dataloader())
    for _ in range(3):
        images = next(batches).images.flatten(1)
        for _ in range(updates):
            optimizer.zero_grad()
            (0.5 * (network(images) - images).square().sum() / len(images)).backward()
            optimizer.step()
    saved = AEANN.from_pretrained(tmp_path / trial.key(0) / NETWORK)
    for ours, theirs in zip(saved.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_initial_weights_may_be_drawn_as_glorot_and_bengio_do():
    trial = AutoencoderTrial(Recipe(lr=1e-3), images="mnist_subset", hidden=100, glorot=True)
    for layer in trial.module(0, trial.data(None, 0), None).network.layers:
        weight = layer[0].weight
        assert weight.abs().max() <= (bound := (6 / (784 + 100)) ** 0.5)
        assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)


def test_a_recipe_says_how_long_second_moments_are_kept():
    weights = [torch.nn.Parameter(torch.ones(1))]
    made = Recipe(lr=0.1, beta2=0.99).factories()["optimizer"](weights)
    assert made.defaults["betas"] == (0.9, 0.99)
    assert "betas" not in Recipe(lr=0.1, optimizer="sgd").factories()["optimizer"](weights).defaults
