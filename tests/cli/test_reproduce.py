import pytest

from snn_synth.cli import main
from snn_synth.cli.reproduce import listing, table
from snn_synth.experiments.reproduce.catalogue import EXPERIMENTS
from snn_synth.experiments.reproduce.searches import SEARCHES


def test_the_list_has_every_name_with_what_it_shows(capsys):
    assert main(["reproduce", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name, experiment in (EXPERIMENTS | SEARCHES).items():
        [line] = [line for line in lines if line.split()[0] == name]
        assert line.endswith(experiment.shows)
        assert line.split()[1:3] == [f"{minutes:g}" for minutes in experiment.minutes]
    assert main(["reproduce"]) == 0
    assert capsys.readouterr().out.splitlines() == lines == listing().splitlines()


def test_the_table_shows_the_first_measure_and_the_papers_value():
    variants = {
        "SNN": {"test/standardized_mse": {"mean": 0.1234, "std": 0.0056}, "paper": 0.357},
        "ANN": {"test/standardized_mse": {"mean": 0.2, "std": None}, "paper": None},
    }
    first, second = table({"measures": ["test/standardized_mse"], "variants": variants}).splitlines()[1:]
    assert first.split() == ["SNN", "0.123", "0.006", "0.357"]
    assert second.split() == ["ANN", "0.200"]


def test_the_table_shows_further_measures_below_where_they_are():
    keys = [f"test/m{place}" for place in range(7)]
    variants = {
        "one": {key: {"mean": place / 4, "std": None} for place, key in enumerate(keys)},
        "other": {key: {"mean": 2000.0, "std": None} for key in keys[:2]},
    }
    lines = table({"measures": keys[:1], "also": keys[1:], "variants": variants}).splitlines()
    assert [line.split() for line in lines[4:7]] == [
        keys[1:6],
        ["one", "0.25", "0.5", "0.75", "1", "1.25"],
        ["other", "2000"],
    ]
    assert [line.split() for line in lines[8:]] == [["test/m6"], ["one", "1.5"], ["other"]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fig99"], "'fig4a'"),
        (["fig4a", "--preset", "tiny"], "--preset"),
        (["fig4a", "--seeds", "0"], "at least 1, got 0"),
        (["fig4a", "extra"], "extra"),
    ],
)
def test_bad_input(words, said, refused):
    assert said in refused("reproduce", *words)
