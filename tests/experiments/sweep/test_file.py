import time

import pytest
import yaml

from snn_synth.errors import InputError
from snn_synth.experiments.sweep.file import read
from snn_synth.experiments.sweep.run import run
from snn_synth.experiments.sweep.space import points

PLAIN = {"method": "grid", "metric": {"name": "val/standardized_mse"}, "parameters": {"x": {"values": [1, 2]}}}


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Writes a sweep file, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def write(**changes):
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(PLAIN | changes))
        return path

    return write


def test_what_a_file_leaves_out(file):
    sweep = read(file())
    assert (sweep["name"], sweep["command"]) == ("mine", ["fit", "${args}"])


@pytest.mark.parametrize(
    "command",
    [
        ["${program}", "fit", "--config", "c", "${args}"],
        ["${env}", "snn-synth", "fit", "--config", "c", "${args}"],
        ["${env}", "${interpreter}", "-m", "snn_synth.cli", "fit", "--config", "c", "${args}"],
        ["python", "-m", "snn_synth.cli", "fit", "--config", "c", "${args}"],
    ],
)
def test_our_own_command_in_wandbs_forms(file, command):
    assert read(file(program="snn-synth", command=command))["command"] == ["fit", "--config", "c", "${args}"]


@pytest.mark.parametrize(
    "changes",
    [
        {"program": "train.py"},
        {"program": "/bin/sh", "command": ["${program}", "-c", "touch executed"]},
        {"command": ["sh", "-c", "touch executed", "${args}"]},
        {"command": ["./snn-synth", "fit"]},
        {"command": ["${env}", "touch", "executed"]},
        {"command": ["${env}", "A=b", "snn-synth", "fit"]},
        {"command": ["${interpreter}", "-c", "open('executed', 'w')"]},
        {"command": ["${interpreter}", "-m", "snn_synth.cli.trial", "fit"]},
        {"command": ["snn-synth", "synthesize", "--out", "."]},
        {"command": ["snn-synth"]},
        {"command": "snn-synth fit"},
        {"command": ["snn-synth", "fit", "--allow_import", "os"]},
        {"command": ["snn-synth", "fit", "--allow=os"]},
        {"parameters": {"allow_import": {"value": "os"}}},
        {
            "parameters": {"allow": {"parameters": {"x": {"value": "os"}}}},
            "command": ["snn-synth", "fit", "--al", "os"],
        },
        {
            "parameters": {"x": {"value": "--allow_import=os"}},
            "command": ["snn-synth", "fit", "${args_no_equals}"],
        },
        {"parameters": {"x --allow_import": {"value": "os"}}},
        {"parameters": {"allow_import=os": {"value": 1}}},
        {"parameters": {1: {"value": "os"}}},
    ],
)
def test_no_other_program_and_no_import_is_taken_from_a_file(file, changes, tmp_path):
    with pytest.raises(InputError, match=r"program|command|allow_import|names of options"):
        run(file(**changes))
    assert [path.name for path in tmp_path.rglob("*")] == ["mine.yaml"]


@pytest.mark.parametrize("word", ["${envvar:SECRET}", "--trainer.logger.name=a-${envvar:SECRET}", "${envvar:x}"])
def test_nothing_of_the_environment_gets_into_a_run(file, word, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "key")
    with pytest.raises(InputError, match=r"without \$\{envvar:\.\.\.\}") as error:
        run(file(command=["snn-synth", "fit", "${args}", word]))
    assert "key" not in str(error.value).replace("keys", "")
    assert [path.name for path in tmp_path.rglob("*")] == ["mine.yaml"]


@pytest.mark.parametrize(
    "name", ["../../up", "/tmp/up", "", ".", "..", ".hidden", "a\nb", "a\0b", "a/b", "x" * 101, 7, None]
)
def test_a_name_that_is_no_folder_of_its_own(file, name, tmp_path):
    with pytest.raises(InputError, match="a `name`") as error:
        run(file(name=name))
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.rglob("*")] == ["mine.yaml"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"early_terminate": {"type": "hyperband"}}, "early_terminate"),
        ({"controller": {}}, "controller"),
        ({"parameter": {}}, "parameter"),
        ({"metric": "val/standardized_mse"}, "metric"),
        ({"metric": {"name": "val/standardized_mse", "goal": "best"}}, "best"),
        ({"metric": {"goal": "minimize"}}, "metric"),
        ({"parameters": ["x"]}, "parameters"),
        ({"parameters": {"x": 1}}, "for x, got 1"),
        ({"parameters": {"x": {"valeus": [1]}}}, "valeus"),
        ({"parameters": {"x": {"values": []}}}, "for x"),
        ({"parameters": {"x": {"values": 3}}}, "for x"),
        ({"parameters": {"x": {"values": [float("nan")]}}}, "for x"),
        ({"parameters": {"x": {"values": [yaml.safe_load("2001-01-01")]}}}, "for x"),
        ({"parameters": {"x.y": {"value": 1}, "x": {"parameters": {"y": {"value": 1}}}}}, "x.y twice"),
        ({"method": "random"}, "no end"),
        ({"method": "random", "run_cap": 0}, "run_cap"),
        ({"method": "random", "run_cap": 10**9}, "10,000 runs"),
        ({"method": "random", "run_cap": "many"}, "run_cap"),
        ({"method": ["grid"]}, "method"),
    ],
)
def test_what_makes_no_sense_here_is_said(file, changes, named):
    with pytest.raises(InputError) as error:
        points(read(file(**changes)))
    assert named in str(error.value)


@pytest.mark.parametrize(
    "spec",
    [
        {"min": 2, "max": 1},
        {"min": 2.0, "max": 1.0},
        {"min": float("nan"), "max": 1.0},
        {"min": -float("inf"), "max": 1.0},
        {"min": -1e308, "max": 1e308},
        {"min": "1e-3", "max": 0.1},
        {"distribution": "log_uniform_values", "min": 0.0, "max": 1.0},
        {"distribution": "log_uniform", "min": 0.0, "max": 1e6},
        {"distribution": "int_uniform", "min": 0.5, "max": 3},
        {"distribution": "int_uniform", "min": 0, "max": 10**30},
        {"distribution": "q_uniform", "min": 0.0, "max": 1.0, "q": 0},
        {"distribution": "q_uniform", "min": 0.0, "max": 1.0, "q": -1},
        {"distribution": "normal", "sigma": -1.0},
        {"values": [1, 2], "probabilities": [1]},
        {"values": [1, 2], "probabilities": [-1, 2]},
        {"values": [1, 2], "probabilities": "ab"},
    ],
)
def test_limits_that_are_none(spec):
    with pytest.raises(InputError, match="for x"):
        points({"method": "random", "parameters": {"x": spec}}, count=3)


def test_a_grid_over_a_billion_values_is_counted_not_made():
    start = time.monotonic()
    parameters = {"x": {"min": 0, "max": 10**9}, "y": {"values": ["a", "b"]}}
    with pytest.raises(InputError, match="10,000 runs, got 2000000002: --count"):
        points({"method": "grid", "parameters": parameters})
    found = points({"method": "grid", "parameters": parameters}, count=3)
    assert found == [{"x": 0, "y": "a"}, {"x": 0, "y": "b"}, {"x": 1, "y": "a"}]
    assert time.monotonic() - start < 1


def test_rounded_numbers_are_multiples():
    spec = {"distribution": "q_uniform", "min": 0, "max": 100, "q": 8}
    found = {one["x"] for one in points({"method": "random", "parameters": {"x": spec}}, count=300)}
    assert found == set(range(0, 97, 8))
    assert all(isinstance(value, int) for value in found), "so that they may be numbers of neurons"
