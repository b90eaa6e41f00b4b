"""What goes wrong around a training: it ends well, or says what was wrong; its files stay whole."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback
from torch.utils.data import DataLoader

from snn_synth.cli.errors import sentence
from snn_synth.training import AtomicCheckpointIO, LitAutoencoder, ResumeCheckpoint
from tests.cli.conftest import TINY, alone, digits  # noqa: F401  (fixtures, of which `alone` comes by itself)
from tests.processes import command, exit_codes
from tests.training import resume_child
from tests.training.resumed import assert_same_bits
from tests.training.tiny import TinyImages, firing_autoencoder, quiet_trainer, write_fsdd
from tests.trust.kills import KILLS

pytestmark = pytest.mark.slow


class Vanish(Callback):
    """Somebody removes folders after some batches."""

    def __init__(self, *folders):
        self.folders = folders

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if batch_idx == 1:
            for folder in self.folders:
                shutil.rmtree(folder, ignore_errors=True)


def test_data_and_cache_that_vanish_in_mid_training_are_no_longer_needed(tmp_path, monkeypatch, tried):
    monkeypatch.setenv("SNN_SYNTH_CACHE", str(tmp_path / "cache"))
    root = write_fsdd(tmp_path / "data")
    firing_autoencoder(784, 16).save_pretrained(tmp_path / "autoencoder")
    found = []
    for callbacks in ([], [Vanish(tmp_path / "data", tmp_path / "cache", tmp_path / "autoencoder")]):
        module, data = resume_child.audiocoder_job(root, str(tmp_path / "autoencoder"))
        trainer = quiet_trainer(tmp_path / "run", max_epochs=2, callbacks=callbacks)
        trainer.fit(module, data)
        found.append({"weights": module.state_dict(), "test": trainer.test(module, data, verbose=False)})
    assert not (tmp_path / "data").exists()
    assert_same_bits(found[1], found[0])
    tried("data that vanish, and a loader that dies")


@pytest.mark.skipif(not KILLS, reason="make trust: W&B itself tries half a minute to reach its server")
def test_without_wandbs_server_a_run_is_refused_and_what_was_kept_stays(
    digits,  # noqa: F811
    fresh_process,
    tmp_path,
    monkeypatch,
    tried,
):
    """A port that nobody listens at; the folder holds a run that ended before."""
    output = tmp_path / "output"
    words, streams = ["fit", *TINY, f"--data.root={digits}"], (os.devnull, output)
    assert exit_codes(fresh_process(command, [*words, "--trainer.max_epochs=1"], streams=streams)) == [0]
    before = {path: path.read_bytes() for path in sorted(Path.cwd().rglob("*")) if path.is_file()}
    assert any(path.name == "metrics.json" for path in before)
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setenv("WANDB_API_KEY", "0123456789" * 4)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "3")
    process = fresh_process(command, [*words, "--trainer.default_root_dir=runs/another"], streams=streams)
    assert exit_codes(process) == [2]
    said = output.read_text()
    assert "Traceback" not in said
    assert "\nsnn-synth: error: Expected W&B to take the run, got " in said
    assert {path: path.read_bytes() for path in before} == before
    assert not [path for path in Path("runs/another").rglob("*") if path.suffix in (".ckpt", ".json")]
    tried("W&B's server out of reach")


class Dies(TinyImages):
    """Its worker is killed at the third batch, once there is a checkpoint, as by a system that is short of memory."""

    def __init__(self, kept):
        super().__init__()
        self.kept = kept

    def train_dataloader(self):
        loader = super().train_dataloader()
        return DataLoader(loader.dataset, batch_size=None, sampler=loader.sampler, num_workers=1)

    def batch(self, places):
        if torch.utils.data.get_worker_info() is not None:
            self.given = getattr(self, "given", 0) + 1
            if self.given == 3:
                while not self.kept.exists():
                    time.sleep(0.01)
                os.kill(os.getpid(), signal.SIGKILL)
        return super().batch(places)


def test_a_loader_whose_worker_dies_is_one_sentence_and_the_checkpoint_stays(tmp_path, tried):
    trainer = quiet_trainer(
        tmp_path, max_epochs=1, callbacks=[ResumeCheckpoint(every_n_batches=1)], plugins=[AtomicCheckpointIO()]
    )
    with pytest.raises((RuntimeError, ConnectionError, EOFError)) as raised:
        trainer.fit(LitAutoencoder(firing_autoencoder(12, 7), num_steps=3), Dies(tmp_path / "resume.ckpt"))
    assert sentence(raised.value).startswith("Expected the workers of the DataLoader to stay alive, got ")
    assert torch.load(tmp_path / "resume.ckpt", weights_only=True)["state_dict"]
    tried("data that vanish, and a loader that dies")


def test_a_worker_whose_death_is_told_late_is_one_sentence(monkeypatch):
    """Its pipe breaks first; PyTorch's word of it comes by a signal, while the broken pipe is put into words."""
    late = RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed.")
    waiting = [late]

    def interrupted(*place):
        if waiting:
            raise waiting.pop()
        return ""

    monkeypatch.setattr("linecache.getline", interrupted)
    with pytest.raises(EOFError) as raised:
        raise EOFError
    told = sentence(raised.value)
    assert told == f"Expected the workers of the DataLoader to stay alive, got {late}"
    assert not waiting
