import numpy as np
import pytest
import torch

from snn_synth.experiments.bench.implementations import (
    IMPLEMENTATIONS,
    common,
    loop,
    naive,
    norse,
    ours,
    sinabs,
    snntorch,
)
from snn_synth.experiments.bench.implementations import spikingjelly as jelly
from snn_synth.functional import membrane_loss
from tests.stored_traces import online

from .conftest import as_numpy

NETWORKS = {
    "snntorch": snntorch.SnnTorch,
    "spikingjelly": jelly.SpikingJelly,
    "norse": norse.Norse,
    "sinabs": sinabs.Sinabs,
    "loop": lambda case: loop.Loop(case, compiled=False),
}


def installed(name: str):
    if not IMPLEMENTATIONS[name].installed:
        pytest.skip(f"{name} is not installed")
    return IMPLEMENTATIONS[name]


@pytest.mark.parametrize("name", [*NETWORKS, pytest.param("compile", marks=pytest.mark.slow), "reference", "ours"])
def test_the_loss_is_that_of_a_numpy_loop(name, make):
    case = make("bptt")
    _, losses, _, _ = online(*as_numpy(case))
    assert installed(name).build(case).check() == pytest.approx((np.mean(losses),), rel=1e-6)


@pytest.mark.parametrize("name", [*NETWORKS, "reference", "ours"])
def test_the_output_spikes_are_those_of_a_numpy_loop(name, make):
    case = make("inference")
    _, _, membranes, _ = online(*as_numpy(case))
    wrong = np.mean([((v[-1] >= 1) != x).sum(-1) for (v, x) in zip(membranes, np.asarray(case.targets), strict=True)])
    assert installed(name).build(case).check() == pytest.approx((wrong,), rel=1e-6)


@pytest.mark.parametrize("name", ["snntorch", "spikingjelly", "loop"])
def test_with_the_same_surrogate_the_gradient_is_ours(name, make):
    """So what is reconstructed of the membrane before reset carries its gradient too."""
    installed(name)
    case = make("bptt")
    network = NETWORKS[name](case)
    membrane_loss(network.membrane(case.spikes), case.targets).backward()
    _, expected = ours.gradients(case, torch.float64)
    for linear, gradient in zip(network.linears, expected, strict=True):
        torch.testing.assert_close(linear.weight.grad.double(), gradient, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", list(NETWORKS))
def test_the_network_forgets_the_batch_before(name, make):
    installed(name)
    case = make("bptt")
    network = NETWORKS[name](case)
    spikes = case.spikes if name != "sinabs" else case.spikes.transpose(0, 1)
    first = network.membrane(spikes)
    network(spikes)
    torch.testing.assert_close(network.membrane(spikes), first, rtol=0, atol=0)


@pytest.mark.parametrize("name", [*NETWORKS, "reference", "ours"])
def test_a_step_trains_every_layer(name, make, monkeypatch):
    monkeypatch.setattr(common, "LEARNING_RATE", 0.01)
    monkeypatch.setattr(ours, "LEARNING_RATE", 0.01)
    run = installed(name).build(make("bptt"))
    before = run.check()
    for _ in range(60):
        run.step()
    assert run.check()[0] < 0.8 * before[0]


def test_naive_traces_give_the_gradients_of_the_stored_ones(make):
    case = make("online")
    expected, losses, _, _ = online(*as_numpy(case))
    found = []
    loss = naive.online(case.weights, case.spikes, case.targets, found.append)
    assert loss == pytest.approx(np.mean(losses), rel=1e-6)
    assert len(found) == len(expected) == 9
    for step, gradients in zip(found, expected, strict=True):
        for layer, gradient in zip(step, gradients, strict=True):
            np.testing.assert_allclose(layer, gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["naive", "reference", "ours"])
def test_the_online_check_is_that_of_stored_traces(name, make):
    case = make("online")
    gradients, losses, _, _ = online(*as_numpy(case))
    norms = [np.linalg.norm(np.mean([step[layer] for step in gradients], axis=0)) for layer in range(2)]
    assert IMPLEMENTATIONS[name].build(case).check() == pytest.approx((np.mean(losses), *norms), rel=1e-5)


class Adam:
    """Kingma & Ba, algorithm 1, in NumPy."""

    def __init__(self, lr: float):
        self.lr, self.count, self.first, self.second = lr, 0, [0.0, 0.0], [0.0, 0.0]

    def __call__(self, weights, gradients):
        self.count += 1
        updated = []
        for i, (w, g) in enumerate(zip(weights, gradients, strict=True)):
            self.first[i] = 0.9 * self.first[i] + 0.1 * g
            self.second[i] = 0.999 * self.second[i] + 0.001 * g**2
            m, v = self.first[i] / (1 - 0.9**self.count), self.second[i] / (1 - 0.999**self.count)
            updated.append(w - self.lr * m / (np.sqrt(v) + 1e-8))
        return updated


@pytest.mark.parametrize("name", ["naive", "reference", "ours"])
def test_an_online_step_is_an_update_at_every_time_step_with_fresh_moments(name, make, monkeypatch):
    for module in (naive, ours):
        monkeypatch.setattr(module, "LEARNING_RATE", 1e-3)
    case = make("online")
    run = IMPLEMENTATIONS[name].build(case)
    weights, spikes, targets = as_numpy(case)
    for _ in range(3):
        _, losses, _, weights = online(weights, spikes, targets, update=Adam(1e-3))
        assert float(run.step()) == pytest.approx(np.mean(losses), rel=1e-4)


def test_naive_traces_that_are_timed_in_part_say_so(make):
    case = make("online", naive_steps=3)
    run = IMPLEMENTATIONS["naive"].build(case)
    assert run.scale == 3
    gradients, losses, _, _ = online(*as_numpy(case))
    assert run.check()[0] == pytest.approx(np.mean(losses[:3]), rel=1e-6)
    assert IMPLEMENTATIONS["ours"].build(case).check() == pytest.approx(run.check(), rel=1e-5)
    assert len(gradients) == 9


@pytest.mark.parametrize("rule", ["bptt", "online"])
def test_the_check_changes_nothing(rule, make):
    name = "ours" if rule == "bptt" else "naive"
    run = IMPLEMENTATIONS[name].build(make(rule))
    assert run.check() == run.check()


def test_a_cuda_graph_takes_part_on_a_gpu_alone():
    assert IMPLEMENTATIONS["ours"].takes_part("cpu")
    assert not IMPLEMENTATIONS["graph"].takes_part("cpu")
    assert IMPLEMENTATIONS["graph"].takes_part("cuda")
