import sys

import pytest

from snn_synth.experiments.bench import first_seconds

NOTE = "import os, pathlib; folder = pathlib.Path(os.environ['NUMBA_CACHE_DIR'])\n"


@pytest.fixture
def commands(monkeypatch):
    def install(**codes):
        found = {name: [sys.executable, "-S", "-c", NOTE + code] for name, code in codes.items()}
        monkeypatch.setattr(first_seconds, "commands", lambda word: found)

    return install


def test_each_is_run_on_an_empty_folder_of_kernels_and_then_again(commands):
    ticks = []
    cold_only = "import time; time.sleep(0 if list(folder.iterdir()) else 0.3); (folder / 'kernel').touch()"
    commands(first=cold_only, second=cold_only)
    found = first_seconds.measure(repeats=2, tick=lambda: ticks.append(1))
    assert len(ticks) == 8
    for states in found.values():
        assert states["cold"]["rounds"] == states["warm"]["rounds"] == 2
        assert states["cold"]["min"] > 0.3


def test_what_fails_is_told_and_not_timed(commands):
    commands(first="", second="import sys; sys.exit('snn-synth: error: no word')", third="import sys; sys.exit(3)")
    found = first_seconds.measure(repeats=1)
    assert found["first"]["warm"]["rounds"] == 1
    assert found["second"] == {"error": "snn-synth: error: no word"}
    assert found["third"] == {"error": "ended with code 3"}


def test_the_commands_are_those_of_the_bounds(tmp_path):
    found = first_seconds.commands(tmp_path / "tone.wav")
    assert next(iter(found)) == first_seconds.FLOOR
    assert set(first_seconds.AT_MOST) < set(found)


@pytest.mark.slow
def test_the_words_are_words_to_the_command_line(tmp_path, monkeypatch):
    from snn_synth.cli import main

    monkeypatch.chdir(tmp_path)
    word = first_seconds.tone(tmp_path / "tone.wav")
    name = next(name for name in first_seconds.commands(word) if "synthesize" in name)
    assert main(first_seconds.commands(word)[name][3:]) == 0
    assert (tmp_path / "pictures" / "tone.png").is_file()
