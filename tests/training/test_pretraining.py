"""How an autoencoder is trained before its audiocoder: which batches, how long, which random numbers."""

import pytest
import torch

from snn_synth.data import ImageDataset
from snn_synth.errors import InputError
from snn_synth.models import ACSNN, SpikingAutoencoder
from snn_synth.training import LitAudiocoder, pretraining
from snn_synth.training.pretraining import pretrain_autoencoder


def images(count):
    pixels = torch.arange(count * 6).reshape(count, 2, 3) % 256
    return ImageDataset(pixels.to(torch.uint8), torch.arange(count) % 2, ("a", "b"))


class Untrained:
    """Stands in for a Trainer: it keeps what it is given, and trains nothing."""

    def __init__(self, **settings):
        Untrained.settings = settings

    def fit(self, module, loader):
        Untrained.module, Untrained.loader = module, loader


@pytest.fixture
def asked(monkeypatch, tmp_path):
    monkeypatch.setattr(pretraining, "Trainer", Untrained)

    def ask(count, **settings):
        Untrained.network = pretrain_autoencoder(images(count), tmp_path / "autoencoder", **settings)
        return Untrained

    return ask


@pytest.mark.parametrize(
    ("count", "settings", "size", "epochs"),
    [
        (1, {}, 1, 30),
        (9, {}, 1, 30),
        (47, {}, 4, 30),
        (99, {"epochs": 3}, 9, 30),
        (110, {"epochs": 40}, 11, 40),
        (999, {}, 99, 30),
        (1000, {}, 20, 1),
        (1000, {"epochs": 3}, 20, 3),
    ],
)
def test_few_images_go_through_in_ten_batches_and_more_often(asked, count, settings, size, epochs):
    ask = asked(count, hidden=3, **settings)
    first = next(iter(ask.loader))
    assert len(first.images) == size
    assert ask.settings["max_epochs"] == epochs


def test_the_order_is_drawn_in_one_process_and_a_ragged_batch_left_out(asked, monkeypatch):
    for name, value in (("is_initialized", True), ("get_world_size", 2), ("get_rank", 1)):
        monkeypatch.setattr(torch.distributed, name, lambda value=value: value)
    seen = [[batch.index.tolist() for batch in asked(47, hidden=3, seed=seed).loader] for seed in (1, 2, 1)]
    assert [len(places) for places in seen[0]] == [4] * 11, "all are this process's, but for three of them"
    assert len({place for places in seen[0] for place in places}) == 44
    assert seen[0] == seen[2] != seen[1]
    batch = next(iter(asked(47, hidden=3).loader))
    assert torch.equal(batch.images[:, 0] * 255, images(47).images[batch.index].float())


def test_the_network_and_how_it_learns(asked):
    ask = asked(20, hidden=3, seed=4)
    assert (ask.module.seed, ask.module.loss, ask.module.rule, ask.module.neuron_share) == (4, "rate", "bptt", 10.0)
    settings = {"inputs": 6, "hidden": 3, "slope": 2.0, "reset": "subtract", "learned": True}
    assert settings.items() <= ask.network.config.items()
    assert {name.rpartition(".")[2] for name, _ in ask.network.named_parameters()} == {"weight", "threshold", "beta"}
    optimizer = ask.module.optimizer(ask.network.parameters())
    assert isinstance(optimizer, torch.optim.AdamW)
    assert (optimizer.defaults["lr"], optimizer.defaults["fused"]) == (3e-3, True)
    assert ask.module.lr_scheduler.keywords == {"max_lr": 3e-3}
    alone = {"devices": 1, "logger": False, "enable_checkpointing": False, "enable_model_summary": False}
    assert alone.items() <= ask.settings.items()


def test_leaks_and_thresholds_can_be_left_fixed(asked):
    network = asked(20, hidden=3, recipe="fixed").network
    assert network.config["reset"] == "subtract"
    assert {name.rpartition(".")[2] for name, _ in network.named_parameters()} == {"weight"}


def test_the_papers_recipe(asked):
    """Roy, Panda & Roy 2019, section 4.1."""
    ask = asked(1000, hidden=3, seed=4, recipe="paper")
    assert (ask.module.seed, ask.module.loss, ask.module.rule) == (4, "membrane", "online")
    papers = {"inputs": 6, "hidden": 3, "alpha": 0.1, "threshold": 1.0, "slope": 1.0, "reset": "zero", "learned": False}
    assert papers.items() <= ask.network.config.items()
    optimizer = ask.module.optimizer(ask.network.parameters())
    assert isinstance(optimizer, torch.optim.AdamW)
    assert (optimizer.defaults["lr"], optimizer.defaults["weight_decay"]) == (5e-4, 1e-4)
    assert ask.module.lr_scheduler is None
    assert len(next(iter(ask.loader)).images) == 100


def test_another_recipe_is_named(asked):
    with pytest.raises(InputError, match="'learned', 'fixed' or 'paper', got 'best'"):
        asked(20, hidden=3, recipe="best")
    with pytest.raises(InputError, match="'learned', 'fixed' or 'paper', got None"):
        LitAudiocoder(ACSNN(80, 24, 16), autoencoder_recipe=None)


def test_weights_are_drawn_by_the_seed_and_saved(asked, tmp_path):
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    drawn = []
    for seed in (1, 2, 1):
        network = asked(20, hidden=3, seed=seed).network
        drawn.append(next(network.parameters()).detach().clone())
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[1])
    assert torch.rand(1) == expected, "nobody else's numbers"
    saved = SpikingAutoencoder.from_pretrained(tmp_path / "autoencoder")
    assert torch.equal(next(saved.parameters()), drawn[2])
