"""What an untrusted config can name: classes of a few packages. Each exploit runs where it is not stopped."""

import json
import sys
import warnings
from pathlib import Path

import jsonargparse
import pytest
import yaml
from jsonargparse import _common, _loaders_dumpers, _util
from lightning.pytorch.callbacks import LambdaCallback

from snn_synth.cli import main
from snn_synth.cli.configs import shipped
from snn_synth.cli.imports import limited_imports
from snn_synth.errors import InputError

from .conftest import TINY


def refusal(capsys, *words):
    assert main(["fit", "--config", "ae_mnist", *map(str, words)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def nested(place, value):
    """A value at a dotted place of a config; a number is a place in a list."""
    for key in reversed(place.split(".")):
        value = [value] if key == "0" else {key: value}
    return value


CALLBACK = "lightning.pytorch.callbacks"
PLACES = [
    "model",
    "data",
    "model.init_args.network",
    "model.init_args.optimizer",
    "model.init_args.lr_scheduler",
    "trainer.callbacks.0",
    "trainer.logger.0",
    "trainer.profiler",
    "trainer.strategy",
    "trainer.accelerator",
    "trainer.plugins.0",
]
TEXTS = ("trainer.profiler", "trainer.strategy", "trainer.accelerator")  # which may be any text, too
CALLABLES = {
    f"{CALLBACK}.LambdaCallback": "on_fit_start",
    f"{CALLBACK}.ThroughputMonitor": "batch_size_fn",
    f"{CALLBACK}.StochasticWeightAveraging": "avg_fn",
    f"{CALLBACK}.BackboneFinetuning": "lambda_func",
}


def command(witness):
    return {"class_path": "subprocess.Popen", "init_args": {"args": ["touch", str(witness)]}}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("how", ["config", "dotted", "option"])
def test_no_class_of_other_packages_is_imported_or_made(place, how, tmp_path, capsys):
    witness = tmp_path / "it ran"
    value = command(witness) if how == "config" else "antigravity.webbrowser"
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(nested(place, value)))
    words = ["--config", tmp_path / "mine.yaml"]
    if how == "option":
        words = [f"--{place.replace('.init_args', '').removesuffix('.0')}", "antigravity.webbrowser"]
    message = refusal(capsys, *words)
    if how == "config" or place not in TEXTS:
        assert "Expected a class of snn_synth, torch.optim or Lightning, got " in message
        assert ("subprocess.Popen" if how == "config" else "antigravity.webbrowser") in message
    assert not witness.exists()
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize("callback", CALLABLES)
@pytest.mark.parametrize(
    "function", ["os.getcwd", "torch.load", "torch.optim.adamw.adamw", "snn_synth.data.read_audio"]
)
def test_no_function_is_accepted(callback, function, tmp_path, capsys):
    content = {"class_path": callback, "init_args": {CALLABLES[callback]: function}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"trainer": {"callbacks": [content]}}))
    message = refusal(capsys, "--config", tmp_path / "mine.yaml")
    assert function.rpartition(".")[2] in message
    assert "Expected a class" in message


def test_the_exploits_run_where_nobody_stops_them(tmp_path):
    """The same callback and the same command, by jsonargparse alone."""
    witness = tmp_path / "it ran"
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(LambdaCallback, "callback")
    config = {"class_path": f"{CALLBACK}.LambdaCallback", "init_args": {"on_fit_start": "subprocess.getoutput"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = parser.instantiate_classes(parser.parse_object({"callback": config})).callback
    made.on_fit_start(f"touch '{witness}'")
    assert witness.exists()


def test_what_another_module_imports_is_not_its_own(tmp_path, capsys):
    for path in (
        "snn_synth.training.factories.sys.modules",
        "lightning.pytorch.callbacks.model_checkpoint.os.system",
        "lightning.pytorch.strategies.launchers.subprocess_script.subprocess.Popen",
    ):
        assert "Expected a class" in refusal(capsys, "--trainer.callbacks", path)


def test_functions_that_are_given_by_a_description_in_any_value(tmp_path, capsys):
    witness = tmp_path / "it ran"
    scheduler = {"class_path": "torch.optim.lr_scheduler.LambdaLR", "init_args": {"lr_lambda": command(witness)}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(nested("model.init_args.lr_scheduler", scheduler)))
    assert "subprocess.Popen" in refusal(capsys, "--config", tmp_path / "mine.yaml")
    assert not witness.exists()


def test_a_config_in_a_config_is_no_way_around(tmp_path, capsys):
    witness = tmp_path / "it ran"
    (tmp_path / "optimizer.yaml").write_text(yaml.safe_dump(command(witness)))
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(nested("model.init_args.optimizer", "optimizer.yaml")))
    assert "subprocess.Popen" in refusal(capsys, "--config", tmp_path / "mine.yaml")
    (tmp_path / "base.yaml").write_text(
        "x: &x {class_path: subprocess.Popen}\nmodel: {init_args: {optimizer: {<<: *x}}}\n"
    )
    assert main(["fit", "--config", "ae_mnist", "--config", str(tmp_path / "base.yaml")]) == 2
    assert not witness.exists()


MERGES = "\n".join(["a0: &a0 {k: x}", *(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}" for i in range(1, 40))])


@pytest.mark.parametrize("where", ["config", "in another", "option", "text"])
def test_aliases_without_end_take_no_memory(where, tmp_path, capsys):
    (tmp_path / "bomb.yaml").write_text(MERGES)
    if where == "config":
        words = ["--config", tmp_path / "bomb.yaml"]
    elif where == "in another":
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(nested("model.init_args.network", "bomb.yaml")))
        words = ["--config", tmp_path / "mine.yaml"]
    else:
        words = ["--model.num_steps" if where == "text" else "--model.network", "{" + MERGES.replace("\n", ", ") + "}"]
    message = refusal(capsys, *words)
    assert len(message) < 1000


def test_tags_of_python_are_refused(tmp_path, capsys):
    witness = tmp_path / "ran"
    text = f"a: !!python/object/apply:os.system ['touch {witness}']\n"
    (tmp_path / "mine.yaml").write_text(text)
    assert "python/object/apply" in refusal(capsys, "--config", tmp_path / "mine.yaml")
    assert not witness.exists()
    yaml.unsafe_load(text)
    assert witness.exists()


def test_settings_of_wandb_are_refused(tmp_path, capsys):
    logger = {"class_path": "WandbLogger", "dict_kwargs": {"settings": {"base_url": "http://127.0.0.1:9"}}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"trainer": {"logger": [logger]}}))
    assert "settings" in refusal(capsys, "--config", tmp_path / "mine.yaml")


# The user's own


MINE = """
import os
from subprocess import Popen
from snn_synth.training import LitAutoencoder

class Mine(LitAutoencoder):
    def __init__(self, extra: int = 1, **settings):
        super().__init__(**settings)
        self.extra = extra

def function(trainer, module): ...
"""


@pytest.fixture
def mine():
    name = f"my_own_{len(sys.modules)}"
    Path(f"{name}.py").write_text(MINE)
    yield name
    sys.modules.pop(name, None)


def test_a_module_of_ones_own_is_allowed_by_an_option_alone(mine, tmp_path, capsys):
    message = refusal(capsys, "--model", f"{mine}.Mine")
    assert f"give --allow_import {mine}, if it is yours" in message
    assert mine not in sys.modules
    (tmp_path / "allow.yaml").write_text(f"allow_import: {mine}\nmodel: {mine}.Mine\n")
    refusal(capsys, "--config", tmp_path / "allow.yaml")
    assert mine not in sys.modules
    words = ["--model", f"{mine}.Mine", "--model.network", "AESNN", "--model.extra", "3"]
    with pytest.raises(SystemExit) as stop:
        main(["fit", "--config", "ae_mnist", "--allow_import", mine, *words, "--print_config"])
    assert stop.value.code == 0
    assert yaml.safe_load(capsys.readouterr().out)["model"]["init_args"]["extra"] == 3
    assert "give --allow_import" in refusal(capsys, *words)  # not for ever


def test_what_ones_own_module_imports_is_not_allowed_with_it(mine, tmp_path, capsys):
    callback = {"class_path": f"{CALLBACK}.LambdaCallback", "init_args": {"on_fit_start": f"{mine}.function"}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"trainer": {"callbacks": [callback]}}))
    assert "function" in refusal(capsys, "--allow_import", mine, "--config", tmp_path / "mine.yaml")
    for name in ("Popen", "os.system"):
        assert name.rpartition(".")[2] in refusal(capsys, "--allow_import", mine, "--model.optimizer", f"{mine}.{name}")


@pytest.mark.parametrize("name", ["not there", "gone", "os", "subprocess", "jsonargparse", ""])
def test_what_cannot_be_allowed(name, capsys):
    assert "--allow_import" in refusal(capsys, f"--allow_import={name}")


# The guard itself


def test_every_shipped_config_names_what_may_be_named(capsys):
    for name in shipped():
        if not name.endswith(("_online", "_ann")) and name != "ddp":
            with pytest.raises(SystemExit) as stop:
                main(["fit", "--config", name, "--print_config"])
            assert stop.value.code == 0


def test_jsonargparse_is_as_before_afterwards():
    before = dict(_common.parsing_settings), _util.canonical_import_paths, _loaders_dumpers.get_yaml_default_loader()
    with pytest.raises(InputError), limited_imports():
        raise InputError("x")
    assert before == (
        dict(_common.parsing_settings),
        _util.canonical_import_paths,
        _loaders_dumpers.get_yaml_default_loader(),
    )


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("snn_synth.cli.imports.set_parsing_settings", lambda **settings: None),
        ("jsonargparse._typehints.import_object", lambda name: None),
        ("jsonargparse._util.check_import_path", lambda name: None),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning:jsonargparse")  # its way not to refuse, told once a process
def test_a_jsonargparse_that_no_longer_asks_is_not_used(place, value, monkeypatch):
    monkeypatch.setattr(place, value)
    with pytest.raises(RuntimeError, match="Expected jsonargparse to refuse"), limited_imports():
        raise AssertionError("not reached")


def test_a_run_of_ones_own_module_is_recorded_with_the_option(mine, digits):
    words = [*TINY, "--model", f"{mine}.Mine", "--model.network", "AESNN", "--data.root", str(digits)]
    assert main(["fit", *words, "--trainer.max_epochs", "1", "--allow_import", mine]) == 0
    record = json.loads(Path("runs/ae_mnist/metrics.json").read_text())
    assert f"--allow_import={mine}" in record["command"]
    assert main(["validate", *words, "--allow_import", mine]) == 0
