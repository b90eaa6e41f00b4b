import pytest

from snn_synth.cli import bench as command
from snn_synth.cli import main
from snn_synth.experiments.bench import workloads


@pytest.fixture
def measured(monkeypatch):
    """What the measuring is asked for, instead of the measuring."""
    calls = []

    def measure(out, **settings):
        calls.append((str(out), settings))
        return {}

    monkeypatch.setattr(command, "measure", measure)
    monkeypatch.setattr(command.report, "tables", lambda metrics: "the tables")
    return calls


def test_an_unknown_benchmark_names_those_there_are(refused):
    message = refused("bench", "--only", "bptt-784-196-784", "fast")
    assert "'fast'" in message
    assert all(name in message for name in workloads.names())


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("--repeats 0", ["repeats", "0"]),
        ("--threads -1", ["threads", "-1"]),
        ("--threads many", ["--threads", "many"]),
        ("--device tpu", ["cpu", "cuda", "tpu"]),
        ("--only", ["--only"]),
        ("--colour red", ["--colour"]),
    ],
)
def test_a_wrong_option_is_named(words, named, refused):
    message = refused("bench", *words.split())
    assert all(name in message for name in named), message


@pytest.mark.parametrize("place", ["file/out", "file"])
def test_a_folder_that_cannot_be_written(place, refused, tmp_path):
    (tmp_path / "file").touch()
    assert str(tmp_path / "file") in refused("bench", "--quick", "--out", tmp_path / place)


def test_the_list_measures_nothing(measured, capsys):
    assert main(["bench", "--list"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in [*workloads.names(), "spikingjelly", "T=15 B=100"])
    assert not measured


def test_the_settings_reach_the_measuring(measured, capsys):
    nothing = {"only": [], "quick": False, "with_growth": False, "threads": None, "repeats": None, "device": "cpu"}
    assert main(["bench"]) == 0
    assert measured.pop() == ("runs/bench", nothing | {"argv": ["bench"]})
    words = ["bench", "--quick", "--growth", "--only", "precision", "growth", "--out", "there"]
    words += ["--threads", "1", "--repeats", "4"]
    assert main(words) == 0
    chosen = {"only": ["precision", "growth"], "quick": True, "with_growth": True, "threads": 1, "repeats": 4}
    assert measured.pop() == ("there", nothing | chosen | {"argv": words})
    assert "the tables" in capsys.readouterr().out
