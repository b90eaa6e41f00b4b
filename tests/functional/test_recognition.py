import numpy as np
import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.functional import fit_temperature, label_probabilities


def words(count, labels, temperature, seed=0):
    """Errors of words whose labels are drawn with the very probabilities that a temperature gives them."""
    noise = np.random.default_rng(seed)
    errors = noise.uniform(0.1, 1.6, (count, labels))
    weights = np.exp(-errors / temperature)
    chosen = [noise.choice(labels, p=row / row.sum()) for row in weights]
    return torch.from_numpy(errors), torch.tensor(chosen)


def test_probabilities_are_a_softmax_of_the_errors():
    errors = np.random.default_rng(1).uniform(0, 4, (5, 3))
    expected = np.exp(-errors / 0.3)
    expected /= expected.sum(1, keepdims=True)
    np.testing.assert_allclose(label_probabilities(torch.from_numpy(errors), 0.3), expected)


@pytest.mark.parametrize("temperature", [0.05, 0.2, 1.0])
def test_the_temperature_that_made_the_labels_is_found_again(temperature):
    assert float(fit_temperature(*words(8_000, 10, temperature))) == pytest.approx(temperature, rel=0.05)


def test_it_maximizes_the_likelihood_of_smoothed_labels():
    errors, labels = words(60, 4, 0.3)
    share = (60 + 1) / (60 + 2)
    targets = np.full((60, 4), (1 - share) / 3)
    targets[np.arange(60), labels] = share
    grid = np.exp(np.linspace(np.log(0.01), np.log(5), 20_001))
    logits = -errors.numpy()[None] / grid[:, None, None]
    log_probabilities = logits - np.log(np.exp(logits).sum(2, keepdims=True))
    best = grid[(targets * log_probabilities).sum((1, 2)).argmax()]
    assert float(fit_temperature(errors, labels)) == pytest.approx(best, rel=1e-3)


@pytest.mark.parametrize("count", [1, 10, 100])
def test_words_that_are_all_right_do_not_make_it_sure_of_everything(count):
    errors = torch.tensor([0.1, 0.9, 0.9]).repeat(count, 1)
    sure = label_probabilities(errors, fit_temperature(errors, torch.zeros(count).long()))[0, 0]
    assert float(sure) == pytest.approx((count + 1) / (count + 2), abs=1e-6)


@pytest.mark.parametrize("own", [0, 1])
def test_extremes_stay_within_bounds(own):
    """Labels that are always the farther one; errors that tell the labels apart by nothing."""
    errors = torch.tensor([[0.1, 0.9]] if own else [[0.5, 0.5]]).repeat(1_000, 1)
    temperature = fit_temperature(errors, torch.full((1_000,), own))
    assert 1e-3 <= temperature <= 10
    assert label_probabilities(errors, temperature).isfinite().all()


def test_what_no_temperature_within_bounds_tells_ends_at_one_of_them():
    """All farther: equal probabilities at most. None farther: any will do. Ten right by a thousandth: it is sure."""
    zeros, ones = torch.zeros(10).long(), torch.ones(10).long()
    for errors, labels, expected in (([0.1, 0.9], ones, 10), ([0.5, 0.5], zeros, 10), ([0.1, 0.101], zeros, 1e-3)):
        found = fit_temperature(torch.tensor(errors, dtype=torch.float64).repeat(10, 1), labels)
        assert float(found) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_a_temperature_that_is_none(temperature):
    with pytest.raises(InputError, match="Expected a temperature above 0, got"):
        label_probabilities(torch.ones(1, 2), temperature)


@pytest.mark.parametrize("shapes", [((0, 3), (0,)), ((4, 1), (4,)), ((4, 3), (3,)), ((4,), (4,))])
def test_words_and_labels_that_do_not_fit(shapes):
    errors, labels = (torch.zeros(shape) for shape in shapes)
    with pytest.raises(InputError, match=r"Expected errors of shape \[N, L\] .* got"):
        fit_temperature(errors, labels.long())
