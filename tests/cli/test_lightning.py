"""Wrong and odd values of the Trainer's flags on the command line: one sentence, exit code 2, nothing left."""

from pathlib import Path

import pytest
from lightning.pytorch import Callback

from snn_synth.cli import main
from snn_synth.cli.errors import sentence
from snn_synth.models import AESNN
from snn_synth.training import LitAutoencoder
from tests.training.tiny import TinyImages, quiet_trainer

from .conftest import TINY

EARLY = "--trainer.callbacks+=EarlyStopping"
MONITOR = "--model.lr_scheduler.monitor=val/standardized_mse"
ONLINE = "--model.rule=online --model.loss=membrane --model.network.learned=false"
PLATEAU = "--model.lr_scheduler=lightning.pytorch.cli.ReduceLROnPlateau"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("--trainer.accelerator tpu", "torch_xla"),
        ("--trainer.accelerator nonsense", "invalid accelerator name: `accelerator='nonsense'`"),
        ("--trainer.devices -3", "`devices`"),
        ("--trainer.devices 5000", "devices=5000"),
        ("--trainer.strategy nonsense", "invalid strategy name: `strategy='nonsense'`"),
        ("--trainer.strategy ddp_spawn", "Expected `strategy` ddp, got one that starts its processes by spawn"),
        ("--trainer.strategy ddp_notebook", "by fork"),
        ("--trainer.precision transformer-engine", "transformer_engine"),
        ("--trainer.max_epochs -1", "OneCycleLR, which needs an end"),
        ("--trainer.max_time soon", "soon"),
        ("--trainer.limit_test_batches 0.01", "`limit_test_batches` of at least one of 2 batches, got 0.01"),
        ("--trainer.val_check_interval 100", "`val_check_interval` (100)"),
        ("--trainer.val_check_interval 0", "Expected `val_check_interval` above 0"),
        (f"--trainer.gradient_clip_val 0.5 {ONLINE}", "Expected no `gradient_clip_val`"),
        ("--trainer.barebones true", "logger=[CSVLogger, WandbLogger]"),
        ("--trainer.enable_checkpointing false", "ModelCheckpoint"),
        (f"{EARLY} --trainer.callbacks.monitor=loss", "as `monitor` of EarlyStopping, got 'loss'"),
        (
            f"{EARLY} --trainer.callbacks.monitor=val/standardized_mse --trainer.callbacks.mode=up",
            "`mode` can be min, max, got up",
        ),
        ("--trainer.callbacks+=ModelCheckpoint --trainer.callbacks.save_top_k=-5", "save_top_k=-5"),
        ("--trainer.callbacks+=LearningRateFinder", "Tuner.lr_find(..., update_attr=False)"),
        ("--trainer.callbacks+=BackboneFinetuning", "a `backbone`"),
        ("--trainer.callbacks+=SampleGrid", "Expected a network that makes new images, got AESNN"),
        (PLATEAU, "monitor"),
        ("--model.lr_interval year", "lr_interval"),
    ],
)
def test_a_wrong_flag_is_one_sentence_and_leaves_nothing(words, named, refused, digits):
    message = refused("fit", *TINY, "--data.root", digits, *words.split())
    assert named in message
    assert " at 0x" not in message


@pytest.mark.parametrize(
    "words",
    [
        f"--trainer.callbacks+=Timer --trainer.callbacks.duration=00:00:10:00 {PLATEAU} {MONITOR} {ONLINE}",
        "--trainer.overfit_batches 1 --trainer.precision bf16-mixed --trainer.gradient_clip_val 0.5",
    ],
)
def test_flags_that_failed_once(words, digits):
    assert main(["fit", *TINY, "--data.root", str(digits), "--test_after_fit=false", *words.split()]) == 0
    assert Path("runs/ae_mnist/config.yaml").is_file()


class TakesNothing(Callback):
    def on_fit_start(self):
        pass


def test_a_mistake_of_the_program_inside_lightning_keeps_its_traceback(tmp_path):
    with pytest.raises(TypeError, match="takes 1 positional argument") as failure:
        quiet_trainer(tmp_path, callbacks=[TakesNothing()]).fit(LitAutoencoder(AESNN(12, 5)), TinyImages())
    assert sentence(failure.value) is None
