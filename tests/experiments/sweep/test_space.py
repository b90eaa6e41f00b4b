import math

import numpy as np
import pytest

from snn_synth.errors import InputError
from snn_synth.experiments.sweep.file import read
from snn_synth.experiments.sweep.space import points


def random(parameters, count, seed=0):
    return points({"method": "random", "parameters": parameters}, count, seed)


def test_a_grid_is_every_combination_the_last_setting_fastest():
    parameters = {"a": {"values": [3, 1]}, "b": {"value": "x"}, "c": {"min": 0, "max": 2}}
    expected = [{"a": a, "b": "x", "c": c} for a in (3, 1) for c in (0, 1, 2)]
    assert points({"method": "grid", "parameters": parameters}) == expected
    assert points({"method": "grid", "parameters": parameters, "run_cap": 4}) == expected[:4]


DRAWN = {
    "uniform": ({"min": 0.5, "max": 2.5}, lambda x: (x - 0.5) / 2),
    "log_uniform_values": ({"min": 0.001, "max": 0.1}, lambda x: math.log(x / 0.001) / math.log(100)),
    "normal": ({"mu": 3.0, "sigma": 2.0}, lambda x: 0.5 * (1 + math.erf((x - 3) / 2 / math.sqrt(2)))),
}


@pytest.mark.parametrize("kind", DRAWN)
def test_numbers_follow_their_distribution(kind):
    limits, cumulative = DRAWN[kind]
    values = [one["x"] for one in random({"x": {"distribution": kind, **limits}}, 1000)]
    shares = np.sort([cumulative(value) for value in values])
    distance = np.abs(shares - (np.arange(1000) + 0.5) / 1000).max()
    assert distance < 1.63 / math.sqrt(1000), "Kolmogorov and Smirnov's bound at 1 %"


def test_choices_and_whole_numbers_come_as_often_as_they_should():
    parameters = {"a": {"values": ["x", "y"], "probabilities": [0.2, 0.8]}, "b": {"min": 1, "max": 4}}
    found = random(parameters, 2000)
    assert abs(sum(one["a"] == "x" for one in found) / 2000 - 0.2) < 4 * math.sqrt(0.2 * 0.8 / 2000)
    counts = np.bincount([one["b"] for one in found], minlength=5)
    assert counts[0] == 0
    assert np.abs(counts[1:] / 2000 - 0.25).max() < 4 * math.sqrt(0.25 * 0.75 / 2000)
    shares = [np.mean([one["b"] for one in found if one["a"] == a]) for a in "xy"]
    assert abs(shares[0] - shares[1]) < 0.3, "settings are drawn independently"


def test_a_longer_search_starts_as_a_shorter_one_and_a_seed_makes_another():
    parameters = {"lr": {"min": 0.0, "max": 1.0}, "mask": {"values": [True, False]}}
    assert random(parameters, 5) == random(parameters, 9)[:5]
    assert random(parameters, 5) != random(parameters, 5, seed=1)


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ({"method": "bayes", "parameters": {}}, "'grid' or 'random'.* got 'bayes': .*wandb sweep"),
        ({"method": "random", "parameters": {}}, "no end"),
        ({"method": "grid", "parameters": {"x": {"min": 0.1, "max": 0.2}}}, "`values` for x"),
        ({"method": "random", "run_cap": 1, "parameters": {"x": {"distribution": "beta"}}}, "for x, got 'beta'"),
        ({"method": "random", "run_cap": 1, "parameters": {"x": {"min": 1.0}}}, "limits of a uniform.* for x"),
        (
            {"method": "random", "run_cap": 1, "parameters": {"x": {"values": [1, 2], "probabilities": [0.5, 0.6]}}},
            "categorical.* for x",
        ),
    ],
)
def test_what_cannot_run_here_is_said(sweep, message):
    with pytest.raises(InputError, match=message):
        points(sweep)


@pytest.mark.parametrize("method", ["grid", "random"])
def test_settings_are_counted_before_they_are_made(method):
    parameters = {f"p{number}": {"value": 1} for number in range(20_000)} | {"x": {"values": list(range(10_000))}}
    with pytest.raises(InputError, match=r"at most 1,000,000 settings .* got 10000 runs of 20001"):
        points({"method": method, "parameters": parameters, "run_cap": 10_000})
    assert len(points({"method": method, "parameters": parameters, "run_cap": 2})) == 2


@pytest.mark.parametrize(
    ("text", "message"), [("a: [", "in YAML"), ("method: grid", "without .*metric"), ("", "without")]
)
def test_a_file_that_is_no_sweep_is_named(tmp_path, text, message):
    path = tmp_path / "sweep.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=f"{path}.*|{message}") as error:
        read(path)
    assert str(path) in str(error.value)
    with pytest.raises(InputError, match="nowhere"):
        read(tmp_path / "nowhere.yaml")
