"""Where a run ends it is validated, and best.ckpt may be of its last epoch."""

from datetime import timedelta

import pytest
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, Timer

from snn_synth.models import AESNN
from snn_synth.training import LitAutoencoder
from tests.training.tiny import TinyImages, quiet_trainer


class Validations(Callback):
    """The epoch and the number of batches at each validation."""

    def __init__(self):
        self.seen = []

    def on_validation_end(self, trainer, pl_module):
        self.seen.append((trainer.current_epoch, trainer.global_step))


def fit(folder, *callbacks, rule="bptt", **settings):
    seen = Validations()
    trainer = quiet_trainer(folder, callbacks=[seen, *callbacks], **settings)
    torch.manual_seed(0)
    module = LitAutoencoder(AESNN(12, 6), rule=rule, num_steps=3)
    trainer.fit(module, TinyImages())
    return trainer, seen.seen


@pytest.mark.parametrize(
    ("settings", "validated"),
    [
        ({"max_epochs": 5, "check_val_every_n_epoch": 10}, [(4, 25)]),
        ({"max_epochs": 5, "check_val_every_n_epoch": 2}, [(1, 10), (3, 20), (4, 25)]),
        ({"max_epochs": 4, "check_val_every_n_epoch": 2}, [(1, 10), (3, 20)]),
        ({"max_epochs": 1, "check_val_every_n_epoch": 2}, [(0, 5)]),
        ({"max_epochs": -1, "max_steps": 7}, [(0, 5), (1, 7)]),
        ({"max_epochs": 9, "max_steps": 7, "check_val_every_n_epoch": 5}, [(1, 7)]),
        ({"max_epochs": -1, "max_steps": 10}, [(0, 5), (1, 10)]),
        ({"max_epochs": 2, "check_val_every_n_epoch": None, "val_check_interval": 3}, [(0, 3), (1, 6), (1, 9)]),
        ({"max_epochs": 2, "limit_val_batches": 0, "check_val_every_n_epoch": 5}, []),
    ],
)
def test_a_run_is_validated_where_it_ends(tmp_path, settings, validated):
    trainer, seen = fit(tmp_path, **settings)
    assert seen == validated
    assert trainer.check_val_every_n_epoch == settings.get("check_val_every_n_epoch", 1), "left as it was"


def test_so_is_one_under_the_online_rule(tmp_path):
    assert fit(tmp_path, rule="online", max_epochs=3, check_val_every_n_epoch=2)[1] == [(1, 10), (2, 15)]


def test_so_is_one_whose_time_is_over(tmp_path):
    over = Timer(duration=timedelta(microseconds=1), interval="step")
    assert fit(tmp_path, over, max_epochs=9, check_val_every_n_epoch=5)[1] == [(0, 1)]


class Fails(Callback):
    """Raises at the start of a run or in its last epoch, as Ctrl-C would."""

    def __init__(self, first):
        self.first = first

    def on_fit_start(self, trainer, pl_module):
        if self.first:
            raise ZeroDivisionError

    def on_train_epoch_end(self, trainer, pl_module):
        if trainer.current_epoch == 2:
            raise ZeroDivisionError


@pytest.mark.parametrize("first", [True, False])
def test_a_run_that_fails_leaves_the_trainer_as_it_was(tmp_path, first):
    trainer = quiet_trainer(tmp_path, callbacks=[Fails(first)], max_epochs=3, check_val_every_n_epoch=2)
    with pytest.raises(ZeroDivisionError):
        trainer.fit(LitAutoencoder(AESNN(12, 6), num_steps=3), TinyImages())
    assert trainer.check_val_every_n_epoch == 2


def test_best_may_be_the_last_epoch(tmp_path):
    best = ModelCheckpoint(tmp_path, "best", monitor="val/spike_mse")
    trainer, _ = fit(tmp_path, best, max_epochs=3, check_val_every_n_epoch=10)
    assert torch.load(tmp_path / "best.ckpt", weights_only=True)["epoch"] == 2
    assert best.best_model_score == trainer.callback_metrics["val/spike_mse"]


def test_a_second_run_of_the_same_trainer_is_validated_as_asked_for(tmp_path):
    trainer, seen = fit(tmp_path, max_epochs=3, check_val_every_n_epoch=2)
    trainer.fit_loop.max_epochs = 5
    trainer.fit(LitAutoencoder(AESNN(12, 6), num_steps=3), TinyImages())
    assert [epoch for epoch, _ in seen] == [1, 2, 3, 4]
