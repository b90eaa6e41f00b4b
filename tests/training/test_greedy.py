"""Deep autoencoders whose layers learn one after the other."""

import functools

import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.learning import bptt_loss
from snn_synth.training import LitAutoencoder
from snn_synth.training.spiking import LitSpiking
from tests.training.tiny import TinyImages, firing_autoencoder, quiet_trainer

SGD = functools.partial(torch.optim.SGD, lr=0.1)


@pytest.mark.parametrize("rule", ["bptt", "online"])
def test_each_layer_learns_alone_then_all_together(tmp_path, rule):
    moved = []

    class Watched(LitAutoencoder):
        def on_train_epoch_start(self):
            self.before = [weight.detach().clone() for weight in self.network.parameters()]

        def on_train_epoch_end(self):
            pairs = zip(self.before, self.network.parameters(), strict=True)
            moved.append([not torch.equal(a, b) for a, b in pairs])

    network = firing_autoencoder(12, [8, 5])
    module = Watched(network, greedy_epochs=2, rule=rule, num_steps=4, optimizer=SGD)
    quiet_trainer(tmp_path, max_epochs=5).fit(module, TinyImages())
    outer, inner = [True, False, False, True], [False, True, True, False]
    assert moved == [outer, outer, inner, inner, [True] * 4]


def test_the_inner_pair_learns_the_spikes_of_the_layer_below(tmp_path):
    """Its first gradient is that of an autoencoder of its own on those spikes."""
    network = firing_autoencoder(12, [8, 5])
    with torch.no_grad():
        for operator, _ in network.layers[1:]:
            operator.weight.mul_(2)
    module = LitAutoencoder(network, greedy_epochs=1, num_steps=9, optimizer=SGD)
    module.log = lambda *_, **__: None
    data = TinyImages()
    batch = data.batch(torch.arange(10))
    module.trainer = type("Trainer", (), {"current_epoch": 1})()
    loss = LitAutoencoder.training_step(module, batch, 0)
    loss.backward()
    given = module.encode(batch.images, batch.index, 1)
    codes = network.layers[0][1].scan(network.layers[0][0](given))[0].detach()
    alone = firing_autoencoder(8, 5)
    for ours, theirs in zip(alone.layers, network.layers[1:3], strict=True):
        ours.load_state_dict(theirs.state_dict())
    wanted = bptt_loss(alone, codes, codes)
    wanted.backward()
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-6)
    assert loss.item() > 0
    for ours, theirs in zip(alone.layers, network.layers[1:3], strict=True):
        torch.testing.assert_close(ours[0].weight.grad, theirs[0].weight.grad)
    assert network.layers[0][0].weight.grad is None
    assert network.layers[3][0].weight.grad is None


def test_several_processes_and_negative_epochs_are_one_sentence(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="`greedy_epochs` of at least 0, got -1"):
        LitAutoencoder(firing_autoencoder(12, 5), greedy_epochs=-1)
    monkeypatch.setattr(LitSpiking, "on_fit_start", lambda self: None)
    module = LitAutoencoder(firing_autoencoder(12, 5), greedy_epochs=1)
    module.trainer = type("Trainer", (), {"world_size": 2})()
    with pytest.raises(InputError, match="one process to train layer by layer, got 2"):
        module.on_fit_start()
    module.greedy_epochs = 0
    module.on_fit_start()
