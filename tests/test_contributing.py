"""The code of CONTRIBUTING.md runs, in its order, and does what the page says."""

import re
from pathlib import Path

import pytest
import torch

from snn_synth.neurons import SigmoidLeaky

PAGE = Path(__file__).parents[1] / "CONTRIBUTING.md"


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """What the page's code blocks define, one after the other."""
    found: dict[str, object] = {"__name__": "contributing"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("contributing"))
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


def test_the_model_learns_and_is_saved_whole(names, tmp_path):
    assert names["losses"][-1] < 0.5 * names["losses"][0]
    assert names["loss"].isfinite()
    names["model"].save_pretrained(tmp_path / "copier")
    again = names["Copier"].from_pretrained(tmp_path / "copier")
    assert torch.equal(again(names["target"]).spikes, names["model"](names["target"]).spikes)


def test_the_network_was_trained_on_the_data_set(names):
    assert names["trainer"].global_step == len(names["data"].train_index) // 4
    assert names["data"].names == ("even", "odd")
