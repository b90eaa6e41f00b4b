"""Commands killed at random moments and called again: they end with the numbers of the one that nobody killed."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from tests.cli.conftest import TINY, alone, digits  # noqa: F401  (fixtures, of which `alone` comes by itself)
from tests.data.conftest import server  # noqa: F401
from tests.processes import command
from tests.training.resumed import assert_same_bits
from tests.training.tiny import write_fsdd
from tests.trust import commands
from tests.trust.kills import KILLS, kill_at_random, timed

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not KILLS, reason="make trust")]

SECONDS = "seconds", "trial_seconds", "command", "cost", "checkpoint"  # what two runs may differ in


def numbers(path):
    """What a JSON file says, but not how long that took and where."""
    return json.loads(
        Path(path).read_text(), object_hook=lambda one: {k: v for k, v in one.items() if k not in SECONDS}
    )


def whole_files(folder):
    """Every file that a command has left can be read."""
    for path in Path(folder).rglob("*.json"):
        json.loads(path.read_text())
    for path in Path(folder).rglob("*.ckpt"):
        torch.load(path, weights_only=True)
    for path in Path(folder).rglob("*.np[yz]"):
        np.load(path)


@pytest.fixture
def kill(tmp_path, tried):
    """Kills a command in folders of their own, which must then all hold the same as one that was not killed."""

    def run(start, same, what, kills=KILLS):
        def into(name):
            (tmp_path / name).mkdir(exist_ok=True)
            return start(tmp_path / name)

        def check(number):
            whole_files(tmp_path / str(number))
            same(tmp_path / str(number), tmp_path / "whole")

        seconds = timed(lambda: into("whole"))
        kill_at_random(
            lambda number: into(str(number)),
            check,
            seconds,
            seed=len(what),
            count=lambda n: tried(what, n),
            kills=kills,
        )

    return run


def test_fit(digits, kill, fresh_process, monkeypatch):  # noqa: F811
    def start(folder):
        monkeypatch.chdir(folder)
        kept = Path("runs/ae_mnist/resume.ckpt")
        resume = ["--ckpt_path", str(kept)] if kept.is_file() else []
        if Path("runs/ae_mnist/metrics.json").is_file():  # it had done everything when it was killed
            return fresh_process(os.getpid)
        return fresh_process(command, ["fit", *TINY, f"--data.root={digits}", *resume])

    def same(found, expected):
        found, expected = found / "runs/ae_mnist", expected / "runs/ae_mnist"
        assert numbers(found / "metrics.json") == numbers(expected / "metrics.json")
        kept, other = (torch.load(run / "resume.ckpt", weights_only=True) for run in (found, expected))
        for part in ("state_dict", "optimizer_states", "lr_schedulers"):
            assert_same_bits(kept[part], other[part])

    kill(start, same, "SIGKILL of `fit`")


def test_reproduce(kill, fresh_process):
    def same(found, expected):
        assert numbers(found / "tiny/metrics.json") == numbers(expected / "tiny/metrics.json")

    kill(lambda folder: fresh_process(commands.reproduce, folder), same, "SIGKILL of `reproduce`")


def test_sweep(digits, kill, fresh_process, monkeypatch):  # noqa: F811
    sweep = {
        "name": "mine",
        "method": "grid",
        "metric": {"name": "val/standardized_mse"},
        "parameters": {"model.num_steps": {"values": [3, 4]}},
        "program": "snn-synth",
        "command": ["${env}", "${program}", "fit", *TINY, f"--data.root={digits}", "${args}"],
    }

    def start(folder):
        monkeypatch.chdir(folder)
        Path("sweep.yaml").write_text(yaml.safe_dump(sweep))
        return fresh_process(command, ["sweep", "sweep.yaml", "--jobs", "1"])

    def same(found, expected):
        found, expected = (numbers(run / "runs/sweeps/mine/sweep.json")["runs"] for run in (found, expected))
        assert found == expected

    kill(start, same, "SIGKILL of `sweep`", -(-KILLS // 5))


def test_demo(kill, fresh_process):
    pytest.importorskip("espeakng_loader")

    def same(found, expected):
        assert numbers(found / "metrics.json") == numbers(expected / "metrics.json")

    kill(lambda folder: fresh_process(commands.speak_and_draw, folder), same, "SIGKILL of `demo`", -(-KILLS // 5))


def test_the_building_of_a_cache(kill, fresh_process, tmp_path):
    root = write_fsdd(tmp_path / "data")

    def same(found, expected):
        (file,), (other,) = (list(folder.iterdir()) for folder in (found, expected))
        assert file.name == other.name
        assert file.read_bytes() == other.read_bytes()

    kill(lambda folder: fresh_process(commands.build_cache, root, folder), same, "SIGKILL of what builds a cache")


def test_a_download(server, kill, fresh_process):  # noqa: F811
    content = np.random.default_rng(0).bytes(50_000_000)
    server.files["/file"] = content
    digest = hashlib.sha256(content).hexdigest()

    def same(found, _):
        assert [path.name for path in found.iterdir()] == ["file"]
        assert (found / "file").read_bytes() == content

    def start(folder):
        return fresh_process(commands.download, server.url("/file"), folder / "file", digest)

    kill(start, same, "SIGKILL of a download")
