"""What stays what it was: keys, encoders, defaults, constants, and a step of each rule, in tests/golden.json.

A change of the hash, of an encoder, of a default or of a rule gives every user other results than before, with the
same seeds; a change of a constant, too, or it refuses what was read before. Spikes are compared bit for bit, times and
weights to 1e-5 of their size, on every backend and with one thread or two. Who changes them on purpose writes them
again, by `python -m tests.test_golden`, and says so in the changelog.
"""

import ast
import importlib
import inspect
import json
import pkgutil
from pathlib import Path

import numpy as np
import pytest
import torch

from snn_synth import codec, data, functional, kernels, learning, losses, models, neurons, training
from snn_synth.data import SpectrogramAugmentation
from snn_synth.encoding import (
    even_encode,
    latency_encode,
    low_discrepancy_encode,
    poisson_encode,
    sample_keys,
    spike_times,
    step_times,
)
from snn_synth.functional import keyed_uniform
from snn_synth.learning import bptt_step, online_step
from snn_synth.models import SpikingStack
from tests.stored_traces import online

GOLDEN = Path(__file__).with_name("golden.json")
PACKAGE = Path(__file__).parents[1] / "snn_synth"
LOOKS = {"kernels", "plot", "bench", "reproduce"}  # folders
RATE_CODES = {"poisson": poisson_encode, "low-discrepancy": low_discrepancy_encode, "even": even_encode}
STEPS = {"bptt": bptt_step, "online": online_step}
OPTIMIZERS = {"sgd": lambda weights: torch.optim.SGD(weights, lr=0.5), "adamw": torch.optim.AdamW}
SIZES, T, B = [6, 5, 4], 7, 3


def keys():
    """Of seeds and samples on both sides of 0 and of 32 bits, and of one to three parts."""
    ends = torch.tensor([0, 1, -1, 2**31, 2**32, 2**32 + 1, -(2**40), 2**63 - 1])
    return {
        "of one part": sample_keys(ends).tolist(),
        "of three parts": sample_keys(7, ends, torch.arange(8)).tolist(),
        "of numbers": [sample_keys(*parts).item() for parts in ((0,), (0, 0), (1, 2), (2, 1))],
    }


def uniform():
    """As whole numbers of 24 bits."""
    return (keyed_uniform(sample_keys(3, torch.arange(3)), 5) * 2**24).long().tolist()


def spikes(code, max_rate):
    """Of two samples, each a row of bits for each time step."""
    fired = RATE_CODES[code](torch.arange(16).reshape(2, 8) / 15, 12, max_rate, keys=sample_keys(5, torch.arange(2)))
    return ["".join(map(str, row)) for row in fired.flatten(1).int().tolist()]


def times():
    x = torch.arange(6) / 5
    return {
        "latency": ["".join(map(str, row)) for row in latency_encode(x, 9).T.int().tolist()],
        "continuous": [time if time < 1 else None for time in spike_times(x).tolist()],
        "steps": step_times(x, 9).tolist(),
    }


def start():
    """A network and a batch that no random generator has drawn."""
    net = SpikingStack(SIZES)
    with torch.no_grad():
        for i, weight in enumerate(net.parameters()):
            weight.copy_(keyed_uniform(sample_keys(i, torch.arange(len(weight))), weight.shape[1]) - 0.25)
    given, wanted = (
        poisson_encode(torch.full((B, n), 0.5), T, keys=sample_keys(n, torch.arange(B))) for n in (SIZES[0], SIZES[-1])
    )
    return net, given, wanted


def step(rule, optimizer):
    """Loss and weights after one batch."""
    net, given, wanted = start()
    loss = STEPS[rule](net, given, wanted, OPTIMIZERS[optimizer](net.parameters()))
    return {"loss": loss.item(), "weights": [weight.tolist() for weight in net.parameters()]}


def modules():
    """Those whose classes and functions are called with settings: of data, networks, rules and training."""
    for package in (codec, data, functional, learning, losses, models, neurons, training):
        yield package
        for found in pkgutil.walk_packages(getattr(package, "__path__", []), f"{package.__name__}."):
            yield importlib.import_module(found.name)


def defaults():
    """Of every class and function, the numbers and words that it takes where nothing is given."""
    found = {}
    for module in modules():
        for one in vars(module).values():
            if getattr(one, "__module__", "") != module.__name__ or not (
                inspect.isclass(one) or inspect.isfunction(one)
            ):
                continue
            made = one.__init__ if inspect.isclass(one) else one
            if getattr(made, "__module__", "") == module.__name__:
                given = {k: p.default for k, p in inspect.signature(made).parameters.items()}
                plain = {k: v for k, v in given.items() if isinstance(v, (bool, int, float, str, tuple)) or v is None}
                if plain:
                    found[f"{module.__name__.removeprefix('snn_synth.')}.{one.__name__}"] = json.loads(
                        json.dumps(plain)
                    )
    return dict(sorted(found.items()))


def constants():
    """Numbers that modules name in capitals, but for speed and looks: they change what is drawn or refused."""
    found = {}
    for path in (path for path in sorted(PACKAGE.rglob("*.py")) if not LOOKS & set(path.parts)):
        for line in (line for line in ast.parse(path.read_text()).body if isinstance(line, ast.Assign)):
            name = ast.unparse(line.targets[0])
            if name.upper() == name and not any(isinstance(node, ast.Name) for node in ast.walk(line.value)):
                value = eval(compile(ast.Expression(line.value), path.name, "eval"), {})
                if all(isinstance(one, (int, float)) for one in (value if isinstance(value, tuple) else [value])):
                    found[f"{path.relative_to(PACKAGE).as_posix()}: {name}"] = json.loads(json.dumps(value))
    return found


def augmented():
    """Two spectrograms, as another speaker's."""
    pictures = torch.linspace(0, 1, 2 * 6 * 8).reshape(2, 6, 8)
    return SpectrogramAugmentation(strength=1.0)(pictures, sample_keys(4, torch.arange(2))).tolist()


def everything():
    return {
        "defaults": defaults(),
        "constants": constants(),
        "keys": keys(),
        "uniform": uniform(),
        "spikes": {f"{code} {rate}": spikes(code, rate) for code in RATE_CODES for rate in (1.0, 0.3)},
        "times": times(),
        "augmented": augmented(),
        "steps": {f"{rule} {kind}": step(rule, kind) for rule in STEPS for kind in OPTIMIZERS},
    }


@pytest.fixture(scope="module")
def golden():
    return json.loads(GOLDEN.read_text())


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


def near(found, wanted):
    np.testing.assert_allclose(np.array(found), np.array(wanted), rtol=1e-5, atol=1e-6)


def test_defaults_of_classes_and_functions(golden):
    assert defaults() == golden["defaults"]


def test_constants(golden):
    assert constants() == golden["constants"]


def test_keys_and_their_random_numbers(golden):
    assert keys() == golden["keys"]
    assert uniform() == golden["uniform"]


@pytest.mark.parametrize("path", ["numba", "reference"])
@pytest.mark.parametrize("max_rate", [1.0, 0.3])
@pytest.mark.parametrize("code", RATE_CODES)
def test_spikes_of_rate_codes(golden, threads, code, max_rate, path):
    with kernels.use(path):
        assert spikes(code, max_rate) == golden["spikes"][f"{code} {max_rate}"]


def test_times_of_time_codes(golden):
    found = times()
    assert found["latency"] == golden["times"]["latency"]
    assert found["steps"] == golden["times"]["steps"]
    assert found["continuous"][0] is golden["times"]["continuous"][0] is None
    near(found["continuous"][1:], golden["times"]["continuous"][1:])


def test_augmented_spectrograms(golden):
    near(augmented(), golden["augmented"])
    assert np.ptp(np.array(golden["augmented"])) > 0.5


@pytest.mark.parametrize("path", ["numba", "reference"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("rule", STEPS)
def test_a_training_step(golden, threads, rule, optimizer, path):
    with kernels.use(path):
        found = step(rule, optimizer)
    wanted = golden["steps"][f"{rule} {optimizer}"]
    near(found["loss"], wanted["loss"])
    for ours, theirs, before in zip(found["weights"], wanted["weights"], start()[0].parameters(), strict=True):
        near(ours, theirs)
        assert np.abs(np.array(theirs) - before.detach().numpy()).max() > 5e-4


def test_the_online_step_that_is_stored_is_that_of_the_paper(golden):
    """By one stored trace for each synapse and sample, in float64."""
    net, given, wanted = start()
    weights = [weight.detach().double().numpy() for weight in net.parameters()]
    _, losses, membranes, after = online(
        weights,
        given.double().numpy(),
        wanted.double().numpy(),
        update=lambda weights, gradients: [w - 0.5 * g for w, g in zip(weights, gradients, strict=True)],
    )
    assert min(np.abs(m - 1).min() for layers in membranes for m in layers) > 1e-4, "a spike hangs on rounding"
    near(golden["steps"]["online sgd"]["loss"], np.mean(losses))
    for stored, paper in zip(golden["steps"]["online sgd"]["weights"], after, strict=True):
        near(stored, paper)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(everything(), indent=1) + "\n")
