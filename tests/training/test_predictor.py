"""Training the network that predicts spikes, and the sequences it is trained on."""

import functools
import itertools

import pytest
import torch
import torch.nn.functional as F

from snn_synth.data import drifting_blobs
from snn_synth.encoding import sample_keys
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
    assert torch.cat(parts[1:]).tolist() == list(range(6, 2_006)), "in order"
    assert torch.equal(torch.cat([b.index for b in data.predict_dataloader()]), parts[2])


def test_training_sequences_are_shuffled_in_each_epoch():
    data = DriftingBlobsData(sequences=40, steps=3, batch_size=40, seed=3)
    data.setup("fit")
    loader, orders = data.train_dataloader(), []
    for epoch in range(2):
        loader.sampler.set_epoch(epoch)
        orders.append([place for batch in loader for place in batch.index.tolist()])
    assert orders[0] != orders[1] != list(range(40)) != orders[0]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(40))


def test_one_sequence_of_one_step_and_one_neuron():
    data = DriftingBlobsData(sequences=1, steps=1, neurons=1, batch_size=1)
    data.setup("fit")
    (batch,) = data.train_dataloader()
    assert data.pairs == 1
    assert batch.spikes.tolist() == [[[1.0]]]
    assert batch.targets.tolist() == [[0]]


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


def small(window=3):
    torch.manual_seed(0)
    network = HybridPredictor(inputs=4, outputs=10, latent=3, window=window, n_basis=2, memory=2)
    with torch.no_grad():
        network.decoder.layers[1].weight.mul_(4)
    return network, DriftingBlobsData(sequences=20, steps=7, neurons=4, delay=1, batch_size=64, seed=5)


def test_what_is_measured_and_predicted_equals_a_plain_loop_over_the_set(tmp_path):
    """1,000 sequences in batches of 64: the last has 40."""
    network, data = small()
    module, trainer = LitHybridPredictor(network, seed=3), quiet_trainer(tmp_path)
    (found,) = trainer.test(module, data, verbose=False)
    loss, right, fired, best = [], [], [], []
    for start in range(0, 1000, 64):
        index = torch.arange(1_020, 2_020)[start : start + 64]
        batch = data.batch(index)
        generator = torch.Generator().manual_seed(int(sample_keys(3, -1, index[:1])))
        with torch.no_grad():
            out = network(batch.spikes, generator)
        for column in range(len(index)):
            best.append([])
            for t in range(2, 7):  # from the first full window on
                scores, target = out.scores[t - 2, column], int(batch.targets[t, column])
                loss.append(float(scores.logsumexp(0) - scores[target]))
                best[-1].append(int(scores.argmax()))
                right.append(best[-1][-1] == target)
        fired.append(out.code.mean((0, 2)))
    assert found["test/loss"] == pytest.approx(sum(loss) / len(loss), rel=1e-4)
    assert found["test/accuracy"] == pytest.approx(sum(right) / len(right), rel=1e-5)
    assert found["test/rate"] == pytest.approx(float(torch.cat(fired).mean()), rel=1e-4)
    assert torch.cat(trainer.predict(module, data)).tolist() == best
    (validated,) = trainer.validate(module, data, verbose=False)
    assert validated.keys() == {"val/loss", "val/accuracy", "val/rate"}


def test_training_logs_the_loss_with_its_information_and_shows_what_counts(tmp_path):
    network, data = small(window=2)
    module, seen = LitHybridPredictor(network, beta=0.5, reference_rate=0.3, draws=3, seed=2), []
    code_of = network.encode

    def encode(*given):
        seen.append((given, code_of(*given)))
        return seen[-1][1]

    network.encode = encode
    trainer = quiet_trainer(tmp_path, max_epochs=1, limit_val_batches=1)
    data.batch_size = 20
    trainer.fit(module, data)
    (spikes, _, draws), (code, logits) = seen[0]
    batch = next(iter(data.train_dataloader()))
    assert (draws, code.shape) == (3, (7, 60, 3))
    assert torch.equal(spikes, batch.spikes)
    fresh, _ = small(window=2)
    with torch.no_grad():
        scores = fresh.decode(code)
    wrong = sum(
        float(F.cross_entropy(scores[t - 1, column], batch.targets[t, column % 20]))
        for column in range(60)
        for t in range(1, 7)
    )
    logits, code = logits.detach(), code.detach()
    of_reference = code * torch.tensor(0.3).log() + (1 - code) * torch.tensor(0.7).log()
    information = (bernoulli_log_prob(logits, code) - of_reference).mean(2)
    expected = (wrong + 0.5 * float(information.sum())) / (7 * 60)
    assert float(trainer.callback_metrics["train/loss"]) == pytest.approx(expected, rel=1e-4)
    assert {"train/loss", "val/accuracy"} <= trainer.progress_bar_metrics.keys()
    assert not {"val/loss", "val/rate"} & trainer.progress_bar_metrics.keys()


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
