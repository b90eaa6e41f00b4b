import pytest
import torch

from snn_synth.experiments.bench import case as cases
from snn_synth.experiments.bench.workloads import Workload


@pytest.fixture(autouse=True)
def numbered(monkeypatch):
    """A hundred images whose pixels say which they are: image i is i everywhere, but for its first pixel, 255."""
    images = torch.arange(100, dtype=torch.uint8)[:, None, None].repeat(1, 28, 28)
    images[:, 0, 0] = 255

    class Digits:
        pass

    digits = Digits()
    digits.images = images
    Digits.__len__ = lambda self: 100
    monkeypatch.setattr(cases, "_digits", lambda: digits)
    cases._trained.cache_clear()
    yield
    cases._trained.cache_clear()


def test_more_pixels_are_several_images_in_a_row():
    rows = cases.pictures(torch.tensor([0, 2]), 1000)
    assert rows.shape == (2, 1000)
    assert rows[1, 1] == pytest.approx(4 / 255)  # sample 2 has the images 4 and 5
    assert rows[1, 784] == 1
    assert rows[1, 785:].unique().item() == pytest.approx(5 / 255)


def test_fewer_pixels_are_means_of_neighbours():
    small = cases.pictures(torch.tensor([10]), 196)
    assert small[0, 0] == pytest.approx((255 + 3 * 10) / 4 / 255)
    assert small[0, 1:].unique().item() == pytest.approx(10 / 255)


@pytest.mark.parametrize(("outputs", "same"), [(30, True), (10, False)])
def test_targets_are_the_inputs_of_an_autoencoder(outputs, same):
    case = cases.prepare(Workload("bptt", (30, 8, outputs), 5, 3, (), pretraining=2))
    assert case.spikes.shape == (5, 3, 30)
    assert case.targets.shape == (5, 3, outputs)
    assert (case.targets is case.spikes) == same


def test_a_case_is_the_same_each_time_and_leaves_torchs_generator():
    state = torch.get_rng_state()
    workload = Workload("bptt", (30, 8, 10), 5, 3, (), pretraining=2)
    first = cases.prepare(workload)
    cases._trained.cache_clear()
    again = cases.prepare(workload)
    assert torch.equal(torch.get_rng_state(), state)
    for name in ("spikes", "targets", "values"):
        assert torch.equal(getattr(first, name), getattr(again, name))
    for a, b in zip(first.weights, again.weights, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("outputs", [30, 10])
def test_a_child_process_gets_the_same_case(outputs, tmp_path):
    case = cases.prepare(Workload("online", (30, 8, outputs), 5, 3, ("ours",), pretraining=2))
    cases.save(case, tmp_path / "case.pt")
    again = cases.load(tmp_path / "case.pt", "cpu")
    assert again.workload == case.workload
    for name in ("spikes", "targets", "values", "keys"):
        assert torch.equal(getattr(again, name), getattr(case, name))
    assert all(torch.equal(a, b) for a, b in zip(again.weights, case.weights, strict=True))


def test_rates_are_shares_of_neurons(make):
    case = make("bptt")
    shares = cases.rates(case)
    assert shares["input"] == pytest.approx(case.spikes.mean().item(), abs=1e-4)
    assert 0.05 < shares["hidden"] < 0.9
    assert 0.05 < shares["output"] < 0.9
