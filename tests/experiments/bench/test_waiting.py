import json

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader

from snn_synth.experiments.bench import waiting
from snn_synth.experiments.bench.loading import PROFILER, arguments, pictures
from snn_synth.experiments.bench.waiting import WaitingShare


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when it is told to: this many seconds."""
    now = [0.0]
    monkeypatch.setattr(waiting, "perf_counter", lambda: now[0])
    return now


class Slow(LightningModule):
    """A step takes 3 seconds of the clock, the first one 100."""

    def __init__(self, clock):
        super().__init__()
        self.clock, self.layer = clock, torch.nn.Linear(2, 1)

    def training_step(self, batch, batch_idx):
        self.clock[0] += 100 if self.trainer.global_step == 0 else 3
        return self.layer(batch).sum()

    def validation_step(self, batch, batch_idx):
        self.clock[0] += 1

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class SlowData(torch.utils.data.Dataset):
    """Each sample takes a second of the clock."""

    def __init__(self, clock):
        self.clock = clock

    def __len__(self):
        return 4

    def __getitem__(self, index):
        self.clock[0] += 1
        return torch.ones(2)


def test_it_is_the_share_of_epochs_spent_on_fetching(clock, tmp_path):
    trainer = Trainer(
        profiler=WaitingShare(str(tmp_path / "found.json")),
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(Slow(clock), DataLoader(SlowData(clock)), DataLoader(SlowData(clock)))
    # 7 batches after the first, 8 to validate: 15 fetched in 15 s, and 7 x 3 s + 8 x 1 s of steps.
    assert json.loads((tmp_path / "found.json").read_text()) == {"epoch": 44.0, "waiting": 15.0, "batches": 7}


def test_the_runs_are_of_shipped_configs_for_a_while(tmp_path):
    assert waiting.__name__ == PROFILER
    assert "--data.corpus=fsdd" in arguments("a2i_any_speaker", tmp_path)
    assert "--model.autoencoder=mnist" in arguments("a2i_fsdd", tmp_path)
    (root,) = [word.partition("=")[2] for word in arguments("ae_folder", tmp_path) if "root" in word]
    assert len(list((tmp_path / "pictures").rglob("*.png"))) == 200
    assert root == str(tmp_path / "pictures")


def test_pictures_have_two_classes(tmp_path):
    assert [path.name for path in sorted(pictures(tmp_path, count=1).iterdir())] == ["one", "other"]
