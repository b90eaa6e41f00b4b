"""When a scheduler steps, by both rules and in a GAN."""

import functools

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import ReduceLROnPlateau
from torch.optim import lr_scheduler

from snn_synth.errors import InputError
from snn_synth.models import SpikingGAN, TemporalCodingAE
from snn_synth.training import LitAutoencoder, LitSpikingGAN, LitTemporalCodingAE, ResumeCheckpoint
from tests.training.tiny import TinyImages, firing_autoencoder, quiet_trainer

RULES = ("bptt", "online")


def test_a_gan_counts_batches_too_and_steps_both_its_schedulers(tmp_path):
    module = LitSpikingGAN(
        SpikingGAN(3, 4, 8, 10, num_steps=16, smoothing=16.0),
        lr_scheduler=functools.partial(lr_scheduler.OneCycleLR, max_lr=0.5),
    )
    saved = ModelCheckpoint(tmp_path, every_n_train_steps=3, save_top_k=-1, filename="{step}")
    trainer = quiet_trainer(tmp_path, max_epochs=-1, max_steps=7, callbacks=[saved])
    trainer.fit(module, TinyImages())
    assert trainer.global_step == trainer.fit_loop.total_batch_idx + 1 == 7
    assert [one.scheduler.last_epoch for one in trainer.lr_scheduler_configs] == [7, 7]
    assert [one.scheduler.total_steps for one in trainer.lr_scheduler_configs] == [7, 7]
    assert {path.stem for path in tmp_path.glob("*.ckpt")} == {"step=3", "step=6"}


def test_classes_of_a_users_own_set_the_interval(tmp_path):
    class Yearly(LitTemporalCodingAE):
        lr_interval = "epoch"

    module = Yearly(TemporalCodingAE(12, 5), lr_scheduler=functools.partial(lr_scheduler.StepLR, step_size=1))
    trainer = quiet_trainer(tmp_path, max_epochs=2)
    trainer.fit(module, TinyImages())
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(1e-3 * 0.1**2)


@pytest.mark.parametrize("rule", RULES)
def test_the_scheduler_of_a_users_own_configure_optimizers_is_obeyed(tmp_path, rule):
    class Mine(LitAutoencoder):
        def configure_optimizers(self):
            optimizer = torch.optim.SGD(self.network.parameters(), lr=1.0)
            halved = lr_scheduler.ExponentialLR(optimizer, 0.5)
            return [optimizer], [{"scheduler": halved, "interval": "step", "frequency": 2}]

    trainer = quiet_trainer(tmp_path, max_epochs=1)
    trainer.fit(Mine(firing_autoencoder(12, 5), rule=rule, num_steps=4), TinyImages())
    assert trainer.optimizers[0].param_groups[0]["lr"] == 0.25  # after 2 and 4 of 5 batches


@pytest.mark.parametrize("rule", RULES)
def test_plateaus_and_epochs_resume_bit_for_bit(tmp_path, rule):
    """The learning rate of the next epoch is in the checkpoint that is made at the end of this one."""

    def fit(folder, epochs, plateau, **options):
        make = (
            functools.partial(
                ReduceLROnPlateau, monitor="val/standardized_mse", patience=0, factor=0.5, threshold=100.0
            )
            if plateau
            else functools.partial(lr_scheduler.StepLR, step_size=1, gamma=0.5)
        )
        module = LitAutoencoder(
            firing_autoencoder(12, 5), rule=rule, num_steps=4, lr_scheduler=make, lr_interval="epoch"
        )
        trainer = quiet_trainer(folder, max_epochs=epochs, callbacks=[ResumeCheckpoint(every_n_batches=2)])
        trainer.fit(module, TinyImages(), **options)
        return module.state_dict(), trainer.optimizers[0].param_groups[0]["lr"]

    for plateau in (True, False):
        whole, rate = fit(tmp_path / f"whole{plateau}", 4, plateau)
        fit(tmp_path / f"parts{plateau}", 2, plateau)
        resumed, again = fit(
            tmp_path / f"parts{plateau}", 4, plateau, ckpt_path=tmp_path / f"parts{plateau}" / "resume.ckpt"
        )
        assert rate == again == pytest.approx(1e-3 * 0.5**4)
        assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_a_plateau_goes_on_when_its_monitor_has_its_present_name(tmp_path):
    def fit(folder, epochs, monitor, **options):
        make = functools.partial(ReduceLROnPlateau, monitor=monitor, patience=0, factor=0.5, threshold=100.0)
        module = LitAutoencoder(firing_autoencoder(12, 5), num_steps=4, lr_scheduler=make)
        trainer = quiet_trainer(folder, max_epochs=epochs, callbacks=[ResumeCheckpoint()])
        trainer.fit(module, TinyImages(), **options)
        return trainer.optimizers[0].param_groups[0]["lr"]

    assert fit(tmp_path, 2, "val/mse") == pytest.approx(1e-3 * 0.5**2)
    rate = fit(tmp_path, 4, "val/standardized_mse", ckpt_path=tmp_path / "resume.ckpt")
    assert rate == pytest.approx(1e-3 * 0.5**4)
    with pytest.raises(InputError, match="got changed ones"):
        fit(tmp_path, 5, "val/spike_mse", ckpt_path=tmp_path / "resume.ckpt")


def test_a_metric_that_is_missing_at_the_end_of_an_epoch(tmp_path):
    plateau = functools.partial(ReduceLROnPlateau, monitor="val/standardized_mse")
    module = LitAutoencoder(firing_autoencoder(12, 5), num_steps=4, lr_scheduler=plateau)
    with pytest.raises(
        InputError, match=r"Expected a metric that is logged in each epoch .*train/loss.*got 'val/standardized_mse'"
    ):
        quiet_trainer(tmp_path, max_epochs=2, limit_val_batches=0).fit(module, TinyImages())


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (functools.partial(lr_scheduler.StepLR, step_size=0), "step_size"),
        (functools.partial(lr_scheduler.CosineAnnealingLR, T_max=0), "T_max"),
    ],
)
def test_schedulers_that_would_divide_by_0(make, named, tmp_path):
    module = LitAutoencoder(firing_autoencoder(12, 5), num_steps=4, lr_scheduler=make)
    with pytest.raises(InputError, match=f"Expected `{named}` of {make.func.__name__} of at least 1, got 0"):
        quiet_trainer(tmp_path, max_epochs=1).fit(module, TinyImages())


def test_a_warm_up_of_one_step_starts_at_the_peak(tmp_path):
    """PyTorch would divide by the 0 steps before it."""
    seen = []

    class Watched(LitTemporalCodingAE):
        def on_train_batch_start(self, *_):
            seen.append(self.optimizers().param_groups[0]["lr"])

    one_cycle = functools.partial(lr_scheduler.OneCycleLR, max_lr=0.1, pct_start=0.1, anneal_strategy="linear")
    module = Watched(TemporalCodingAE(12, 5), lr_scheduler=one_cycle)
    quiet_trainer(tmp_path, max_epochs=-1, max_steps=10).fit(module, TinyImages())
    least = 0.1 / 25 / 1e4
    assert seen == pytest.approx([0.1 + (least - 0.1) * i / 9 for i in range(10)], rel=0.01)
