"""The code of CONTRIBUTING.md runs, in its order, and does what the page says."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from snn_synth.models import AESNN
from snn_synth.neurons import SigmoidLeaky

PAGE = Path(__file__).parents[1] / "CONTRIBUTING.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the page's code runs."""
    return tmp_path_factory.mktemp("contributing")


@pytest.fixture(scope="module")
def names(folder):
    """What the page's code blocks define, one after the other."""
    found: dict[str, object] = {"__name__": "contributing"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("WANDB_MODE", "disabled")
        for block in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S):
            exec(compile(block, str(PAGE), "exec"), found)
    return found


def test_the_surrogate_is_the_one_that_was_assigned(names):
    current = torch.full((1, 1), 1.2, requires_grad=True)
    spikes, _ = names["neuron"](current)
    spikes.sum().backward()
    assert (spikes.item(), current.grad.item()) == (1, 2)  # 0.2 above the threshold: within half the width of 0.5
    assert names["spikes"].any()


@pytest.mark.parametrize(("width", "gradient"), [(0.3, 0), (0.5, 2), (1.0, 1), (4.0, 0.25)])
def test_the_surrogate_has_the_width_that_was_given(names, width, gradient):
    rectangular = names["RectangularSpike"].apply
    for surrogate in (names["Rectangle"](width), lambda x: rectangular(x, width)):
        neuron = SigmoidLeaky(alpha=0.1)
        neuron.spike_grad = surrogate
        current = torch.full((1, 1), 1.2, requires_grad=True)
        neuron(current)[0].sum().backward()
        assert current.grad.item() == gradient


def test_the_neuron_adapts_as_its_equation_says(names):
    currents = np.random.default_rng(0).uniform(0, 0.8, (30, 2, 5))
    given = torch.tensor(currents, requires_grad=True)
    spikes, membranes = names["Adaptive"](alpha=0.1).scan(given)
    membranes.sum().backward()
    potential, fired, trace = (np.zeros((2, 5)) for _ in range(3))
    kept = []  # share of V[t - 1] that is left in V[t]
    for step, current in enumerate(currents):
        kept.append(0.9 * (1 - fired))
        potential = kept[-1] * potential + current - 0.1 * trace
        fired = (potential >= 1).astype(float)
        trace = 0.8 * trace + fired
        np.testing.assert_allclose(membranes[step].detach(), potential, rtol=1e-12)
        np.testing.assert_array_equal(spikes[step].detach(), fired)
    later = np.zeros((2, 5))  # gradient of the sum of all V[t] by V[t + 1]
    for step in reversed(range(30)):
        here = 1 + later
        np.testing.assert_allclose(given.grad[step], here, rtol=1e-12)
        later = kept[step] * here
    assert spikes.sum() < SigmoidLeaky(alpha=0.1).scan(given)[0].sum()


def test_the_networks_hidden_neurons_adapt_and_pass_the_gradient_on(names):
    network, inputs, out = names["network"], names["inputs"], names["out"]
    assert (out.hidden.shape, out.spikes.shape) == ((10, 4, 50), (10, 4, 20))
    plain = AESNN(20, 50)
    plain.load_state_dict(network.state_dict())
    assert 0 < out.hidden.sum() < plain(inputs).hidden.sum()
    assert names["gradient"].shape == (50, 20)
    assert names["gradient"].isfinite().all()
    assert (names["gradient"].abs().sum(1) > 0).sum() > 25  # most hidden neurons learn


def test_the_model_learns_and_is_saved_whole(names, tmp_path):
    assert names["losses"][-1] < 0.5 * names["losses"][0]
    assert names["loss"].isfinite()
    names["model"].save_pretrained(tmp_path / "copier")
    again = names["Copier"].from_pretrained(tmp_path / "copier")
    assert torch.equal(again(names["target"]).spikes, names["model"](names["target"]).spikes)


def test_the_network_was_trained_on_the_data_set(names):
    assert names["trainer"].global_step == len(names["data"].train_index) // 4
    assert names["data"].names == ("even", "odd")


def test_the_experiment_leaves_numbers_networks_and_pictures(names, folder):
    there = folder / "runs/reproduce"
    metrics = json.loads((there / "leaks/metrics.json").read_text())
    assert metrics == names["metrics"]
    assert metrics["seeds"] == [0, 1]
    assert list(metrics["variants"]) == ["leak 0.1", "leak 0.5"]
    for (name, trial), leak in zip(names["leaks"].variants.items(), (0.1, 0.5), strict=True):
        found = metrics["variants"][name]["test/standardized_mse"]
        runs = [there / "trials" / trial.key(seed) for seed in (0, 1)]
        each = [json.loads((run / "result.json").read_text())["test"]["standardized_mse"] for run in runs]
        assert found["each"] == pytest.approx(each, abs=1e-5)
        assert found["mean"] == pytest.approx(np.mean(each), abs=1e-5)
        assert found["std"] == pytest.approx(np.std(each, ddof=1), abs=1e-5)
        assert each[0] != each[1]
        for run in runs:
            network = AESNN.from_pretrained(run / "network")
            assert {round(float(neuron.beta), 6) for _, neuron in network.layers} == {1 - leak}
    assert {"errors.png", "images.png"} <= {path.name for path in (there / "leaks").iterdir()}
