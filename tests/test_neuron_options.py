"""Every option of snn.Leaky on it and on SigmoidLeaky; docs/neuron.md says what to expect."""

import inspect
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import snntorch as snn
import torch
from snntorch.functional import quant
from snntorch.surrogate import atan, fast_sigmoid

from snn_synth.errors import InputError
from snn_synth.neurons import SigmoidLeaky
from snn_synth.surrogate import SigmoidCentered

NEURONS = 8
SEVERAL = torch.tensor([0.5, 1.0, 0.25, 0.5, 0.75, 0.0, 0.5, 0.25])
DOC = Path(__file__).parents[1] / "docs" / "neuron.md"


@dataclass
class Case:
    """What an option is set to on both sides; `theirs` alone where ours has another name for it."""

    both: dict[str, Any] = field(default_factory=dict)
    theirs: dict[str, Any] = field(default_factory=dict)
    ours: dict[str, Any] = field(default_factory=dict)
    assigned: Any = None  # to our neuron's spike_grad
    ties: bool = True


CASES = {
    "beta": [
        Case(theirs={"beta": 0.25}, ours={"alpha": 0.75}),
        Case(theirs={"beta": SEVERAL}, ours={"alpha": 1 - SEVERAL}),
    ],
    "threshold": [Case({"threshold": 0.75}), Case({"threshold": SEVERAL + 0.25})],
    "spike_grad": [
        Case(theirs={"spike_grad": SigmoidCentered(3.0)}, ours={"slope": 3.0}),
        Case(theirs={"spike_grad": atan()}, assigned=atan()),
        Case(theirs={"spike_grad": fast_sigmoid()}, assigned=fast_sigmoid()),
    ],
    "surrogate_disable": [Case({"surrogate_disable": True}, ties=False)],
    "init_hidden": [Case({"init_hidden": True})],
    "inhibition": [Case({"inhibition": True})],
    "learn_beta": [
        Case({"learn_beta": True}),
        Case({"learn_beta": True}, theirs={"beta": SEVERAL.clone()}, ours={"alpha": 1 - SEVERAL}),
    ],
    "learn_threshold": [
        Case({"learn_threshold": True}),
        Case({"learn_threshold": True, "threshold": SEVERAL + 0.25}),
    ],
    "state_quant": [Case({"state_quant": quant.state_quant(num_bits=3, uniform=True)})],
    "output": [Case({"init_hidden": True, "output": True}), Case({"output": True})],
    "graded_spikes_factor": [Case({"graded_spikes_factor": 2.5}), Case({"graded_spikes_factor": SEVERAL + 1})],
    "learn_graded_spikes_factor": [Case({"learn_graded_spikes_factor": True, "graded_spikes_factor": 1.5})],
    "reset_mechanism": [
        Case(both, {"reset_mechanism": "subtract", "beta": beta}, {"reset": "subtract", "alpha": 1 - beta}, ties=ties)
        for both, beta, ties in [
            ({}, 1.0, True),
            ({}, 0.5, False),
            ({"learn_beta": True, "learn_threshold": True}, 1.0, True),
            ({"learn_beta": True, "learn_threshold": True, "threshold": SEVERAL + 0.25}, SEVERAL.clone(), False),
            ({"init_hidden": True}, 1.0, True),
            ({"reset_delay": False}, 1.0, True),
        ]
    ],
    "reset_delay": [Case({"reset_delay": False}), Case({"reset_delay": False, "graded_spikes_factor": 2.0})],
}
REFUSED = {"reset_mechanism": ["subtract", "none"], "beta": [0.9], "spike_grad": [atan()]}


def rows():
    """Option and verdict of every row of the table."""
    return dict(re.findall(r"^\| `(\w+)` \| (same|different|refused) \|", DOC.read_text(), re.M))


def test_the_table_has_each_option_of_leaky_and_each_has_its_cases():
    options = set(inspect.signature(snn.Leaky.__init__).parameters) - {"self"}
    assert set(rows()) == options
    assert set(CASES) | {name for name, verdict in rows().items() if verdict == "refused"} == options
    assert {name for name, verdict in rows().items() if verdict == "refused"} <= set(REFUSED)
    assert set(REFUSED) <= {name for name, verdict in rows().items() if verdict != "same"}
    for name, cases in CASES.items():
        named_alike = all(name in case.both for case in cases)
        assert named_alike or rows()[name] == "different", name


def pair(case):
    theirs = snn.Leaky(
        **{"beta": 0.5, "reset_mechanism": "zero", "spike_grad": SigmoidCentered(), **case.both, **case.theirs}
    )
    ours = SigmoidLeaky(**{"alpha": 0.5, **case.both, **case.ours})
    if case.assigned is not None:
        ours.spike_grad = case.assigned
    return theirs, ours


def currents(case, seed):
    """Multiples of 1/4, with which sums are exact and often the threshold itself; or few such."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(-3, 6, (40, 5, NEURONS), generator=generator) / 4
    return (x if case.ties else x + 0.01 * torch.rand(x.shape, generator=generator)).requires_grad_()


def by_steps(neuron, currents):
    """Spikes and membranes of one call per step, however the neuron keeps its state."""
    if neuron.init_hidden:
        neuron.reset_mem()
    mem, steps = torch.zeros_like(currents[0]), []
    for current in currents:
        if not neuron.init_hidden:
            spk, mem = neuron(current, mem)
        elif neuron.output:
            spk, mem = neuron(current)
        else:
            spk = neuron(current)
            mem = neuron.mem
        steps.append((spk, mem))
    return tuple(torch.stack(x) for x in zip(*steps, strict=True))


def by_scan(neuron, currents):
    return neuron.scan(currents)


def everything(run, neuron, currents):
    """Spikes, membranes, and the gradients of a weighted sum by the currents and the parameters."""
    spikes, membranes = run(neuron, currents)
    weights = torch.randn((2, *spikes.shape), generator=torch.Generator().manual_seed(1))
    wanted = [currents, *neuron.parameters()]
    loss = (spikes * weights[0] + membranes * weights[1]).sum()
    return spikes, membranes, torch.autograd.grad(loss, wanted)


@pytest.mark.parametrize("run", [by_steps, by_scan])
@pytest.mark.parametrize(("option", "case"), [(option, case) for option, cases in CASES.items() for case in cases])
def test_spikes_membranes_and_gradients_are_those_of_leaky(option, case, run):
    before = list(snn.SpikingNeuron.instances)
    for seed in range(3):
        theirs, ours = pair(case)
        x = currents(case, seed)
        spikes, membranes, gradients = everything(by_steps, theirs, x)
        if case.ties and not case.both.get("state_quant"):
            assert (membranes == theirs.threshold).sum() > 10 or not theirs.reset_delay
        our_spikes, our_membranes, our_gradients = everything(run, ours, x)
        assert our_spikes.dtype == our_membranes.dtype == torch.float32
        assert torch.equal(our_spikes, spikes)
        assert torch.equal(our_membranes, membranes)
        assert 0.03 < (spikes != 0).float().mean() < 0.8
        for a, b in zip(our_gradients, gradients, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
    snn.SpikingNeuron.instances[:] = before


@pytest.mark.parametrize(("option", "value"), [(name, value) for name, values in REFUSED.items() for value in values])
def test_what_would_be_another_neuron_is_refused(option, value):
    with pytest.raises(InputError, match=f"SigmoidLeaky sets `{option}` itself"):
        SigmoidLeaky(**{option: value})


def test_without_a_surrogate_it_fires_at_the_threshold_too():
    current = torch.tensor([[0.75, 1.0, 1.25]], dtype=torch.float64)
    spk, _ = SigmoidLeaky(surrogate_disable=True)(current)
    assert torch.equal(spk, torch.tensor([[0.0, 1.0, 1.0]], dtype=torch.float64))
    theirs, _ = snn.Leaky(0.9, surrogate_disable=True)(current, torch.zeros_like(current))
    assert theirs.tolist() == [[0.0, 0.0, 1.0]]  # why the table says so
    assert theirs.dtype == torch.float32


def test_inhibition_of_images_with_graded_spikes():
    current = torch.rand(3, 4, 2, 2, generator=torch.Generator().manual_seed(0)) + 1
    spk, _ = SigmoidLeaky(inhibition=True, graded_spikes_factor=2.0)(current)
    assert torch.equal(spk, 2.0 * (current == current.amax(1, keepdim=True)))
