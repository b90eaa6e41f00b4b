"""What we rely on in snnTorch, and what its users rely on in us."""

import pytest
import snntorch as snn
import snntorch.functional as SF
import torch
from snntorch import spikegen
from torch import nn

from snn_synth.losses import masked_membrane_loss
from snn_synth.surrogate import SigmoidCentered


def _digits():
    from snn_synth.data import MNISTSubset

    train, test = MNISTSubset(train=True), MNISTSubset(train=False)
    return [(s.images.flatten(1).float() / 255, s.labels) for s in (train, test)]


class _StockNet(nn.Module):
    """The network of snnTorch's own tutorials; only the surrogate is ours."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 100)
        self.lif1 = snn.Leaky(beta=0.95, spike_grad=SigmoidCentered(slope=5))
        self.fc2 = nn.Linear(100, 10)
        self.lif2 = snn.Leaky(beta=0.95, spike_grad=SigmoidCentered(slope=5))

    def forward(self, x, num_steps=10):
        mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
        spk_rec, mem_rec = [], []
        for _ in range(num_steps):
            spk1, mem1 = self.lif1(self.fc1(x), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spk_rec.append(spk2)
            mem_rec.append(mem2)
        return torch.stack(spk_rec), torch.stack(mem_rec)


def test_a_stock_network_with_our_surrogate_trains_in_snntorchs_own_loop():
    (images, labels), (test_images, test_labels) = _digits()
    torch.manual_seed(0)
    net = _StockNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3, betas=(0.9, 0.999))
    loss_fn = SF.ce_rate_loss()
    for batch in torch.randperm(len(images)).split(100):
        net.train()
        spk_rec, _ = net(images[batch])
        loss_val = loss_fn(spk_rec, labels[batch])
        optimizer.zero_grad()
        loss_val.backward()
        optimizer.step()
    with torch.no_grad():
        accuracy = SF.accuracy_rate(net(test_images)[0], test_labels)
    assert accuracy > 0.8  # guessing gives 0.1; 45 batches


def test_a_stock_network_takes_our_loss():
    (images, _), _ = _digits()
    torch.manual_seed(0)
    fc = nn.Linear(784, 784, bias=False)
    lif = snn.Leaky(beta=0.9, reset_mechanism="zero", spike_grad=SigmoidCentered())
    optimizer = torch.optim.Adam(fc.parameters(), lr=5e-3)
    loss_fn = masked_membrane_loss(threshold=1.0)
    losses = []
    for batch in images[torch.randperm(len(images))[:2000]].split(100):
        spikes = spikegen.rate(batch, num_steps=10)
        mem, mem_rec = lif.reset_mem(), []
        for step in spikes:
            _, mem = lif(fc(step), mem)
            mem_rec.append(mem)
        loss_val = loss_fn(torch.stack(mem_rec), spikes)
        optimizer.zero_grad()
        loss_val.backward()
        optimizer.step()
        losses.append(loss_val.item())
    assert sum(losses[-3:]) < 0.5 * sum(losses[:3])


def test_stock_leaky_returns_the_membrane_before_its_delayed_reset():
    lif = snn.Leaky(beta=0.5, reset_mechanism="zero", spike_grad=SigmoidCentered())
    mem, trace = lif.reset_mem(), []
    for _ in range(4):
        spk, mem = lif(torch.tensor([0.75]), mem)
        trace.append((spk.item(), mem.item()))
    assert trace == [(0, 0.75), (1, 1.125), (0, 0.75), (1, 1.125)]


@pytest.mark.parametrize(
    ("options", "membrane"),
    [
        ({"reset_mechanism": "subtract"}, 1.5),
        ({"reset_mechanism": "zero"}, 1.5),
        ({"init_hidden": True, "output": True}, 1.5),
        ({"reset_mechanism": "subtract", "reset_delay": False}, 0.5),
        ({"reset_mechanism": "zero", "reset_delay": False}, 0.0),
    ],
)
def test_what_the_loss_gets_from_a_stock_neuron_that_fires(options, membrane):
    """V before its reset, as masked_membrane_loss says; after it with reset_delay=False alone."""
    lif = snn.Leaky(beta=0.9, spike_grad=SigmoidCentered(), **options)
    state = () if "init_hidden" in options else (torch.zeros(1, 1),)
    _, mem = lif(torch.full((1, 1), 1.5), *state)
    loss = masked_membrane_loss()(mem[None], torch.zeros(1, 1, 1))  # it should not have fired
    assert mem.item() == membrane
    assert loss.item() == (membrane**2 / 2 if membrane == 1.5 else 0)  # after a reset the loss sees no spike


def test_stock_sigmoid_is_nan_where_ours_is_zero():
    for surrogate, finite in ((snn.surrogate.sigmoid(slope=25), False), (SigmoidCentered(slope=25), True)):
        x = torch.tensor([-6.0], requires_grad=True)
        surrogate(x).backward()
        assert bool(torch.isfinite(x.grad)) == finite
