"""The way of docs/training.md, "A surrogate of your own": the file, the command, the config and the sweep."""

import importlib
import json
import re
import shlex
import sys
from pathlib import Path

import pytest
import torch
import yaml

from snn_synth.cli import main
from snn_synth.errors import InputError
from snn_synth.models import AESNN
from snn_synth.training import LitAutoencoder

from .conftest import TINY

PAGE = Path(__file__).parents[2] / "docs" / "training.md"
SECTION = PAGE.read_text().partition("\n## A surrogate of your own\n")[2].partition("\n## ")[0]
NETWORK = {"class_path": "mine.TriangleAE", "width": 2.0}


def block(language, number=0):
    return re.findall(rf"^```{language}\n(.*?)^```", SECTION, re.M | re.S)[number]


@pytest.fixture
def mine(monkeypatch):
    """The page's files, in this folder."""
    Path("mine.py").write_text(block("python"))
    Path("triangle.yaml").write_text(block("yaml"))
    Path("widths.yaml").write_text(block("yaml", 1))
    monkeypatch.syspath_prepend(".")
    sys.modules.pop("mine", None)  # another test's
    importlib.invalidate_caches()
    yield importlib.import_module("mine")
    del sys.modules["mine"]


def printed(capsys, words):
    """Class and width of the network in the config that a command would run."""
    with pytest.raises(SystemExit) as stop:
        main([*words, "--print_config"])
    assert stop.value.code == 0
    network = yaml.safe_load(capsys.readouterr().out)["model"]["init_args"]["network"]
    assert network["init_args"]["learned"] is True  # the other settings are those of ae_mnist
    return {"class_path": network["class_path"], "width": network["init_args"]["width"]}


def test_the_gradient_is_a_triangle_of_that_width(mine):
    x = torch.tensor([-3.0, -0.5, 0.0, 0.5, 1.5], requires_grad=True)
    spikes = mine.Triangle(2.0)(x)
    spikes.sum().backward()
    assert spikes.tolist() == [0, 0, 1, 1, 1]
    assert x.grad.tolist() == [0, 0.75, 1, 0.75, 0.25]


def test_the_command_trains_with_it_and_its_checkpoint_keeps_it(mine, digits):
    _, *words = shlex.split(block("bash"))
    extra = [word for word in TINY if not word.startswith("--config")]
    assert main([*words, *extra, "--trainer.max_epochs=1", "--data.root", str(digits)]) == 0
    assert json.loads(Path("runs/ae_mnist/metrics.json").read_text())["test/standardized_mse"] > 0
    network = LitAutoencoder.load_from_checkpoint("runs/ae_mnist/best.ckpt").network
    assert type(network) is mine.TriangleAE
    assert [neuron.spike_grad.width for _, neuron in network.layers] == [2, 2]


def test_the_file_is_the_same_as_the_command(mine, capsys):
    _, *words = shlex.split(block("bash"))
    named = shlex.split(re.search(r"`(--config ae_mnist --config triangle.yaml .*?)`", SECTION)[1])
    assert printed(capsys, words) == printed(capsys, ["fit", *named]) == NETWORK


def test_the_sweep_gives_each_run_its_width(mine, capsys, monkeypatch):
    keep = 'for w in "$@"; do case $w in --trainer.default_root_dir=*) d=${w#*=};; esac; done; mkdir -p $d; '
    keep += 'echo "$@" > $d/words; echo "{\\"val/standardized_mse\\": 1}" > $d/metrics.json'
    monkeypatch.setattr("snn_synth.experiments.sweep.run.PROGRAM", ("sh", "-c", keep, "snn-synth"))
    _, *words = shlex.split(re.search(r"`(snn-synth sweep .*?)`", SECTION)[1])
    assert main(words) == 0
    runs = [Path(f"runs/sweeps/widths-{number}/words").read_text().split() for number in range(3)]
    capsys.readouterr()
    assert [printed(capsys, words) for words in runs] == [NETWORK | {"width": width} for width in (0.5, 1, 2)]


def test_a_saved_network_says_what_to_do_where_its_class_is_not_known(mine, tmp_path):
    mine.TriangleAE(width=2.0, inputs=4, hidden=2).save_pretrained(tmp_path / "ae")
    assert AESNN.from_pretrained(tmp_path / "ae").layers[0][1].spike_grad.width == 2
    path = tmp_path / "ae" / "config.json"
    path.write_text(path.read_text().replace("TriangleAE", "SquareAE"))
    with pytest.raises(InputError, match=r"SquareAE.*: a class of your own has to be imported before"):
        AESNN.from_pretrained(tmp_path / "ae")
