import subprocess
import sys
from pathlib import Path

import pytest
import wandb.errors

import snn_synth
from snn_synth.cli import entry, main
from snn_synth.cli.parsers import PARSERS, overview

ROOT = Path(__file__).parents[2]


@pytest.fixture
def command(monkeypatch):
    """Put a function in the place of the command `demo`."""

    def install(function):
        module = type(sys)("tests_command")
        module.run = function
        monkeypatch.setitem(sys.modules, "tests_command", module)
        monkeypatch.setitem(entry.COMMANDS, "demo", "tests_command")

    return install


def test_the_overview_names_every_command_on_one_screen(capsys):
    for words in ([], ["-h"], ["--help"]):
        assert main(words) == 0
        assert capsys.readouterr().out.strip() == overview()
    lines = overview().splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 100
    for name in entry.COMMANDS:
        assert any(line.startswith(f"  {name} ") for line in lines)


@pytest.mark.parametrize("name", entry.COMMANDS)
def test_every_command_has_a_page_with_examples(name, capsys):
    assert main([name, "--help"]) == 0
    page = capsys.readouterr().out
    assert page.strip() == PARSERS[name]().format_help().strip()
    assert max(map(len, page.splitlines())) <= 120
    examples = page.split("Examples:\n")[1].split("\n\n")[0].splitlines()
    assert len(examples) >= 2
    assert all(example.startswith(f"  snn-synth {name}") for example in examples)


def test_help_and_version_import_nothing_heavy():
    code = (
        "import sys; from snn_synth.cli import main\n"
        "for words in (['--help'], ['fit', '--help'], ['synthesize', '-h'], ['--version']): main(words)\n"
        "print(sorted({'torch', 'lightning', 'matplotlib', 'jsonargparse', 'numpy'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert out.splitlines()[-1] == "[]"


def test_every_option_is_explained():
    for make in PARSERS.values():
        assert [action.dest for action in make()._actions if not action.help] == []


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"snn-synth {snn_synth.__version__}\n"


def test_an_unknown_command_names_those_there_are(refused):
    message = refused("train")
    assert "'train'" in message
    assert all(name in message for name in entry.COMMANDS)


def test_ctrl_c_is_130_whether_lightning_caught_it_or_not(command):
    def pressed(words):
        raise KeyboardInterrupt

    def caught(words):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            sys.exit(1)

    command(pressed)
    assert main(["demo"]) == 130
    command(caught)
    assert main(["demo"]) == 130


@pytest.mark.parametrize(
    "bug", [ZeroDivisionError("a bug"), ValueError("a bug"), RuntimeError("a bug"), KeyError("a bug")]
)
def test_a_bug_keeps_its_traceback(command, bug):
    def run(words):
        raise bug

    command(run)
    with pytest.raises(type(bug), match="a bug"):
        main(["demo"])


def test_an_error_of_the_system_is_one_sentence(command, refused):
    def run(words):
        raise PermissionError(13, "Permission denied", "/there/metrics.json")

    command(run)
    assert refused("demo") == "Permission denied: /there/metrics.json"


def test_wandb_out_of_reach_is_one_sentence(command, refused):
    def run(words):
        raise wandb.errors.CommError("Run initialization has timed out after 90.0 sec.")

    command(run)
    said = refused("demo")
    assert said.startswith("Expected W&B to take the run, got Run initialization has timed out")
    assert "WANDB_MODE=offline" in said


@pytest.mark.parametrize("last", ["multiprocessing.connection", "my_data_set"])
def test_the_broken_pipe_of_a_worker_is_told_from_a_data_sets_own_connection(last, command, refused):
    pipe = {"__name__": last}
    exec("def get(): raise ConnectionResetError(104, 'the other end is gone')", pipe)
    loader = {"__name__": "torch.utils.data.dataloader", "get": pipe["get"]}
    exec("def run(words): get()", loader)
    command(loader["run"])
    told = refused("demo").startswith("Expected the workers of the DataLoader to stay alive, got ")
    assert told == (last == "multiprocessing.connection")


def test_the_demo_gets_its_folder(monkeypatch):
    from snn_synth.experiments import demo

    folders = []
    monkeypatch.setattr(demo, "run", folders.append)
    assert main(["demo"]) == 0
    assert main(["demo", "--out", "runs/again"]) == 0
    assert folders == [Path("runs/demo"), Path("runs/again")]


def test_the_demo_refuses_other_options(refused):
    assert "--colour" in refused("demo", "--colour")


@pytest.mark.parametrize(("typed", "meant"), [("synthesise", "synthesize"), ("Fit", "fit"), ("reproduc", "reproduce")])
def test_a_mistyped_command_is_guessed(typed, meant, capsys):
    assert main([typed, "--out", "pictures"]) == 2
    assert capsys.readouterr().err.endswith(f"got {typed!r}: did you mean {meant}?\n")


def test_a_command_like_none_is_not_guessed(capsys):
    assert main(["qqq"]) == 2
    assert capsys.readouterr().err.endswith("got 'qqq'\n")


def test_an_option_that_must_be_given_is_named(capsys):
    assert main(["synthesize", "seven.wav"]) == 2
    assert capsys.readouterr().err == (
        "snn-synth: error: Expected a value for --out, got none: see `snn-synth synthesize --help`\n"
    )
