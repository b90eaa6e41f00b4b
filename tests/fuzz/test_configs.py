"""Damaged configs, through the command line's parser and nothing after it."""

import argparse

import pytest

from snn_synth.cli import trainer
from snn_synth.cli.configs import find, shipped
from snn_synth.cli.errors import sentence
from snn_synth.cli.imports import limited_imports
from snn_synth.errors import InputError
from tests.fuzz.harness import FILES, fuzz

WORDS = [
    *(
        b"class_path: ",
        b"init_args: ",
        b"os.system",
        b"subprocess.Popen",
        b"&a ",
        b"*a",
        b"<<: ",
        b"!!int ",
        b"null",
        b"- ",
    ),
    *(
        b"trainer:\n",
        b"model:\n",
        b"data:\n",
        b"callbacks:",
        b"optimizer: ",
        b"torch.optim.SGD",
        b"snn_synth.models.AESNN",
    ),
]


class Stop(Exception):  # noqa: N818  (not an error: where this test stops)
    """The parser has been made."""


@pytest.fixture
def read(monkeypatch, tmp_path):
    """Parses a config by the parser of `snn-synth fit`."""
    monkeypatch.chdir(tmp_path)
    parsers = []

    def stop(self, parser, args):
        parsers.append(parser)
        raise Stop

    monkeypatch.setattr(trainer.SynthCLI, "parse_arguments", stop)
    with pytest.raises(Stop):
        trainer.SynthCLI(["fit", "--config", "ae_mnist"], None)

    def parse(path):
        try:
            parsers[0].parse_args(["fit", "--config", str(find(str(path)))])
        except argparse.ArgumentError as error:
            raise InputError(sentence(error)) from error

    with limited_imports():
        yield parse


def test_configs(read, tmp_path):
    seeds = [shipped()[name].read_bytes() for name in ("ae_mnist", "a2i_fsdd", "gan_mnist")]
    print(fuzz(read, seeds, tmp_path / "damaged.yaml", files=FILES // 3, words=WORDS))
