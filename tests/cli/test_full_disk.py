"""A disk that takes no more: one sentence with what to do next, and the last checkpoint as it was."""

import errno
import os
import subprocess
from pathlib import Path

import pytest

from snn_synth.cli import main
from snn_synth.errors import InputError
from snn_synth.models import SpikingStack

from .conftest import TINY, snapshot

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def fit(digits, capsys):
    """Runs the tiny config; gives the exit code and the last line of the errors."""

    def run(*words):
        code = main(["fit", *TINY, f"--data.root={digits}", "--model.lr_scheduler=null", *words])
        return code, capsys.readouterr().err.strip().rpartition("\n")[2]

    return run


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MB, or a skip."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root can mount a small file system")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.slow
def test_a_run_on_a_full_disk_goes_on_once_there_is_space(fit, small_disk):
    run = small_disk / "run"
    into = f"--trainer.default_root_dir={run}"
    assert fit(into, "--trainer.max_epochs=1")[0] == 0
    before = {path.name: path.read_bytes() for path in run.glob("*.ckpt")}
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space"), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    resume = f"--ckpt_path={run / 'resume.ckpt'}"
    code, message = fit(into, resume)
    assert code == 2
    assert "No space left on device" in message
    assert f"--ckpt_path {run / 'resume.ckpt'}" in message
    assert {path.name: path.read_bytes() for path in run.glob("*.ckpt")} == before
    filler.unlink()
    assert fit(into, resume)[0] == 0


def test_a_folder_that_is_read_only(fit, small_disk):
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    code, message = fit(f"--trainer.default_root_dir={small_disk / 'run'}")
    assert (code, str(small_disk) in message) == (2, True)


@pytest.mark.parametrize(
    "writer",
    [
        "torch.save",
        "pathlib.Path.write_text",
        "matplotlib.figure.Figure.savefig",
        "lightning.fabric.loggers.csv_logs._ExperimentWriter.save",
    ],
)
def test_whatever_is_written_last(fit, writer, monkeypatch):
    """A checkpoint, config and metrics, a picture, the log."""

    def full(*_, **__):
        raise FULL

    with monkeypatch.context() as patch:
        patch.setattr(writer, full)
        code, message = fit("--trainer.max_epochs=1")
    assert code == 2
    assert message.startswith("snn-synth: error: Expected to write into runs/ae_mnist, got No space left on device")
    assert not list(Path("runs").rglob("*.ckpt.*")), "no half of a checkpoint"


def test_a_model_that_does_not_fit(small_disk):
    SpikingStack([100, 100]).save_pretrained(small_disk / "model")
    before = snapshot(small_disk)
    with pytest.raises(InputError, match="No space left on device"):
        SpikingStack([2000, 2000]).save_pretrained(small_disk / "model")
    assert snapshot(small_disk) == before
