"""Training the network that predicts spikes, and the sequences it is trained on."""

import functools
import itertools

import pytest
import torch
import torch.nn.functional as F

from snn_synth.data import drifting_blobs
from snn_synth.errors import InputError
from snn_synth.functional import bernoulli_information, bernoulli_log_prob
from snn_synth.models import HybridPredictor
from snn_synth.training import DriftingBlobsData, LitHybridPredictor
from snn_synth.training.predictor import losses_ahead
from snn_synth.training.sequences import SequenceBatch
from tests.training.tiny import quiet_trainer


@pytest.mark.parametrize("delay", [-2, 0, 3])
def test_targets_lie_ahead_of_the_spikes_by_the_delay(delay):
    data = DriftingBlobsData(sequences=4, steps=8, neurons=5, delay=delay, batch_size=4, seed=1)
    data.setup("fit")
    batch = data.batch(torch.tensor([2, 0]))
    places = drifting_blobs(2 * 2_004, 8 + abs(delay), 5, 1).view(-1, 2, 8 + abs(delay))
    pairs = list(itertools.combinations_with_replacement(range(5), 2))
    for column, sequence in enumerate((2, 0)):
        for t in range(8):
            now, then = (t, t + delay) if delay >= 0 else (t - delay, t)
            assert batch.spikes[t, column].nonzero().flatten().tolist() == sorted(
                set(places[sequence, :, now].tolist())
            )
            assert pairs[batch.targets[t, column]] == tuple(sorted(places[sequence, :, then].tolist()))


def test_each_part_has_sequences_of_its_own():
    data = DriftingBlobsData(sequences=6, steps=3, batch_size=4)
    data.setup("fit")
    parts = [torch.cat([b.index for b in loader]) for loader in (data.train_dataloader(), data.val_dataloader())]
    parts.append(torch.cat([b.index for b in data.test_dataloader()]))
    assert sorted(torch.cat(parts[1:]).tolist()) == list(range(6, 2_006))
    assert set(parts[0].tolist()) < set(range(6))  # a last batch that is not full is left out


def test_the_mean_of_the_estimated_gradients_is_the_enumerated_one(tmp_path):
    """Two neurons over two steps have 16 codes; the window spans both, so nothing is left out."""
    torch.manual_seed(0)
    network = HybridPredictor(inputs=3, outputs=6, latent=2, window=2, n_basis=2, memory=2).double()
    with torch.no_grad():
        network.readout.feedback.copy_(torch.tensor([1.5, -1.0]))
        network.decoder.layers[1].weight.mul_(4)
    spikes = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]], dtype=torch.float64)[:, None]
    targets = torch.tensor([[1], [4]])
    parameters = list(network.parameters())

    # Exactly, from the probability of each code.
    codes = (
        torch.tensor(list(itertools.product((0.0, 1.0), repeat=4)), dtype=torch.float64).view(16, 2, 2).transpose(0, 1)
    )
    readout = network.readout
    of_lag = [readout.weight * readout.bases[:, lag, None, None] for lag in (0, 1)]
    first = readout.bias + torch.einsum("bn,kmn->bm", spikes[0].expand(16, 3), of_lag[0])
    driven = sum(torch.einsum("bn,kmn->bm", spikes[t].expand(16, 3), of_lag[1 - t]) for t in (0, 1))
    second = readout.bias + driven + readout.feedback * readout.feedback_basis[0] * codes[0]
    logits = torch.stack([first, second])
    probabilities = bernoulli_log_prob(logits, codes).sum((0, 2)).exp()
    torch.testing.assert_close(probabilities.sum().item(), 1.0)
    scores = network.decoder(codes)
    wrong = F.cross_entropy(scores, torch.full((16,), 4), reduction="none")
    information = bernoulli_information(logits, codes, 0.2).mean(2).sum(0)
    expected = (probabilities * (wrong + 0.7 * information)).sum() / 2
    exact = torch.autograd.grad(expected, parameters)

    module = LitHybridPredictor(network, beta=0.7, draws=2)
    module.log = lambda *_, **__: None
    estimates = []
    for key in range(300):
        count = 50
        batch = SequenceBatch(spikes.expand(2, count, 3), targets.expand(2, count), torch.arange(count) + 1_000 * key)
        module.seed = key
        grads = torch.autograd.grad(module.training_step(batch, 0), parameters)
        estimates.append(torch.cat([g.flatten() for g in grads]))
    found = torch.stack(estimates)
    error = found.std(0) / len(found) ** 0.5
    wanted = torch.cat([g.flatten() for g in exact])
    assert ((found.mean(0) - wanted).abs() < 4 * error + 1e-12).all()
    assert wanted.norm() > 10 * error.norm(), "the noise does not hide a wrong estimator"


def test_what_is_drawn_answers_for_the_losses_that_read_it():
    losses = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    found = losses_ahead(losses, 3)
    for t in range(9):
        torch.testing.assert_close(found[t], losses[t : t + 3].sum(0))


@pytest.mark.slow
def test_it_learns_to_tell_what_comes(tmp_path):
    data = DriftingBlobsData(sequences=2_000, steps=40, neurons=6, batch_size=20)
    torch.manual_seed(0)
    adam = functools.partial(torch.optim.Adam, lr=1e-2)
    module = LitHybridPredictor(HybridPredictor(6, 21, 10), optimizer=adam)
    trainer = quiet_trainer(tmp_path, max_epochs=3)
    trainer.fit(module, data)
    (found,) = trainer.test(module, data, verbose=False)
    told = torch.cat([batch.targets[4:].flatten() for batch in data.test_dataloader()])
    most_common = (told == told.mode().values).float().mean().item()
    assert found["test/accuracy"] > most_common + 0.05


def test_bad_input(tmp_path):
    with pytest.raises(InputError, match="Expected `beta` to be at least 0, got -1"):
        LitHybridPredictor(HybridPredictor(), beta=-1)
    with pytest.raises(InputError, match=r"Expected a network of 20 inputs and 210 outputs, .* got 20 and 10"):
        quiet_trainer(tmp_path).fit(LitHybridPredictor(HybridPredictor(outputs=10)), DriftingBlobsData(50, 9))
    with pytest.raises(InputError, match="Expected sequences, steps and neurons of at least 1, got 0, 100 and 20"):
        DriftingBlobsData(sequences=0)
